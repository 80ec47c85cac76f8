//! What a build needs from outside: processes, images, and somebody to tell.

use std::error::Error;
use std::path::PathBuf;

use tug_oci::{Platform, Reference};
use tug_store::Store;
use tug_store::image::Image;

use crate::request::{Network, PullPolicy};
use tug_solver::Cancel;

/// What a build needs from outside.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// Where everything is kept.
    pub store: &'a Store,
    /// Runs processes.
    pub executor: &'a dyn Executor,
    /// Finds images.
    pub images: &'a dyn ImageSource,
    /// Is told how it goes.
    pub events: &'a dyn Events,
}

/// Runs processes in a root made of layers.
pub trait Executor: Sync {
    /// Runs one step to its end. Whatever the process wrote goes to `output` as it comes.
    fn exec(
        &self,
        step: &ExecStep,
        output: &dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<ExecOutcome, ExecError>;
}

/// Takes what a process writes.
pub trait OutputSink: Sync {
    /// Some bytes of a stream; not necessarily whole lines.
    fn write(&self, stream: Stream, bytes: &[u8]);
}

/// A process's output stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A process to run, and the root to run it in.
#[derive(Clone, Debug)]
pub struct ExecStep {
    /// Read-only directories of the overlay root, top first; empty when the root is only `upper`.
    pub lowers: Vec<PathBuf>,
    /// What the process writes.
    pub upper: PathBuf,
    /// Overlay's work directory.
    pub work: PathBuf,
    /// Program and arguments; a program without slash is looked up in the step's own `PATH`.
    pub args: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// Where it starts; exists or is to be made.
    pub cwd: String,
    /// Who it runs as.
    pub user: tug_oci::user::UserIds,
    /// Its network.
    pub network: Network,
    /// Its host name.
    pub hostname: String,
    /// More lines for `/etc/hosts`: name, address.
    pub extra_hosts: Vec<(String, String)>,
    /// Whether the process gets all privileges.
    pub security: Security,
    /// What is mounted into the root, in order. Targets that are not there are made for the time of the step.
    pub mounts: Vec<ExecMount>,
    /// `/etc/resolv.conf` and `/etc/hosts` for the time of the step.
    pub host_files: HostFiles,
    /// Bytes of `/dev/shm`, when not the usual.
    pub shm_size: Option<u64>,
    /// Resource limits: name (`nofile`), soft, hard.
    pub ulimits: Vec<(String, u64, u64)>,
}

/// How a step is held in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Isolated as every step.
    Sandbox,
    /// With all privileges.
    Insecure,
}

/// Whether the step sees files that name its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostFiles {
    /// It does.
    Provide,
    /// The root's own stay as they are.
    Leave,
}

/// Something mounted into a step's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecMount {
    /// An absolute path in the root.
    pub target: String,
    /// What is mounted.
    pub source: ExecMountSource,
}

/// What is mounted into a step's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecMountSource {
    /// A file or directory of the host.
    Bind {
        /// Where it is.
        path: PathBuf,
        /// What the step may do there.
        access: Access,
    },
    /// An empty file system in memory.
    Tmpfs {
        /// Its size in bytes at most.
        size: Option<u64>,
    },
}

/// What a step may do in a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Look.
    ReadOnly,
    /// Change.
    ReadWrite,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecOutcome {
    /// Its exit code; 128 and the signal's number when a signal ended it.
    pub exit_code: i32,
}

/// Why a process did not run to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// Somebody asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// The sandbox could not be made, or the program could not be started in it.
    #[error("cannot start {program:?}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Finds images and brings their layers.
pub trait ImageSource: Sync {
    /// The image's manifest and config, from the store or a registry. Its layers need not be here.
    fn resolve(
        &self,
        reference: &Reference,
        platform: &Platform,
        policy: PullPolicy,
    ) -> Result<Image, ImageSourceError>;

    /// Brings the layers that are not in the store.
    fn fetch(&self, reference: &Reference, image: &Image) -> Result<(), ImageSourceError>;
}

/// Why an image cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageSourceError {
    /// It is nowhere.
    #[error("image {reference} not found")]
    NotFound {
        /// Its name.
        reference: String,
    },
    /// It could not be read or fetched.
    #[error("cannot get image {reference}")]
    Failed {
        /// Its name.
        reference: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Is told how the build goes. Nobody reads progress back from it.
pub trait Events: Sync {
    /// Something happened. Called from several threads.
    fn emit(&self, event: Event);
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A step is known. Ids count from 0 in the order of these events.
    Planned {
        /// The step.
        id: usize,
        /// As `[build 2/5] RUN make`.
        name: String,
    },
    /// A step runs.
    Started {
        /// The step.
        id: usize,
    },
    /// A step need not run.
    Cached {
        /// The step.
        id: usize,
    },
    /// A step's process wrote something.
    Log {
        /// The step.
        id: usize,
        /// Where to.
        stream: Stream,
        /// What; not necessarily whole lines.
        bytes: Vec<u8>,
    },
    /// A step is done.
    Done {
        /// The step.
        id: usize,
    },
    /// A step failed.
    Failed {
        /// The step.
        id: usize,
    },
    /// The Dockerfile has something that the author may want to know.
    Warning {
        /// In which line.
        place: crate::place::Place,
        /// What.
        message: String,
    },
}
