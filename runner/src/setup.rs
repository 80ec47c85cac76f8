//! What can go wrong while a container is set up: which step, on what, and why.

use std::fmt;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// A step of the set-up failed inside the helper.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, thiserror::Error)]
#[error("{step} {subject:?}: {cause}")]
pub struct SetupError {
    /// What was attempted.
    pub step: Step,
    /// The path or name that it was attempted on.
    pub subject: String,
    /// Why it failed.
    pub cause: Cause,
}

/// The steps of setting a container up.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub enum Step {
    /// Setting user, groups, or capabilities.
    Credentials,
    /// Making a device node or link in `/dev`.
    Device,
    /// Starting the process.
    Exec,
    /// Setting the host or domain name.
    Hostname,
    /// Making or joining namespaces.
    Namespace,
    /// Hiding a path, or making it read-only.
    Mask,
    /// Mounting on a target.
    Mount,
    /// Bringing up the loopback interface.
    Network,
    /// Setting a resource limit or the like.
    Limit,
    /// Making the root file system and changing to it.
    Rootfs,
    /// Loading the seccomp filter.
    Seccomp,
    /// Setting a kernel parameter.
    Sysctl,
    /// Making the terminal.
    Terminal,
    /// Changing to the working directory.
    WorkingDirectory,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Credentials => "set credentials",
            Step::Device => "make device",
            Step::Exec => "start process",
            Step::Hostname => "set host name",
            Step::Namespace => "enter namespace",
            Step::Mask => "protect path",
            Step::Mount => "mount on",
            Step::Network => "bring up interface",
            Step::Limit => "set limit",
            Step::Rootfs => "make root file system",
            Step::Seccomp => "load seccomp filter",
            Step::Sysctl => "set kernel parameter",
            Step::Terminal => "make terminal",
            Step::WorkingDirectory => "change to working directory",
        })
    }
}

/// Why a step failed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub enum Cause {
    /// The kernel refused, with this error number.
    Errno(i32),
    /// The kernel refused to make a file system, with this error number and explanation.
    Filesystem {
        /// The error number.
        errno: i32,
        /// The kernel's words.
        message: String,
    },
    /// The program is not in any directory of the search path.
    NotInSearchPath,
    /// The path leads out of the root file system.
    OutsideRoot,
    /// The target lies in procfs, where only few files may be replaced.
    Procfs,
    /// The image has a symbolic link where none may be.
    Symlink,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Errno(errno) => io::Error::from_raw_os_error(*errno).fmt(f),
            Cause::Filesystem { errno, message } => {
                write!(f, "{} ({message})", io::Error::from_raw_os_error(*errno))
            }
            Cause::NotInSearchPath => f.write_str("executable file not found in $PATH"),
            Cause::OutsideRoot => f.write_str("it lies outside of the root file system"),
            Cause::Procfs => f.write_str("mounts inside of /proc are refused"),
            Cause::Symlink => f.write_str("the image has a symbolic link there, which is refused"),
        }
    }
}

impl Step {
    /// Wraps an error of this step on a path.
    pub(crate) fn at<E: Into<io::Error>>(self, subject: &Path) -> impl FnOnce(E) -> SetupError {
        move |error| {
            let errno = error.into().raw_os_error().unwrap_or_default();
            self.failed(subject.to_string_lossy().into_owned(), Cause::Errno(errno))
        }
    }

    /// Wraps an error of this step on something that has a name but no path.
    pub(crate) fn on<E: Into<io::Error>>(self, subject: &str) -> impl FnOnce(E) -> SetupError {
        self.at(Path::new(subject))
    }

    pub(crate) fn failed(self, subject: impl Into<String>, cause: Cause) -> SetupError {
        SetupError { step: self, subject: subject.into(), cause }
    }
}
