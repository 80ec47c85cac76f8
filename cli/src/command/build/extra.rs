//! The flags of `build` that give it more to work with: other contexts, and what its steps see.

use std::path::PathBuf;

use tug_builder::{BuildRequest, CacheUse, NamedContext, Secret};

use crate::command_error::{Attempt, CommandError};
use crate::context::Context;
use crate::diagnostic::Diagnostic;

/// More contexts, and what the steps see.
#[derive(Debug, clap::Args)]
pub(super) struct Extra {
    /// Another source of files or base images under a name: a directory or docker-image://IMAGE (repeatable)
    #[arg(long, value_name = "NAME=SOURCE", value_parser = named_context)]
    build_context: Vec<(String, NamedContext)>,
    /// Do not use what earlier builds left of these stages (repeatable, or separated by commas)
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    no_cache_filter: Vec<String>,
    /// Give RUN steps that mount it a secret: id=ID[,src=FILE|,env=VARIABLE] (repeatable)
    #[arg(long, value_name = "SECRET", value_parser = secret)]
    secret: Vec<SecretSource>,
    /// Add a line to the steps' /etc/hosts (repeatable)
    #[arg(long, value_name = "NAME:ADDRESS", value_parser = host)]
    add_host: Vec<(String, String)>,
    /// Size of the steps' /dev/shm, such as 64m
    #[arg(long, value_name = "SIZE", value_parser = size)]
    shm_size: Option<u64>,
    /// Limit a resource of the steps, such as nofile=1024:2048 (repeatable)
    #[arg(long, value_name = "NAME=SOFT[:HARD]", value_parser = ulimit)]
    ulimit: Vec<(String, u64, u64)>,
}

impl Extra {
    /// Adds all of it to a request.
    pub(super) fn add_to(&self, request: &mut BuildRequest, context: &Context) -> Result<(), CommandError> {
        request.contexts = self.build_context.iter().cloned().collect();
        if !self.no_cache_filter.is_empty() && request.cache == CacheUse::All {
            let stages = self.no_cache_filter.iter().map(|stage| stage.to_lowercase());
            request.cache = CacheUse::AllBut(stages.collect());
        }
        for secret in &self.secret {
            request.secrets.insert(secret.id.clone(), secret.read(context)?);
        }
        request.extra_hosts.clone_from(&self.add_host);
        request.shm_size = self.shm_size;
        request.ulimits.clone_from(&self.ulimit);
        Ok(())
    }
}

/// A secret's name, and where its value is.
#[derive(Clone, Debug)]
struct SecretSource {
    id: String,
    place: SecretPlace,
}

#[derive(Clone, Debug)]
enum SecretPlace {
    File(PathBuf),
    Variable(String),
}

impl SecretSource {
    fn read(&self, context: &Context) -> Result<Secret, CommandError> {
        match &self.place {
            SecretPlace::File(path) => {
                let value = std::fs::read(path);
                value.map(Secret).trying(|| format!("cannot read secret {} from {}", self.id, path.display()))
            }
            SecretPlace::Variable(name) => match context.var(name) {
                Some(value) => Ok(Secret(value.as_bytes().to_vec())),
                None => {
                    let told = format!("secret {} is to come from {name}, which is not set", self.id);
                    Err(Diagnostic::new(told).into())
                }
            },
        }
    }
}

fn named_context(text: &str) -> Result<(String, NamedContext), String> {
    let wrong = "write NAME=DIRECTORY or NAME=docker-image://IMAGE";
    let (name, source) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or(wrong)?;
    let source = match source.split_once("://") {
        Some(("docker-image", image)) => {
            NamedContext::Image(image.parse().map_err(|error| format!("{error}"))?)
        }
        Some((scheme, _)) => return Err(format!("contexts from {scheme}:// are not fetched yet; {wrong}")),
        None if source.is_empty() => return Err(wrong.to_owned()),
        None => NamedContext::Directory(source.into()),
    };
    Ok((name.to_owned(), source))
}

fn secret(text: &str) -> Result<SecretSource, String> {
    let (mut id, mut file, mut variable, mut kind) = (None, None, None, None);
    for field in text.split(',') {
        match field.split_once('=') {
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("src" | "source", value)) => file = Some(PathBuf::from(value)),
            Some(("env", value)) => variable = Some(value.to_owned()),
            Some(("type", value @ ("file" | "env"))) => kind = Some(value),
            _ => return Err(format!("{field:?} is not known; write id=ID[,src=FILE|,env=VARIABLE]")),
        }
    }
    let id = id.filter(|id| !id.is_empty()).ok_or("a secret needs an id: id=ID[,src=FILE|,env=VARIABLE]")?;
    let place = match (file, variable, kind) {
        (Some(_), Some(_), _) => return Err("a secret comes from src or from env, not from both".to_owned()),
        // With type=env, Docker takes src for the variable's name.
        (Some(file), None, Some("env")) => SecretPlace::Variable(file.to_string_lossy().into_owned()),
        (Some(file), None, _) => SecretPlace::File(file),
        (None, Some(variable), _) => SecretPlace::Variable(variable),
        (None, None, Some("env")) => SecretPlace::Variable(id.clone()),
        (None, None, _) => SecretPlace::File(PathBuf::from(&id)),
    };
    Ok(SecretSource { id, place })
}

/// `NAME:ADDRESS`, or `NAME=ADDRESS`; an IPv6 address may stand in brackets.
fn host(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').or_else(|| text.split_once(':'));
    let (name, address) = pair.filter(|(name, _)| !name.is_empty()).ok_or("write NAME:ADDRESS")?;
    let address = address.trim_start_matches('[').trim_end_matches(']');
    match address.parse::<std::net::IpAddr>() {
        Ok(_) => Ok((name.to_owned(), address.to_owned())),
        Err(_) => Err(format!("{address:?} is no IP address")),
    }
}

/// A number of bytes with Docker's suffixes: `b`, `k`, `m`, `g`.
fn size(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match &lower[digits.len()..] {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err("write a number of bytes, or one with k, m or g".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| "write a number of bytes, or one with k, m or g")?;
    number.checked_shl(shift).filter(|bytes| bytes >> shift == number).ok_or_else(|| "too large".to_owned())
}

fn ulimit(text: &str) -> Result<(String, u64, u64), String> {
    let wrong = "write NAME=SOFT[:HARD], such as nofile=1024:2048";
    let (name, limits) = text.split_once('=').ok_or(wrong)?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let number = |text: &str| match text {
        "-1" | "unlimited" => Ok(u64::MAX),
        digits => digits.parse::<u64>().map_err(|_| wrong.to_owned()),
    };
    let (soft, hard) = (number(soft)?, number(hard)?);
    match soft <= hard {
        true => Ok((name.to_owned(), soft, hard)),
        false => Err(format!("the soft limit {soft} is above the hard one {hard}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{host, named_context, secret, size, ulimit};

    #[test]
    fn sizes_take_dockers_suffixes() {
        assert_eq!([size("64m"), size("1g"), size("10")], [Ok(64 << 20), Ok(1 << 30), Ok(10)]);
        assert!(size("m").is_err() && size("1x").is_err() && size("99999999999999999g").is_err());
    }

    #[test]
    fn limits_have_a_soft_and_a_hard_side() {
        assert_eq!(ulimit("nofile=10:20"), Ok(("nofile".to_owned(), 10, 20)));
        assert_eq!(ulimit("core=-1"), Ok(("core".to_owned(), u64::MAX, u64::MAX)));
        assert!(ulimit("nofile").is_err() && ulimit("nofile=20:10").is_err());
    }

    #[test]
    fn hosts_are_addresses() {
        assert_eq!(host("db:10.0.0.1"), Ok(("db".to_owned(), "10.0.0.1".to_owned())));
        assert_eq!(host("db:[::1]"), Ok(("db".to_owned(), "::1".to_owned())));
        assert!(host("db:elsewhere").is_err() && host("10.0.0.1").is_err());
    }

    #[test]
    fn what_is_no_secret_or_context_is_refused() {
        assert!(
            secret("src=x").is_err() && secret("id=a,src=b,env=c").is_err() && secret("id=a,mode=1").is_err()
        );
        assert!(secret("id=a").is_ok() && secret("id=a,env=B").is_ok());
        assert!(named_context("x").is_err() && named_context("x=git://y").is_err());
        assert!(named_context("x=.").is_ok() && named_context("x=docker-image://busybox").is_ok());
    }
}
