//! Platforms (image spec, "Image Index", property `platform`), normalised as containerd does.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An operating system and a processor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// GOARCH name: `amd64`, `arm64`, …
    pub architecture: String,
    /// GOOS name: `linux`, …
    pub os: String,
    /// Windows build number.
    #[serde(rename = "os.version", default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// Features the image needs of the system.
    #[serde(rename = "os.features", default, skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
    /// Processor variant: `v7`, `v8`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// A platform without version, features or variant.
    pub fn new(os: impl Into<String>, architecture: impl Into<String>) -> Platform {
        Platform {
            architecture: architecture.into(),
            os: os.into(),
            os_version: None,
            os_features: Vec::new(),
            variant: None,
        }
    }

    /// The platform this binary was compiled for.
    pub fn host() -> Platform {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "x86" => "386",
            "aarch64" => "arm64",
            "powerpc64" => "ppc64le",
            other => other,
        };
        Platform::new("linux", architecture)
    }

    /// Whether an image for `self` runs where `wanted` is asked for. An absent variant fits the architecture's
    /// usual one (arm64 is v8, arm is v7).
    pub fn satisfies(&self, wanted: &Platform) -> bool {
        self.os == wanted.os
            && self.architecture == wanted.architecture
            && self.usual_variant() == wanted.usual_variant()
    }

    fn usual_variant(&self) -> Option<&str> {
        match (self.architecture.as_str(), self.variant.as_deref()) {
            ("arm64", None) => Some("v8"),
            ("arm", None) => Some("v7"),
            ("amd64", Some("v1")) => None,
            (_, variant) => variant,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

/// Why a text is no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("platform {0:?} is malformed; write os/architecture[/variant], for example linux/arm64")]
pub struct ParsePlatformError(String);

impl FromStr for Platform {
    type Err = ParsePlatformError;

    fn from_str(text: &str) -> Result<Platform, ParsePlatformError> {
        let (text_without, os_version) = split_version(text)?;
        let parts: Vec<&str> = text_without.split('/').collect();
        let word = |part: &&str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        };
        if parts.is_empty() || parts.len() > 3 || !parts.iter().all(word) {
            return Err(ParsePlatformError(text.to_owned()));
        }
        let lower: Vec<String> = parts.iter().map(|part| part.to_ascii_lowercase()).collect();
        let (os, machine, variant) = match lower.as_slice() {
            [one] if is_os(one) => (one.clone(), Platform::host().architecture, None),
            [one] => ("linux".to_owned(), one.clone(), None),
            [os, machine] => (os.clone(), machine.clone(), None),
            [os, machine, variant, ..] => (os.clone(), machine.clone(), Some(variant.clone())),
            [] => return Err(ParsePlatformError(text.to_owned())),
        };
        let (architecture, variant) = normal_architecture(machine, variant);
        Ok(Platform { architecture, os, os_version, os_features: Vec::new(), variant })
    }
}

/// Takes the version off that may stand behind the operating system: `windows(10.0.20348)/amd64`.
fn split_version(text: &str) -> Result<(String, Option<String>), ParsePlatformError> {
    let wrong = || ParsePlatformError(text.to_owned());
    let (os, rest) = text.split_once('/').map_or((text, None), |(os, rest)| (os, Some(rest)));
    let Some((name, version)) = os.split_once('(') else {
        return Ok((text.to_owned(), None));
    };
    let word = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    let fits = |version: &&str| !version.is_empty() && version.bytes().all(word);
    let version = version.strip_suffix(')').filter(fits).ok_or_else(wrong)?;
    let name = rest.map_or_else(|| name.to_owned(), |rest| format!("{name}/{rest}"));
    Ok((name, Some(version.to_owned())))
}

fn is_os(word: &str) -> bool {
    matches!(word, "linux" | "windows" | "darwin" | "freebsd" | "netbsd" | "openbsd" | "solaris" | "wasi")
}

fn normal_architecture(machine: String, variant: Option<String>) -> (String, Option<String>) {
    match (machine.as_str(), variant.as_deref()) {
        ("x86_64" | "x86-64" | "amd64", None | Some("v1")) => ("amd64".into(), None),
        ("x86_64" | "x86-64", _) => ("amd64".into(), variant),
        ("i386" | "i486" | "i586" | "i686", _) => ("386".into(), None),
        ("aarch64" | "arm64", None | Some("8" | "v8")) => ("arm64".into(), None),
        ("aarch64", _) => ("arm64".into(), variant),
        ("armhf", _) => ("arm".into(), Some("v7".into())),
        ("armel", _) => ("arm".into(), Some("v6".into())),
        ("arm", None) => ("arm".into(), Some("v7".into())),
        ("arm", Some("5" | "6" | "7" | "8")) => (machine, variant.map(|digit| format!("v{digit}"))),
        _ => (machine, variant),
    }
}
