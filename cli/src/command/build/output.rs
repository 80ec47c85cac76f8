//! `--output`: what is made of the result besides the image in the store.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// An export that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Output {
    /// What is written.
    pub(super) kind: OutputKind,
    /// Where to; `None` for the standard output.
    pub(super) dest: Option<PathBuf>,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutputKind {
    /// An OCI layout, as a tar.
    Oci,
    /// A docker archive.
    Docker,
    /// The files of the image, as a tar.
    Tar,
    /// The files of the image, as a directory.
    Local,
    /// Nothing: the image is in the store.
    Image,
    /// Nothing but that its names are pushed.
    Registry,
}

impl OutputKind {
    /// Whether something is written to `dest`.
    pub(super) fn writes(self) -> bool {
        !matches!(self, OutputKind::Image | OutputKind::Registry)
    }
}

impl Output {
    /// Reads `type=…,dest=…`, or a path alone: a directory, or `-` for a tar on the standard output.
    pub(super) fn parse(text: &str) -> Result<Output, String> {
        if !text.contains('=') {
            return Ok(match text {
                "" => return Err("is empty".to_owned()),
                "-" => Output { kind: OutputKind::Tar, dest: None },
                path => Output { kind: OutputKind::Local, dest: Some(path.into()) },
            });
        }
        let mut fields = BTreeMap::new();
        for field in text.split(',') {
            let (key, value) = field.split_once('=').ok_or_else(|| format!("{field:?} is not KEY=VALUE"))?;
            fields.insert(key.trim().to_ascii_lowercase(), value);
        }
        let kind = match fields.remove("type") {
            Some("oci") => OutputKind::Oci,
            Some("docker") => OutputKind::Docker,
            Some("tar") => OutputKind::Tar,
            Some("local") => OutputKind::Local,
            Some("image") if fields.remove("push") == Some("true") => OutputKind::Registry,
            Some("image") => OutputKind::Image,
            Some("registry") => OutputKind::Registry,
            Some(other) => {
                return Err(format!("type {other:?} is none of oci, docker, tar, local, image, registry"));
            }
            None => return Err("has no type=".to_owned()),
        };
        let dest = match fields.remove("dest") {
            None | Some("-") => None,
            Some(path) => Some(PathBuf::from(path)),
        };
        if let Some((unknown, _)) = fields.first_key_value() {
            return Err(format!("{unknown:?} is not known; there are type and dest"));
        }
        if kind == OutputKind::Local && dest.is_none() {
            return Err("type=local needs dest=DIRECTORY".to_owned());
        }
        Ok(Output { kind, dest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let rows = [
            ("type=oci,dest=a.tar", OutputKind::Oci, Some("a.tar")),
            ("type=tar", OutputKind::Tar, None),
            ("dest=x,type=local", OutputKind::Local, Some("x")),
            ("type=docker,dest=-", OutputKind::Docker, None),
            ("out", OutputKind::Local, Some("out")),
            ("-", OutputKind::Tar, None),
            ("type=image,push=true", OutputKind::Registry, None),
        ];
        for (text, kind, dest) in rows {
            assert_eq!(Output::parse(text), Ok(Output { kind, dest: dest.map(PathBuf::from) }), "{text}");
        }
    }

    #[test]
    fn mistakes() {
        for text in ["", "type=zip", "dest=x", "type=oci,dst=x", "type=local", "type=oci,dest"] {
            assert!(Output::parse(text).is_err(), "{text}");
        }
    }
}
