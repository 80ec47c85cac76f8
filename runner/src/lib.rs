//! An OCI runtime as a library: a bundle in, an exit status out.
//!
//! [`run`] takes a root filesystem and an OCI runtime configuration and runs the container in the foreground;
//! [`Runtime::start`] does the same without waiting for the end. The crate knows nothing of images or of a store: it is
//! given directories. [`default`] makes the configuration that people expect of a container.
//!
//! A container is started by a helper, a fresh and single-threaded process of the same program, so `main` has to call
//! [`helper_entry`] before anything else. The helper makes the namespaces with one call, the container's first process
//! makes mounts, terminal and credentials by file descriptor and becomes the program. Each failed step comes back
//! as a [`SetupError`] that says which step it was and on what.
//!
//! *Invariant:* nothing that an image holds is followed out of its root file system, and a container with a pid
//! namespace of its own never outlives its caller.
//!
//! ```no_run
//! use tug_runner::{Bundle, Cancel, Rootfs, Stdio, default::Builder};
//!
//! tug_runner::helper_entry();
//! let spec = Builder::new(["sh", "-c", "echo hello"]).build();
//! let bundle = Bundle { rootfs: Rootfs::Dir("/srv/rootfs".into()), spec };
//! let status = tug_runner::run(&bundle, Stdio::Inherit, &Cancel::new())?;
//! assert!(status.success());
//! # Ok::<(), tug_runner::RunError>(())
//! ```

mod bundle;
mod cancel;
pub mod default;
mod executable;
mod exit;
mod helper;
mod lower;
pub mod network;
mod plan;
mod runtime;
mod seccomp;
mod setup;
mod stdio;
mod sys;
pub mod terminal;
mod wire;

pub use bundle::{Bundle, Rootfs};
pub use cancel::Cancel;
pub use exit::ExitStatus;
pub use helper::helper_entry;
pub use lower::LowerError;
pub use oci_spec::runtime as spec;
pub use runtime::{Container, RunError, Runtime, run};
pub use seccomp::CompileError;
pub use setup::{Cause, SetupError, Step};
pub use stdio::Stdio;
