//! Arguments → what the builder is asked.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tug_builder::{BuildRequest, CacheUse, DockerfileSource, Network, PullPolicy, Secret};

use super::Args;
use super::flag::{From, SecretSource};
use crate::command_error::{Attempt, CommandError};
use crate::context::Context;
use crate::diagnostic::Diagnostic;

/// A request, and the empty directory that stands for a context where there is none.
pub(super) struct Prepared {
    pub(super) request: BuildRequest,
    _empty: Option<TempDir>,
}

/// Reads the Dockerfile and puts the request together.
pub(super) fn prepare(args: &Args, context: &Context) -> Result<Prepared, CommandError> {
    let (directory, empty) = match args.context.as_os_str() == "-" {
        true => {
            let empty = tempfile::tempdir().trying(|| "cannot make an empty build context")?;
            (empty.path().to_owned(), Some(empty))
        }
        false => (check_context(&args.context)?, None),
    };
    let dockerfile = match (&args.file, &empty) {
        (None, Some(_)) => read_stdin()?,
        (Some(_), Some(_)) => {
            let told = Diagnostic::new("a context on the standard input cannot be combined with --file");
            return Err(told
                .hint("`tug build -f - PATH` reads the Dockerfile from the standard input")
                .into());
        }
        (Some(file), None) if file.as_os_str() == "-" => read_stdin()?,
        (Some(file), None) => read_dockerfile(file)?,
        (None, None) => read_dockerfile(&default_file(&directory))?,
    };
    let mut request = BuildRequest::new(directory, dockerfile);
    request.build_args = build_args(&args.build_arg, context);
    request.labels = labels(&args.label);
    request.target.clone_from(&args.target);
    request.platform.clone_from(&args.platform);
    request.cache = match (args.no_cache, args.no_cache_filter.as_slice()) {
        (true, _) => CacheUse::Nothing,
        (false, []) => CacheUse::All,
        (false, stages) => CacheUse::AllBut(stages.iter().map(|stage| stage.to_ascii_lowercase()).collect()),
    };
    request.contexts = args.build_context.iter().cloned().collect();
    request.extra_hosts.clone_from(&args.add_host);
    request.hostname.clone_from(&args.hostname);
    request.shm_size = args.shm_size;
    request.ulimits.clone_from(&args.ulimit);
    for source in &args.secret {
        request.secrets.insert(source.id.clone(), secret(source, context)?);
    }
    request.pull = if args.pull { PullPolicy::Always } else { PullPolicy::Missing };
    request.network = match args.network {
        super::Network::Default => Network::Default,
        super::Network::Host => Network::Host,
        super::Network::None => Network::None,
    };
    request.source_date_epoch = context.source_date_epoch()?;
    Ok(Prepared { request, _empty: empty })
}

fn check_context(path: &Path) -> Result<PathBuf, CommandError> {
    let shown = path.display();
    let text = path.to_string_lossy();
    if text.contains("://") || text.starts_with("git@") {
        let told =
            Diagnostic::new(format!("{shown} is no directory: contexts from elsewhere are not fetched yet"));
        return Err(told.hint("fetch it first, then build the directory").into());
    }
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(path.to_owned()),
        Ok(_) => {
            let told = Diagnostic::new(format!("the build context {shown} is no directory"));
            Err(told.hint("a Dockerfile is named with -f: `tug build -f FILE DIRECTORY`").into())
        }
        Err(error) => {
            Err(Diagnostic::new(format!("cannot open the build context {shown}")).caused_by(&error).into())
        }
    }
}

/// `Dockerfile`; `dockerfile` where only that is there.
fn default_file(directory: &Path) -> PathBuf {
    let usual = directory.join("Dockerfile");
    let lower = directory.join("dockerfile");
    if !usual.exists() && lower.exists() { lower } else { usual }
}

fn read_dockerfile(path: &Path) -> Result<DockerfileSource, CommandError> {
    let attempt = || format!("cannot read the Dockerfile {}", path.display());
    let file = fs::File::open(path).map_err(|error| {
        let mut diagnostic = Diagnostic::new(attempt()).caused_by(&error);
        if error.kind() == io::ErrorKind::NotFound {
            diagnostic = diagnostic.hint("-f names another file, `-f -` reads the standard input");
        }
        CommandError::from(diagnostic)
    })?;
    let bytes = read_limited(file, &path.display().to_string())?;
    let mut ignore = path.as_os_str().to_owned();
    ignore.push(".dockerignore");
    let ignore = match fs::read(&ignore) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            return Err(error).trying(|| format!("cannot read {}", PathBuf::from(&ignore).display()));
        }
    };
    let name = path.strip_prefix("./").unwrap_or(path).display().to_string();
    Ok(DockerfileSource { name, bytes, ignore })
}

fn read_stdin() -> Result<DockerfileSource, CommandError> {
    let bytes = read_limited(io::stdin().lock(), "the standard input")?;
    if bytes.get(257..262) == Some(b"ustar") || bytes.starts_with(&[0x1f, 0x8b]) {
        let told = Diagnostic::new("the standard input holds an archive, not a Dockerfile");
        return Err(told.hint("unpack it, and build the directory").into());
    }
    Ok(DockerfileSource { name: "Dockerfile".to_owned(), bytes, ignore: None })
}

fn read_limited(reader: impl Read, name: &str) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    reader.take(DOCKERFILE_BYTES_MAX + 1).read_to_end(&mut bytes).trying(|| format!("cannot read {name}"))?;
    match bytes.len() as u64 > DOCKERFILE_BYTES_MAX {
        true => Err(Diagnostic::new(format!(
            "{name} is larger than any Dockerfile ({DOCKERFILE_BYTES_MAX} bytes)"
        ))
        .into()),
        false => Ok(bytes),
    }
}

/// `NAME=value`; a name alone takes the environment's value, if it has one.
fn build_args(given: &[String], context: &Context) -> BTreeMap<String, String> {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) => Some((name.to_owned(), value.to_owned())),
        None => Some((text.clone(), context.env.get(text)?.clone())),
    };
    given.iter().filter_map(pair).collect()
}

fn secret(source: &SecretSource, context: &Context) -> Result<Secret, CommandError> {
    let missing = |what: String| Diagnostic::new(format!("secret {:?}: {what}", source.id));
    let variable = |name: &str| context.env.get(name).map(|value| Secret(value.clone().into_bytes()));
    let path = match &source.from {
        From::Variable(name) => {
            return variable(name).ok_or_else(|| missing(format!("the variable {name} is not set")).into());
        }
        From::Either => match variable(&source.id) {
            Some(secret) => return Ok(secret),
            None => PathBuf::from(&source.id),
        },
        From::File(path) => path.clone(),
    };
    let attempt = || format!("cannot read {}", path.display());
    let file = fs::File::open(&path).trying(attempt)?;
    let mut bytes = Vec::new();
    file.take(SECRET_BYTES_MAX + 1).read_to_end(&mut bytes).trying(attempt)?;
    match bytes.len() as u64 > SECRET_BYTES_MAX {
        true => Err(missing(format!("{} is larger than {SECRET_BYTES_MAX} bytes", path.display())).into()),
        false => Ok(Secret(bytes)),
    }
}

fn labels(given: &[String]) -> BTreeMap<String, String> {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (text.clone(), String::new()),
    };
    given.iter().map(pair).collect()
}

/// As in BuildKit.
const SECRET_BYTES_MAX: u64 = 500 << 10;
const DOCKERFILE_BYTES_MAX: u64 = 16 << 20;
