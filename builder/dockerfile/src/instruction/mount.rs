//! `--mount` of `RUN`: its fields as written, and the mount they mean once variables have their values.

use crate::expand::ExpandError;
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

/// A mount of a `RUN` step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where in the step's root; `None` where the kind has a default.
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
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MountError {
    /// A variable could not be expanded.
    #[error("cannot expand the value of {key:?} in --mount")]
    Expand {
        /// The field.
        key: String,
        /// Why.
        #[source]
        source: ExpandError,
    },
}

impl MountFlag {
    /// The mount that the flag means, its values put through `expand`.
    pub fn resolve(&self, expand: &dyn Fn(&str) -> Result<String, ExpandError>) -> Result<Mount, MountError> {
        let _ = expand;
        todo!("reads the fields")
    }
}
