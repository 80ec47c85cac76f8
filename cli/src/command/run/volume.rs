//! `--volume`: what of this machine is shown in the container.

use std::path::PathBuf;

/// A bind mount, or an anonymous volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Volume {
    /// Of this machine; `None` for an empty directory that goes with the container.
    pub(super) source: Option<PathBuf>,
    /// In the container, absolute.
    pub(super) target: String,
    /// Whether it may be written.
    pub(super) access: Access,
}

/// Whether a mount may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    ReadOnly,
    ReadWrite,
}

impl Volume {
    /// Reads `SOURCE:TARGET[:OPTIONS]` or `TARGET`.
    pub(super) fn parse(text: &str) -> Result<Volume, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, options) = match parts.as_slice() {
            [target] => (None, *target, ""),
            [source, target] => (Some(*source), *target, ""),
            [source, target, options] => (Some(*source), *target, *options),
            _ => return Err("write SOURCE:TARGET[:ro]".to_owned()),
        };
        if !target.starts_with('/') {
            return Err(format!("target {target:?} is not absolute"));
        }
        let source = match source {
            Some("") => return Err("the source is empty".to_owned()),
            Some(path) if path.starts_with(['/', '.', '~']) => Some(PathBuf::from(path)),
            Some(name) => {
                return Err(format!(
                    "named volumes such as {name:?} are not kept yet: write ./{name} for a directory"
                ));
            }
            None => None,
        };
        let mut access = Access::ReadWrite;
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option {
                "ro" | "readonly" => access = Access::ReadOnly,
                // Labels for SELinux and propagation hints change nothing here.
                "rw" | "z" | "Z" | "rprivate" | "private" | "cached" | "delegated" | "consistent" => {}
                other => return Err(format!("option {other:?} is not known; there are ro and rw")),
            }
        }
        Ok(Volume { source, target: target.to_owned(), access })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let bind =
            |source: &str, access| Volume { source: Some(source.into()), target: "/b".to_owned(), access };
        assert_eq!(Volume::parse("/a:/b"), Ok(bind("/a", Access::ReadWrite)));
        assert_eq!(Volume::parse("./a:/b:ro,z"), Ok(bind("./a", Access::ReadOnly)));
        let anonymous = Volume { source: None, target: "/b".to_owned(), access: Access::ReadWrite };
        assert_eq!(Volume::parse("/b"), Ok(anonymous));
    }

    #[test]
    fn mistakes() {
        for text in ["", "a", "/a:b", ":/b", "data:/b", "/a:/b:rx", "/a:/b:ro:x"] {
            assert!(Volume::parse(text).is_err(), "{text}");
        }
    }
}
