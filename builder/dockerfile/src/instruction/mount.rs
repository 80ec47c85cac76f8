//! The mounts of a `RUN` step.

use crate::expand::ExpandError;
use crate::suggest;

/// A mount of a `RUN` step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where in the step's root, as written; `None` where it was not said.
    pub target: Option<String>,
    /// Whether the step cannot write to it.
    pub read_only: bool,
    /// What is mounted.
    pub kind: MountKind,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountKind {
    /// A part of the build context, a stage or an image. What the step writes there is thrown away.
    Bind {
        /// A stage, an image or a named context; `None` is the build context.
        from: Option<String>,
        /// A path in it; `None` is its root.
        source: Option<String>,
    },
    /// A folder that later builds find again.
    Cache {
        /// Its name; `None` is the target.
        id: Option<String>,
        /// What it holds at first: a stage, an image or a named context.
        from: Option<String>,
        /// A path in that.
        source: Option<String>,
        /// Who else may use it at the same time.
        sharing: CacheSharing,
        /// Owner and mode of the folder when it is made.
        ownership: Ownership,
    },
    /// An empty file system in memory.
    Tmpfs {
        /// Its size in bytes at most.
        size: Option<u64>,
    },
    /// A secret that the build was given, as a file or a variable.
    Secret {
        /// Its name (`id`, or else `source`); `None` is the target's last component.
        id: Option<String>,
        /// The variable that holds it; empty stands for the secret's name.
        env: Option<String>,
        /// Whether the step fails without it.
        required: bool,
        /// Owner and mode of the file.
        ownership: Ownership,
    },
    /// The socket of an SSH agent.
    Ssh {
        /// Its name; `None` is `default`.
        id: Option<String>,
        /// Whether the step fails without it.
        required: bool,
        /// Owner and mode of the socket.
        ownership: Ownership,
    },
}

/// Owner and mode, where they were given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ownership {
    /// Permission bits.
    pub mode: Option<u32>,
    /// User.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
}

/// Who may use a cache mount at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheSharing {
    /// Everybody.
    #[default]
    Shared,
    /// Each writer has its own.
    Private,
    /// One after the other.
    Locked,
}

/// Why a `--mount` flag means no mount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MountError {
    /// A variable could not be expanded.
    #[error("cannot expand the value of {key} in --mount")]
    Expand {
        /// The field.
        key: String,
        /// Why.
        #[source]
        source: ExpandError,
    },
    /// A field that no mount has.
    #[error("--mount has no field {key:?}")]
    UnknownKey {
        /// The field.
        key: String,
    },
    /// A field without the value that it needs.
    #[error("{key} in --mount needs a value")]
    MissingValue {
        /// The field.
        key: String,
    },
    /// A field with a value that it cannot have.
    #[error("{key} in --mount cannot be {value:?}")]
    InvalidValue {
        /// The field.
        key: &'static str,
        /// The value.
        value: String,
    },
    /// A field that the mount's kind does not have.
    #[error("a {kind} mount has no {key}")]
    NotForKind {
        /// The field.
        key: &'static str,
        /// The kind.
        kind: &'static str,
    },
    /// A secret without a name.
    #[error("a secret mount needs an id, a source or a target")]
    NamelessSecret,
    /// A secret with two names.
    #[error("a secret mount has an id or a source, not both")]
    TwoNames,
}

impl MountError {
    /// What to do about it, where something near comes to mind.
    pub fn help(&self) -> Option<String> {
        match self {
            MountError::UnknownKey { key } => suggest::did_you_mean(key, &KEYS),
            MountError::MissingValue { key } => Some(format!("write {key}=VALUE")),
            MountError::InvalidValue { key: "type", value } => Some(one_of(value, &KINDS)),
            MountError::InvalidValue { key: "sharing", value } => Some(one_of(value, &SHARINGS)),
            _ => None,
        }
    }
}

fn one_of(value: &str, names: &[&str]) -> String {
    suggest::did_you_mean(value, names).unwrap_or_else(|| format!("it is one of {}", names.join(", ")))
}

pub(super) const KINDS: [&str; 5] = ["bind", "cache", "tmpfs", "secret", "ssh"];

pub(super) const SHARINGS: [&str; 3] = ["shared", "private", "locked"];

pub(super) const KEYS: [&str; 19] = [
    "type",
    "from",
    "source",
    "src",
    "target",
    "dst",
    "destination",
    "id",
    "env",
    "readonly",
    "ro",
    "readwrite",
    "rw",
    "required",
    "size",
    "sharing",
    "mode",
    "uid",
    "gid",
];
