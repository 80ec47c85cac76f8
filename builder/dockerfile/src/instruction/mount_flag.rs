//! `--mount` of `RUN`: its fields as written, and the mount they mean once variables have their values.

use crate::diagnostic::Diagnostic;
use crate::expand::ExpandError;
use crate::instruction::mount::{CacheSharing, KEYS, KINDS, Mount, MountError, MountKind, Ownership};
use crate::value;
use crate::word::Word;

/// A `--mount` flag, before expansion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountFlag {
    /// The flag's value as written.
    pub value: Word,
    /// Its fields: `key=value` or `key`, in order.
    pub fields: Vec<MountField>,
}

/// A field of a `--mount` flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountField {
    /// The key, in lower case.
    pub key: String,
    /// The value, before expansion.
    pub value: Option<String>,
}

impl MountFlag {
    /// The mount that the flag means, its values put through `expand`.
    pub fn resolve(&self, expand: &dyn Fn(&str) -> Result<String, ExpandError>) -> Result<Mount, MountError> {
        let mut fields = Fields::default();
        for MountField { key, value } in &self.fields {
            let value = value.as_deref().map(expand).transpose();
            let value = value.map_err(|source| MountError::Expand { key: key.clone(), source })?;
            fields.take(key, value)?;
        }
        fields.mount()
    }

    /// What there is to say when [`MountFlag::resolve`] failed.
    pub fn diagnostic(&self, error: &MountError) -> Diagnostic {
        let message = match error {
            MountError::Expand { source, .. } => format!("{error}: {source}"),
            _ => error.to_string(),
        };
        Diagnostic::error(self.value.span, message).with_help(error.help())
    }

    /// The stage, image or named context that it mounts from, which never holds variables.
    pub fn from(&self) -> Option<&str> {
        let field = self.fields.iter().rfind(|field| field.key == "from")?;
        field.value.as_deref().filter(|from| !from.is_empty())
    }
}

/// The fields that were given, whatever the kind.
#[derive(Default)]
struct Fields {
    kind: Option<String>,
    from: Option<String>,
    source: Option<String>,
    target: Option<String>,
    id: Option<String>,
    env: Option<String>,
    read_only: Option<bool>,
    required: Option<bool>,
    size: Option<u64>,
    sharing: Option<CacheSharing>,
    ownership: Ownership,
}

impl Fields {
    fn take(&mut self, key: &str, value: Option<String>) -> Result<(), MountError> {
        let Some(text) = value else { return self.take_switch(key) };
        let invalid = |key| MountError::InvalidValue { key, value: text.clone() };
        match key {
            "type" => self.kind = Some(text.to_ascii_lowercase()),
            "from" => self.from = Some(text),
            "source" | "src" => self.source = Some(text),
            "target" | "dst" | "destination" => self.target = Some(text),
            "id" => self.id = Some(text),
            "env" => self.env = Some(text),
            "readonly" | "ro" => {
                self.read_only = Some(value::truth(&text).ok_or_else(|| invalid("readonly"))?);
            }
            "readwrite" | "rw" => {
                self.read_only = Some(!value::truth(&text).ok_or_else(|| invalid("readwrite"))?);
            }
            "required" => self.required = Some(value::truth(&text).ok_or_else(|| invalid("required"))?),
            "size" => self.size = Some(value::size(&text).ok_or_else(|| invalid("size"))?),
            "sharing" => self.sharing = Some(sharing(&text).ok_or_else(|| invalid("sharing"))?),
            "mode" => {
                let mode = u32::from_str_radix(&text, 8).map_err(|_| invalid("mode"))?;
                self.ownership.mode = Some(mode);
            }
            "uid" => self.ownership.uid = Some(text.parse().map_err(|_| invalid("uid"))?),
            "gid" => self.ownership.gid = Some(text.parse().map_err(|_| invalid("gid"))?),
            _ => return Err(MountError::UnknownKey { key: key.to_owned() }),
        }
        Ok(())
    }

    fn take_switch(&mut self, key: &str) -> Result<(), MountError> {
        match key {
            "readonly" | "ro" => self.read_only = Some(true),
            "readwrite" | "rw" => self.read_only = Some(false),
            "required" => self.required = Some(true),
            _ if KEYS.contains(&key) => return Err(MountError::MissingValue { key: key.to_owned() }),
            _ => return Err(MountError::UnknownKey { key: key.to_owned() }),
        }
        Ok(())
    }

    fn mount(self) -> Result<Mount, MountError> {
        let kind = self.kind.as_deref().unwrap_or("bind");
        let kind = KINDS.iter().copied().find(|known| *known == kind);
        let Some(kind) = kind else {
            let value = self.kind.unwrap_or_default();
            return Err(MountError::InvalidValue { key: "type", value });
        };
        self.check(kind)?;
        let read_only = self.read_only.unwrap_or(!matches!(kind, "cache" | "tmpfs"));
        let named = |text: Option<String>| text.filter(|text| !text.is_empty());
        let (from, source, id) = (named(self.from), named(self.source), named(self.id));
        let required = self.required.unwrap_or_default();
        let ownership = self.ownership;
        let target = named(self.target);
        let kind = match kind {
            "cache" => {
                MountKind::Cache { id, from, source, sharing: self.sharing.unwrap_or_default(), ownership }
            }
            "tmpfs" => MountKind::Tmpfs { size: self.size },
            "secret" => MountKind::Secret { id: source.or(id), env: self.env, required, ownership },
            "ssh" => MountKind::Ssh { id, required, ownership },
            _ => MountKind::Bind { from, source },
        };
        Ok(Mount { target, read_only, kind })
    }

    /// Whether the kind has all the fields that were given.
    fn check(&self, kind: &'static str) -> Result<(), MountError> {
        let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let named = matches!(kind, "secret" | "ssh");
        let owned = named || kind == "cache";
        let wrong = [
            ("mode", self.ownership.mode.is_some() && !owned),
            ("uid", self.ownership.uid.is_some() && !owned),
            ("gid", self.ownership.gid.is_some() && !owned),
            ("required", self.required.is_some() && !named),
            ("size", self.size.is_some() && kind != "tmpfs"),
            ("sharing", self.sharing.is_some() && kind != "cache"),
            ("from", given(&self.from) && kind == "secret"),
        ];
        if let Some((key, _)) = wrong.into_iter().find(|(_, wrong)| *wrong) {
            return Err(MountError::NotForKind { key, kind });
        }
        match (kind, given(&self.source), given(&self.id), given(&self.target)) {
            ("secret", true, true, _) => Err(MountError::TwoNames),
            ("secret", false, false, false) => Err(MountError::NamelessSecret),
            _ => Ok(()),
        }
    }
}

fn sharing(text: &str) -> Option<CacheSharing> {
    match text.to_ascii_lowercase().as_str() {
        "shared" => Some(CacheSharing::Shared),
        "private" => Some(CacheSharing::Private),
        "locked" => Some(CacheSharing::Locked),
        _ => None,
    }
}
