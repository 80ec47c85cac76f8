//! What the helper has to do, decided beforehand: plain data that crosses from the caller's process to the helper.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::bundle::Rootfs;

/// Everything that the helper needs to start a container.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Plan {
    pub(crate) rootfs: Rootfs,
    pub(crate) root_access: Access,
    pub(crate) namespaces: Namespaces,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) devices: Vec<Device>,
    pub(crate) masked_paths: Vec<PathBuf>,
    pub(crate) readonly_paths: Vec<PathBuf>,
    pub(crate) hostname: Option<String>,
    pub(crate) domainname: Option<String>,
    pub(crate) sysctls: Vec<(String, String)>,
    pub(crate) process: Process,
    pub(crate) seccomp: Option<Filter>,
}

/// Whether the container may write to a place.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Access {
    Readonly,
    Writable,
}

/// Namespaces to make and to join. What is in neither is shared with the caller.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Namespaces {
    /// `CLONE_NEW*` bits.
    pub(crate) new: u64,
    /// `CLONE_NEW*` bit and the file that stands for the namespace.
    pub(crate) joined: Vec<(u64, PathBuf)>,
}

/// One mount.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Mount {
    pub(crate) destination: PathBuf,
    pub(crate) kind: MountKind,
    /// `MOUNT_ATTR_*` of the mount itself.
    pub(crate) attributes: u64,
    pub(crate) cleared: u64,
    /// `MOUNT_ATTR_*` of the mount and all below it.
    pub(crate) recursive_attributes: u64,
    pub(crate) recursive_cleared: u64,
    /// `MS_*` of the propagation, or 0; with whether it goes for all mounts below.
    pub(crate) propagation: u64,
    pub(crate) propagation_recursive: bool,
}

/// What is mounted.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum MountKind {
    /// A file or directory of the host.
    Bind { source: PathBuf, depth: Depth },
    /// The container's control groups, in the host's layout.
    Cgroup,
    /// A new file system.
    Filesystem { name: String, source: String, options: Vec<(String, Option<String>)> },
}

/// Whether a bind mount takes the mounts below its source along.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Depth {
    Single,
    Recursive,
}

/// A device node in `/dev`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Device {
    pub(crate) path: PathBuf,
    pub(crate) kind: DeviceKind,
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// What kind of node a device is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum DeviceKind {
    Block,
    Character,
    Fifo,
}

/// The process to start.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Process {
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<String>,
    pub(crate) cwd: PathBuf,
    pub(crate) terminal: Option<ConsoleSize>,
    pub(crate) rlimits: Vec<Rlimit>,
    pub(crate) oom_score_adj: Option<i32>,
    pub(crate) personality: Option<u64>,
    pub(crate) privileges: Privileges,
    pub(crate) credentials: Credentials,
}

/// Rows and columns of a terminal that is to be made; zeros when unknown.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct ConsoleSize {
    pub(crate) rows: u16,
    pub(crate) columns: u16,
}

/// A resource limit by the kernel's number for the resource.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Rlimit {
    pub(crate) resource: u32,
    pub(crate) soft: u64,
    pub(crate) hard: u64,
}

/// Whether an exec may gain privileges.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Privileges {
    /// `no_new_privs` is set.
    Fixed,
    /// Set-user-ID programs and file capabilities work.
    MayGrow,
}

/// Who the process is.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Credentials {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
    pub(crate) umask: u32,
    pub(crate) capabilities: Capabilities,
}

/// The capability sets, a bit for each capability by the kernel's number.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Capabilities {
    pub(crate) bounding: u64,
    pub(crate) effective: u64,
    pub(crate) permitted: u64,
    pub(crate) inheritable: u64,
    pub(crate) ambient: u64,
}

/// A seccomp filter, ready to load.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Filter {
    /// Classic BPF, one instruction a word.
    pub(crate) program: Vec<u64>,
    /// `SECCOMP_FILTER_FLAG_*`.
    pub(crate) flags: u32,
}
