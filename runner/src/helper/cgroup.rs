//! The view that a container has of its control groups, in whichever layout the host has.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::libc;
use rustix::fs::{Mode, OFlags};

use super::filesystem;
use super::target::{self, Links};
use crate::setup::{SetupError, Step};
use crate::sys::{self, MountChange};

/// Whether the host has only the second version of control groups.
pub(super) fn is_unified() -> bool {
    rustix::fs::statfs("/sys/fs/cgroup").is_ok_and(|stat| stat.f_type == CGROUP2_SUPER_MAGIC)
}

/// Mounts each hierarchy of the first version, and the second's if the host has both, below `directory`.
pub(super) fn mount_hierarchies(root: BorrowedFd<'_>, directory: &Path) -> Result<(), SetupError> {
    let place = target::open(root, directory, Links::Refuse).map_err(Step::Mount.at(directory))?;
    let groups = std::fs::read_to_string("/proc/self/cgroup").map_err(Step::Mount.at(directory))?;
    for line in groups.lines().take(HIERARCHIES_MAX) {
        let Some(controllers) = line.split(':').nth(1) else { continue };
        let (name, filesystem, options) = hierarchy(controllers);
        let tree = filesystem::make((filesystem, "cgroup"), &options, (Step::Mount, directory))?;
        attach(&tree, &place, name).map_err(Step::Mount.at(&directory.join(name)))?;
    }
    Ok(())
}

fn attach(tree: &OwnedFd, directory: &OwnedFd, name: &str) -> std::io::Result<()> {
    rustix::fs::mkdirat(directory, name, Mode::from_raw_mode(0o755))?;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    sys::mount_setattr(tree.as_fd(), MountChange { set: ATTRIBUTES, ..Default::default() })?;
    Ok(filesystem::attach(tree, place.as_fd())?)
}

type Options = Vec<(String, Option<String>)>;

fn hierarchy(controllers: &str) -> (&str, &str, Options) {
    let flag = |name: &str| (name.to_owned(), None);
    match controllers.strip_prefix("name=") {
        _ if controllers.is_empty() => ("unified", "cgroup2", Vec::new()),
        Some(name) => (name, "cgroup", vec![flag("none"), ("name".to_owned(), Some(name.to_owned()))]),
        None => (controllers, "cgroup", controllers.split(',').map(flag).collect()),
    }
}

const ATTRIBUTES: u64 =
    libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;

const CGROUP2_SUPER_MAGIC: rustix::fs::FsWord = 0x6367_7270;

const HIERARCHIES_MAX: usize = 64;
