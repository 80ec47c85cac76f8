//! The values of build flags that have a form of their own.

use std::path::PathBuf;

use tug_builder::NamedContext;

/// `--build-context NAME=…`: a directory, or `docker-image://REFERENCE`.
pub(super) fn build_context(text: &str) -> Result<(String, NamedContext), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=DIRECTORY or NAME=docker-image://IMAGE")?;
    let context = match value.strip_prefix("docker-image://") {
        Some("scratch") => NamedContext::Scratch,
        Some(image) => NamedContext::Image(image.parse().map_err(|error| format!("{error}"))?),
        None if value.contains("://") => {
            return Err("only directories and docker-image:// are known".to_owned());
        }
        None if value.is_empty() => return Err("the directory is empty".to_owned()),
        None => NamedContext::Directory(value.into()),
    };
    Ok((name.to_owned(), context))
}

/// `--add-host NAME:ADDRESS` (or `NAME=ADDRESS`).
pub(super) fn add_host(text: &str) -> Result<(String, String), String> {
    let (name, address) = text.split_once(['=', ':']).ok_or("write NAME:ADDRESS")?;
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<std::net::IpAddr>() {
        Ok(_) if !name.is_empty() => Ok((name.to_owned(), bare.to_owned())),
        _ => Err(format!("{address:?} is no address: write NAME:ADDRESS")),
    }
}

/// A size in bytes, or with one of the units b, k, m, g.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match lower[digits.len()..].trim_end_matches("ib") {
        "" | "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        unit => return Err(format!("unit {unit:?} is none of b, k, m, g")),
    };
    let number: u64 = digits.parse().map_err(|_| format!("{text:?} is no size; write 64m"))?;
    number.checked_mul(1 << shift).ok_or_else(|| format!("{text:?} is too large"))
}

/// `--ulimit NAME=SOFT[:HARD]`.
pub(super) fn ulimit(text: &str) -> Result<(String, u64, u64), String> {
    let (name, limits) = text.split_once('=').ok_or("write NAME=SOFT[:HARD]")?;
    let limit = |text: &str| match text {
        "-1" | "unlimited" => Ok(u64::MAX),
        text => text.parse().map_err(|_| format!("{text:?} is no number")),
    };
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    Ok((name.to_owned(), limit(soft)?, limit(hard)?))
}

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SecretSource {
    pub(super) id: String,
    pub(super) from: From,
}

/// A file, a variable, or whichever of the two has the secret's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum From {
    File(PathBuf),
    Variable(String),
    Either,
}

/// `--secret id=ID[,src=FILE|,env=NAME]`.
pub(super) fn secret(text: &str) -> Result<SecretSource, String> {
    let (mut id, mut from) = (None, From::Either);
    for field in text.split(',') {
        match field.split_once('=') {
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("src" | "source", path)) => from = From::File(path.into()),
            Some(("env", name)) => from = From::Variable(name.to_owned()),
            Some(("type", "file" | "env")) => {}
            _ => return Err(format!("{field:?} is none of id=, src=, env=")),
        }
    }
    let id = id.filter(|id| !id.is_empty()).ok_or("has no id=")?;
    Ok(SecretSource { id, from })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_limits() {
        for (text, expected) in
            [("64m", 64 << 20), ("1G", 1 << 30), ("100", 100), ("2kb", 2048), ("1MiB", 1 << 20)]
        {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        assert!(bytes("64x").is_err() && bytes("m").is_err() && bytes("99999999999g").is_err());
        assert_eq!(ulimit("nofile=1:2"), Ok(("nofile".to_owned(), 1, 2)));
        assert_eq!(ulimit("core=-1"), Ok(("core".to_owned(), u64::MAX, u64::MAX)));
        assert!(ulimit("nofile").is_err() && ulimit("nofile=x").is_err());
    }

    #[test]
    fn hosts_contexts_and_secrets() {
        assert_eq!(add_host("db:192.0.2.1"), Ok(("db".to_owned(), "192.0.2.1".to_owned())));
        assert_eq!(add_host("db=[2001:db8::1]"), Ok(("db".to_owned(), "2001:db8::1".to_owned())));
        assert!(add_host("db:somewhere").is_err());
        let (name, context) = build_context("base=docker-image://app:1").unwrap();
        assert_eq!(name, "base");
        assert!(matches!(context, NamedContext::Image(_)));
        let scratch = build_context("base=docker-image://scratch").map(|(_, context)| context);
        assert_eq!(scratch, Ok(NamedContext::Scratch));
        assert!(build_context("x=git://y").is_err() && build_context("x").is_err());
        let file = From::File("t.txt".into());
        assert_eq!(secret("id=t,src=t.txt"), Ok(SecretSource { id: "t".to_owned(), from: file }));
        assert_eq!(secret("id=t,env=T").map(|secret| secret.from), Ok(From::Variable("T".to_owned())));
        assert!(secret("src=x").is_err() && secret("id=t,file=x").is_err());
    }
}
