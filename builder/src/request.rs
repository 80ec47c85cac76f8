//! What is asked of a build.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tug_oci::{Platform, Reference};

/// All that decides a build. Made by the caller, who alone reads arguments and the environment.
#[derive(Clone, Debug)]
pub struct BuildRequest {
    /// The directory that `COPY` and `ADD` read.
    pub context: PathBuf,
    /// The Dockerfile.
    pub dockerfile: DockerfileSource,
    /// `--build-arg`.
    pub build_args: BTreeMap<String, String>,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// `--target`: a stage's name or number; the last stage when `None`.
    pub target: Option<String>,
    /// What the image is for; this machine when `None`.
    pub platform: Option<Platform>,
    /// `--build-context`.
    pub contexts: BTreeMap<String, NamedContext>,
    /// `--no-cache`, `--no-cache-filter`.
    pub cache: CacheUse,
    /// `--pull`.
    pub pull: PullPolicy,
    /// `--network`.
    pub network: Network,
    /// `SOURCE_DATE_EPOCH`, in seconds. A build argument of that name is heeded too.
    pub source_date_epoch: Option<i64>,
    /// `--secret`, by id.
    pub secrets: BTreeMap<String, Secret>,
    /// `--add-host`: name, address.
    pub extra_hosts: Vec<(String, String)>,
    /// The steps' host name.
    pub hostname: Option<String>,
    /// `--shm-size` in bytes.
    pub shm_size: Option<u64>,
    /// `--ulimit`: name, soft, hard.
    pub ulimits: Vec<(String, u64, u64)>,
    /// How many steps may run at once; the number of processors when `None`.
    pub parallelism: Option<std::num::NonZeroUsize>,
}

impl BuildRequest {
    /// A build of a context and a Dockerfile, with nothing else asked for.
    pub fn new(context: impl Into<PathBuf>, dockerfile: DockerfileSource) -> BuildRequest {
        BuildRequest {
            context: context.into(),
            dockerfile,
            build_args: BTreeMap::new(),
            labels: BTreeMap::new(),
            target: None,
            platform: None,
            contexts: BTreeMap::new(),
            cache: CacheUse::All,
            pull: PullPolicy::Missing,
            network: Network::Default,
            source_date_epoch: None,
            secrets: BTreeMap::new(),
            extra_hosts: Vec::new(),
            hostname: None,
            shm_size: None,
            ulimits: Vec::new(),
            parallelism: None,
        }
    }
}

/// A Dockerfile's bytes and what they are called.
#[derive(Clone, Debug)]
pub struct DockerfileSource {
    /// As the person named it, for messages.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Patterns for this Dockerfile alone (`<Dockerfile>.dockerignore`), when there are; they take the place of the
    /// context's `.dockerignore`.
    pub ignore: Option<Vec<u8>>,
}

/// Another source of files and base images, under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedContext {
    /// A directory.
    Directory(PathBuf),
    /// An image.
    Image(Reference),
    /// The empty image.
    Scratch,
}

/// Which cached results will do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CacheUse {
    /// All of them.
    #[default]
    All,
    /// Those of stages that are not named here (in lower case).
    AllBut(Vec<String>),
    /// None.
    Nothing,
}

/// When a registry is asked for an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// When the store does not have it.
    #[default]
    Missing,
    /// Always.
    Always,
}

/// The network of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Network {
    /// What the executor gives.
    #[default]
    Default,
    /// Only a loopback device.
    None,
    /// The host's.
    Host,
}

/// Something a step may see and nobody else.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}
