//! `--mount` of `RUN`: its fields as written, and the mount they mean once variables have their values.

use crate::diagnostic::Diagnostic;
use crate::expand::ExpandError;
use crate::suggest;
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

const KINDS: [&str; 5] = ["bind", "cache", "tmpfs", "secret", "ssh"];

const SHARINGS: [&str; 3] = ["shared", "private", "locked"];

const KEYS: [&str; 19] = [
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
