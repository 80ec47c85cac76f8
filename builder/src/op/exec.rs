//! Running a process.

use tug_dockerfile::instruction::{CacheSharing, mount::Ownership};
use tug_solver::KeyBuilder;

use crate::ports::Security;
use crate::request::Network;

/// Runs a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecOp {
    /// Program and arguments.
    pub args: Vec<String>,
    /// `NAME=value`, as the process gets it.
    pub env: Vec<String>,
    /// More of the environment, which is no part of the key: the proxies, which differ from network to network.
    pub proxies: Vec<String>,
    /// Where it starts.
    pub cwd: String,
    /// `user[:group]`; root when empty.
    pub user: String,
    /// Its network.
    pub network: Network,
    /// Whether it gets all privileges.
    pub security: Security,
    /// The host name, when one was asked for.
    pub hostname: Option<String>,
    /// Names and addresses for `/etc/hosts`.
    pub extra_hosts: Vec<(String, String)>,
    /// Bytes of `/dev/shm`.
    pub shm_size: Option<u64>,
    /// Resource limits.
    pub ulimits: Vec<(String, u64, u64)>,
    /// What is mounted, in order.
    pub mounts: Vec<OpMount>,
    /// Later times become this one.
    pub epoch: Option<i64>,
}

/// A mount of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpMount {
    /// Where.
    pub target: String,
    /// What.
    pub source: OpMountSource,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpMountSource {
    /// The one layer that an input is.
    Input {
        /// The input's number.
        input: usize,
        /// The path in it; empty for its root.
        path: String,
        /// Whether the process may write there; what it writes is thrown away.
        read_only: bool,
    },
    /// A folder that later builds find again.
    Cache(CacheMount),
    /// An empty file system in memory.
    Tmpfs {
        /// Its size in bytes at most.
        size: Option<u64>,
    },
    /// A secret.
    Secret(SecretMount),
    /// A file with this content, to be run.
    Script(String),
}

/// A folder that later builds find again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheMount {
    /// Its name. Data, never a path.
    pub id: String,
    /// The input that it starts from.
    pub input: Option<usize>,
    /// A path in it.
    pub source: String,
    /// Who else may use it.
    pub sharing: CacheSharing,
    /// Owner and mode when it is made.
    pub ownership: Ownership,
    /// Whether the process cannot write to it.
    pub read_only: bool,
    /// What is in it when the step begins.
    pub start: CacheStart,
}

/// What is in a cache mount when a step begins. No part of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheStart {
    /// What earlier steps left.
    Kept,
    /// Nothing, and nothing is kept: the build wants no cache.
    Empty,
}

/// A secret for a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretMount {
    /// Its name.
    pub id: String,
    /// As what the process sees it.
    pub target: SecretTarget,
    /// Whether the step fails without it.
    pub required: bool,
}

/// As what a process sees a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretTarget {
    /// A file at the mount's target.
    File(Ownership),
    /// A variable.
    Variable(String),
    /// Both.
    Both(Ownership, String),
}

impl ExecOp {
    pub(super) fn define(&self, key: &mut KeyBuilder) {
        key.texts(&self.args).texts(&self.env).text(&self.cwd).text(&self.user);
        key.text(network_name(self.network)).number(u64::from(self.security == Security::Insecure));
        super::option(key, self.hostname.as_deref());
        key.texts(self.extra_hosts.iter().map(|(name, address)| format!("{name}={address}")));
        super::option(key, self.shm_size.map(|size| size.to_string()).as_deref());
        key.texts(self.ulimits.iter().map(|(name, soft, hard)| format!("{name}={soft}:{hard}")));
        key.number(self.mounts.len() as u64);
        self.mounts.iter().for_each(|mount| mount.define(key));
        super::epoch(key, self.epoch);
    }
}

impl OpMount {
    fn define(&self, key: &mut KeyBuilder) {
        key.text(&self.target);
        match &self.source {
            OpMountSource::Input { input, path, read_only } => {
                key.text("input").number(*input as u64).text(path).number(u64::from(*read_only));
            }
            OpMountSource::Cache(cache) => {
                // What a cache holds is no part of the key; that there is one, and which, is.
                key.text("cache").text(&cache.id).text(&cache.source).number(u64::from(cache.read_only));
                super::option(key, cache.input.map(|input| input.to_string()).as_deref());
            }
            OpMountSource::Tmpfs { size } => {
                key.text("tmpfs");
                super::option(key, size.map(|size| size.to_string()).as_deref());
            }
            OpMountSource::Secret(secret) => {
                // Its value is no part of the key, so that a key that is passed on gives nothing away.
                key.text("secret").text(&secret.id).text(&format!("{:?}", secret.target));
            }
            OpMountSource::Script(content) => {
                key.text("script").text(content);
            }
        }
    }
}

fn network_name(network: Network) -> &'static str {
    match network {
        Network::Default => "default",
        Network::None => "none",
        Network::Host => "host",
    }
}
