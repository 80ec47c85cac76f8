//! Docker's `config.json`, as far as it is about credentials. Everything else in it is kept as it stands.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

use super::helper::Helper;
use super::{Credential, HelperError, Secret};
use crate::endpoint::credential_key;

/// A `config.json`. It need not exist.
#[derive(Clone, Debug)]
pub struct CredentialFile {
    path: PathBuf,
    /// Where helpers are, when not on the search path.
    helpers: Option<PathBuf>,
}

/// Where a credential was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// With a helper, by name.
    Helper(String),
    /// In the file, readable by whoever reads the file.
    File(PathBuf),
}

/// Why a credential cannot be read, kept or erased.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The file is not a JSON object.
    #[error("{} is not a JSON object", .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
    /// One entry is not what it should be.
    #[error("{}: the entry for {registry} is malformed: {problem}", .path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// The entry's key.
        registry: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The file cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A helper failed.
    #[error("cannot get the credentials for {registry}")]
    Helper {
        /// The registry.
        registry: String,
        /// What the helper says.
        #[source]
        source: HelperError,
    },
}

impl CredentialFile {
    /// The file at `path`, usually `~/.docker/config.json`.
    pub fn at(path: impl Into<PathBuf>) -> CredentialFile {
        CredentialFile { path: path.into(), helpers: None }
    }

    /// The same with helpers looked for in a folder instead of on the search path.
    pub fn with_helpers_in(self, folder: impl Into<PathBuf>) -> CredentialFile {
        CredentialFile { helpers: Some(folder.into()), ..self }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The credential for a registry: from its own helper, from the helper of all, or from the file itself.
    pub fn find(&self, registry: &str) -> Result<Option<Credential>, CredentialError> {
        let config = self.read()?;
        let key = credential_key(registry);
        if let Some(helper) = self.helper(&config, registry)? {
            let found = helper.get(&key).map_err(failed(registry))?;
            if found.is_some() {
                return Ok(found);
            }
        }
        match auths(&config).and_then(|auths| entry_for(auths, &key)) {
            Some((name, entry)) => self.credential(name, entry),
            None => Ok(None),
        }
    }

    /// Keeps a credential for a registry, with the helper that the file names for it or else in the file.
    pub fn store(&self, registry: &str, credential: &Credential) -> Result<Kept, CredentialError> {
        let mut config = self.read()?;
        let key = credential_key(registry);
        let helper = self.helper(&config, registry)?;
        let entry = match &helper {
            Some(helper) => {
                helper.store(&key, credential).map_err(failed(registry))?;
                // Docker leaves an empty entry so that one can see where one is logged in.
                Map::new()
            }
            None => entry_of(credential),
        };
        let auths = config.entry("auths").or_insert_with(|| Value::Object(Map::new()));
        if !auths.is_object() {
            *auths = Value::Object(Map::new());
        }
        if let Value::Object(auths) = auths {
            auths.insert(key, Value::Object(entry));
        }
        self.write(&config)?;
        Ok(match helper {
            Some(helper) => Kept::Helper(helper.name().to_owned()),
            None => Kept::File(self.path.clone()),
        })
    }

    /// Forgets the credential for a registry; says whether there was an entry in the file.
    pub fn erase(&self, registry: &str) -> Result<bool, CredentialError> {
        let mut config = self.read()?;
        let key = credential_key(registry);
        if let Some(helper) = self.helper(&config, registry)? {
            helper.erase(&key).map_err(failed(registry))?;
        }
        let Some(Value::Object(auths)) = config.get_mut("auths") else { return Ok(false) };
        let before = auths.len();
        auths.retain(|name, _| *name != key && !names_host(name, &key));
        if auths.len() == before {
            return Ok(false);
        }
        self.write(&config)?;
        Ok(true)
    }

    fn helper(&self, config: &Map<String, Value>, registry: &str) -> Result<Option<Helper>, CredentialError> {
        let key = credential_key(registry);
        let helpers = config.get("credHelpers").and_then(Value::as_object);
        let own = helpers.and_then(|helpers| helpers.get(registry).or_else(|| helpers.get(&key)));
        match own.or_else(|| config.get("credsStore")).and_then(Value::as_str) {
            Some(name) if !name.is_empty() => {
                let helper = Helper::new(name, self.helpers.as_deref());
                Ok(Some(helper.map_err(failed(registry))?))
            }
            _ => Ok(None),
        }
    }

    fn credential(&self, name: &str, entry: &Value) -> Result<Option<Credential>, CredentialError> {
        let wrong =
            |problem| CredentialError::Entry { path: self.path.clone(), registry: name.to_owned(), problem };
        let text = |field: &str| entry.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (mut username, mut password) = (text("username").unwrap_or("").to_owned(), text("password"));
        let decoded;
        if let Some(auth) = text("auth") {
            let bytes = BASE64.decode(auth.trim()).map_err(|_| wrong("`auth` is not base64"))?;
            decoded = String::from_utf8(bytes).map_err(|_| wrong("`auth` is not UTF-8"))?;
            let (user, pass) =
                decoded.split_once(':').ok_or_else(|| wrong("`auth` holds no `user:password`"))?;
            username = user.to_owned();
            // Docker pads old entries with NUL.
            password = Some(pass.trim_matches('\0')).filter(|pass| !pass.is_empty());
        }
        if let Some(token) = text("identitytoken") {
            return Ok(Some(Credential::IdentityToken { username, token: Secret::new(token) }));
        }
        if let Some(token) = text("registrytoken") {
            return Ok(Some(Credential::RegistryToken(Secret::new(token))));
        }
        Ok(password.map(|password| Credential::Basic { username, password: Secret::new(password) }))
    }

    fn read(&self) -> Result<Map<String, Value>, CredentialError> {
        let failed = |source| CredentialError::Read { path: self.path.clone(), source };
        let file = match fs::File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Map::new()),
            file => file.map_err(failed)?,
        };
        let mut bytes = Vec::new();
        file.take(CONFIG_FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Map::new());
        }
        serde_json::from_slice(&bytes)
            .map_err(|source| CredentialError::Json { path: self.path.clone(), source })
    }

    /// Replaces the file by a rename, for the owner's eyes only. A symbolic link stays one.
    fn write(&self, config: &Map<String, Value>) -> Result<(), CredentialError> {
        let failed = |source| CredentialError::Write { path: self.path.clone(), source };
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed)?;
        let mut text = serde_json::to_vec_pretty(config).expect("a JSON value is always JSON");
        text.push(b'\n');
        // A temporary file is made with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(parent).map_err(failed)?;
        file.write_all(&text).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

fn failed(registry: &str) -> impl Fn(HelperError) -> CredentialError {
    move |source| CredentialError::Helper { registry: registry.to_owned(), source }
}

fn auths(config: &Map<String, Value>) -> Option<&Map<String, Value>> {
    config.get("auths").and_then(Value::as_object)
}

fn entry_for<'a>(auths: &'a Map<String, Value>, key: &str) -> Option<(&'a str, &'a Value)> {
    let exact = auths.get_key_value(key);
    let found = exact.or_else(|| auths.iter().find(|(name, _)| names_host(name, key)));
    found.map(|(name, entry)| (name.as_str(), entry))
}

/// Whether an entry's key is another spelling of a registry: with a scheme, or with the API's path. A key with a
/// path of its own speaks of a part of a registry and is not taken for the whole.
fn names_host(name: &str, key: &str) -> bool {
    let bare = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://")).unwrap_or(name);
    let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
    let path = path.trim_end_matches('/');
    matches!(path, "" | "v1" | "v2") && host == key
}

fn entry_of(credential: &Credential) -> Map<String, Value> {
    let mut entry = Map::new();
    let mut put = |name: &str, text: &str| entry.insert(name.to_owned(), Value::String(text.to_owned()));
    match credential {
        Credential::Basic { username, password } => {
            put("auth", &BASE64.encode(format!("{username}:{}", password.expose())));
        }
        Credential::IdentityToken { username, token } => {
            put("auth", &BASE64.encode(format!("{username}:")));
            put("identitytoken", token.expose());
        }
        Credential::RegistryToken(token) => {
            put("registrytoken", token.expose());
        }
    }
    entry
}

const CONFIG_FILE_BYTES_MAX: u64 = 4 << 20;

#[cfg(test)]
mod tests;
