//! The mounts of the container: each is made detached, given its attributes, and put on a target found by descriptor.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::OpenTreeFlags;

use super::target::{self, Created, Kind, Links};
use super::{cgroup, filesystem};
use crate::plan::{Depth, Mount, MountKind};
use crate::setup::{Cause, SetupError, Step};
use crate::sys::{self, MountChange};

/// Makes all mounts, in order.
pub(super) fn mount_all(
    root: BorrowedFd<'_>,
    mounts: &[Mount],
    created: &mut Vec<Created>,
) -> Result<(), SetupError> {
    for mount in mounts {
        let destination = target::clean(&mount.destination);
        let tree = make(mount)?;
        let target = find_target(root, &destination, mount, created)?;
        refuse_procfs(&destination, &tree, &target)?;
        filesystem::attach(&tree, target.as_fd()).map_err(Step::Mount.at(&destination))?;
        if matches!(mount.kind, MountKind::Cgroup) && !cgroup::is_unified() {
            cgroup::mount_hierarchies(root, &destination)?;
        }
        change(&tree, mount).map_err(Step::Mount.at(&destination))?;
    }
    Ok(())
}

/// What the target of a mount has to be.
pub(super) fn kind_of(mount: &MountKind) -> Kind {
    match mount {
        MountKind::Bind { source, .. } if !source.is_dir() => Kind::File,
        _ => Kind::Directory,
    }
}

/// A detached copy of the mount at the place that `place` stands for.
pub(super) fn copy(place: BorrowedFd<'_>, depth: Depth) -> Result<OwnedFd, Errno> {
    let mut flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if depth == Depth::Recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    rustix::mount::open_tree(place, "", flags)
}

fn make(mount: &Mount) -> Result<OwnedFd, SetupError> {
    match &mount.kind {
        MountKind::Bind { source, depth } => {
            let place = target::open_host(source).map_err(Step::Mount.at(source))?;
            copy(place.as_fd(), *depth).map_err(Step::Mount.at(source))
        }
        MountKind::Cgroup if cgroup::is_unified() => {
            filesystem::make(("cgroup2", "cgroup"), &[], (Step::Mount, &mount.destination))
        }
        MountKind::Cgroup => {
            let options = [("mode".to_owned(), Some("755".to_owned()))];
            filesystem::make(("tmpfs", "cgroup"), &options, (Step::Mount, &mount.destination))
        }
        MountKind::Filesystem { name, source, options } => {
            filesystem::make((name, source), options, (Step::Mount, &mount.destination))
        }
    }
}

fn find_target(
    root: BorrowedFd<'_>,
    destination: &Path,
    mount: &Mount,
    created: &mut Vec<Created>,
) -> Result<OwnedFd, SetupError> {
    // What programs trust must be at its real place, so links on the way there are no option.
    let trusted = TRUSTED.iter().any(|trusted| destination.starts_with(trusted));
    let links = if trusted { Links::Refuse } else { Links::Follow };
    let kind = kind_of(&mount.kind);
    target::open_or_create(root, destination, (kind, links), created).map_err(|error| match error {
        Errno::LOOP => Step::Mount.failed(destination.to_string_lossy(), Cause::Symlink),
        error => Step::Mount.at(destination)(error),
    })
}

/// A mount in the place of procfs' files could deceive this runtime as well as the container's programs.
fn refuse_procfs(destination: &Path, tree: &OwnedFd, target: &OwnedFd) -> Result<(), SetupError> {
    let is_procfs =
        |fd: &OwnedFd| rustix::fs::fstatfs(fd).map(|stat| stat.f_type == rustix::fs::PROC_SUPER_MAGIC);
    let allowed = if destination == Path::new("/proc") {
        is_procfs(tree)
    } else if PROCFS_FILES.iter().any(|file| destination == Path::new(file)) {
        Ok(true)
    } else {
        is_procfs(target).map(|inside| !inside)
    };
    match allowed {
        Ok(true) => Ok(()),
        Ok(false) => Err(Step::Mount.failed(destination.to_string_lossy(), Cause::Procfs)),
        Err(error) => Err(Step::Mount.at(destination)(error)),
    }
}

fn change(tree: &OwnedFd, mount: &Mount) -> std::io::Result<()> {
    if mount.attributes != 0 || mount.cleared != 0 {
        let change = MountChange { set: mount.attributes, clear: mount.cleared, ..Default::default() };
        sys::mount_setattr(tree.as_fd(), change)?;
    }
    if mount.recursive_attributes != 0 || mount.recursive_cleared != 0 {
        let (set, clear) = (mount.recursive_attributes, mount.recursive_cleared);
        sys::mount_setattr(tree.as_fd(), MountChange { set, clear, recursive: true, propagation: 0 })?;
    }
    if mount.propagation != 0 {
        let change = MountChange {
            propagation: mount.propagation,
            recursive: mount.propagation_recursive,
            ..Default::default()
        };
        sys::mount_setattr(tree.as_fd(), change)?;
    }
    Ok(())
}

/// A file of the host, as a detached mount, if it is the device that it should be.
pub(super) fn host_device(path: &Path, major: u32, minor: u32) -> Result<OwnedFd, Errno> {
    let place = rustix::fs::openat(
        CWD,
        PathBuf::from(path),
        OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let stat = rustix::fs::fstat(&place)?;
    if stat.st_rdev != rustix::fs::makedev(major, minor) {
        return Err(Errno::NODEV);
    }
    copy(place.as_fd(), Depth::Single)
}

/// Opens a target for a file that some mount of ours covers, making it if it is missing.
pub(super) fn file_target(
    root: BorrowedFd<'_>,
    path: &Path,
    created: &mut Vec<Created>,
) -> Result<OwnedFd, Errno> {
    target::open_or_create(root, path, (Kind::File, Links::Refuse), created)
}

const TRUSTED: [&str; 3] = ["/proc", "/dev", "/sys"];

/// Files of procfs that other programs are known to replace with a view for the container alone.
const PROCFS_FILES: [&str; 9] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/net/dev",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
];
