//! Paths that the container may not see, or may only read.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::libc;
use rustix::fs::FileType;
use rustix::io::Errno;

use super::target::{self, Links};
use super::{filesystem, mount};
use crate::plan::Depth;
use crate::setup::{Cause, SetupError, Step};
use crate::sys::{self, MountChange};

/// Puts nothing in the place of each path: `/dev/null` for files, an empty directory for directories.
pub(super) fn hide(root: BorrowedFd<'_>, paths: &[PathBuf]) -> Result<(), SetupError> {
    for path in paths {
        let Some(place) = existing(root, path)? else { continue };
        cover(place.as_fd(), path)?;
    }
    Ok(())
}

/// Makes each path read-only, with all that is mounted below it.
pub(super) fn make_readonly(root: BorrowedFd<'_>, paths: &[PathBuf]) -> Result<(), SetupError> {
    for path in paths {
        let Some(place) = existing(root, path)? else { continue };
        let failed = Step::Mask.at::<std::io::Error>(path);
        remount_readonly(place.as_fd()).map_err(failed)?;
    }
    Ok(())
}

fn existing(root: BorrowedFd<'_>, path: &Path) -> Result<Option<std::os::fd::OwnedFd>, SetupError> {
    match target::open(root, path, Links::Refuse) {
        Ok(place) => Ok(Some(place)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(Errno::LOOP) => Err(Step::Mask.failed(path.to_string_lossy(), Cause::Symlink)),
        Err(error) => Err(Step::Mask.at(path)(error)),
    }
}

fn cover(place: BorrowedFd<'_>, path: &Path) -> Result<(), SetupError> {
    let stat = rustix::fs::fstat(place).map_err(Step::Mask.at(path))?;
    let tree = if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        filesystem::make(("tmpfs", "tmpfs"), &[], (Step::Mask, path))?
    } else {
        mount::host_device(Path::new("/dev/null"), NULL_MAJOR, NULL_MINOR).map_err(Step::Mask.at(path))?
    };
    // Read-only also for the device: else its mode could be changed, and it is the host's.
    let change = MountChange { set: libc::MOUNT_ATTR_RDONLY, ..MountChange::default() };
    sys::mount_setattr(tree.as_fd(), change).map_err(Step::Mask.at(path))?;
    filesystem::attach(&tree, place).map_err(Step::Mask.at(path))
}

fn remount_readonly(place: BorrowedFd<'_>) -> std::io::Result<()> {
    let tree = mount::copy(place, Depth::Recursive)?;
    let change = MountChange { set: libc::MOUNT_ATTR_RDONLY, recursive: true, ..MountChange::default() };
    sys::mount_setattr(tree.as_fd(), change)?;
    Ok(filesystem::attach(&tree, place)?)
}

const NULL_MAJOR: u32 = 1;
const NULL_MINOR: u32 = 3;
