//! Takes back what had to be made in the root file system only so that something could be mounted there.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::target::{self, Created, Kind};
use crate::bundle::Rootfs;

/// Removes mount targets, where they are empty still; and the directories above them that are in the upper layer of
/// an overlay for no other reason. What cannot be removed stays.
pub(super) fn remove(rootfs: &Rootfs, created: &[Created]) {
    if created.is_empty() {
        return;
    }
    let (top, lowers) = match rootfs {
        Rootfs::Dir(dir) => (dir, [].as_slice()),
        Rootfs::Overlay { lowers, upper, .. } => (upper, lowers.as_slice()),
    };
    let Ok(top) = target::open_host(top) else { return };
    for Created { path, kind } in created.iter().rev() {
        if remove_empty(top.as_fd(), path, *kind).is_err() {
            continue;
        }
        for parent in path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
            if !matches!(remove_copy(top.as_fd(), parent, lowers), Ok(true)) {
                break;
            }
        }
    }
}

fn remove_empty(top: BorrowedFd<'_>, path: &Path, kind: Kind) -> Result<(), Errno> {
    let (parent, name) = split(top, path)?;
    if kind == Kind::Directory {
        return rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR);
    }
    let stat = rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_size != 0 {
        return Err(Errno::NOTEMPTY);
    }
    rustix::fs::unlinkat(&parent, name, AtFlags::empty())
}

/// Removes a directory of the upper layer if it is empty and says nothing that the layers below do not say.
fn remove_copy(top: BorrowedFd<'_>, path: &Path, lowers: &[PathBuf]) -> Result<bool, Errno> {
    let directory = beneath(top, path, OFlags::RDONLY | OFlags::DIRECTORY)?;
    let upper = rustix::fs::fstat(&directory)?;
    let Some(lower) = lowers.iter().find_map(|lower| stat_in(lower, path)) else { return Ok(false) };
    let same = (lower.st_mode, lower.st_uid, lower.st_gid) == (upper.st_mode, upper.st_uid, upper.st_gid);
    if !same || has_attributes(&directory)? || !is_empty(&directory)? {
        return Ok(false);
    }
    let (parent, name) = split(top, path)?;
    rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR)?;
    Ok(true)
}

fn stat_in(lower: &Path, path: &Path) -> Option<Stat> {
    let lower = target::open_host(lower).ok()?;
    let directory = beneath(lower.as_fd(), path, OFlags::PATH | OFlags::DIRECTORY).ok()?;
    rustix::fs::fstat(&directory).ok()
}

/// Whether it has extended attributes beyond what overlay notes on every directory that it copies up.
fn has_attributes(directory: &OwnedFd) -> Result<bool, Errno> {
    let mut names = vec![0; NAMES_BYTES_MAX];
    let length = match rustix::fs::flistxattr(directory, &mut names) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP) => 0,
        Err(error) => return Err(error),
    };
    let mut names = names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.any(|name| !COPY_ATTRIBUTES.contains(&name)))
}

fn is_empty(directory: &OwnedFd) -> Result<bool, Errno> {
    for entry in Dir::read_from(directory)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

fn split<'a>(top: BorrowedFd<'_>, path: &'a Path) -> Result<(OwnedFd, &'a OsStr), Errno> {
    let name = path.file_name().ok_or(Errno::INVAL)?;
    let parent = path.parent().unwrap_or(Path::new(""));
    Ok((beneath(top, parent, OFlags::PATH | OFlags::DIRECTORY)?, name))
}

fn beneath(top: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    rustix::fs::openat2(top, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
}

const COPY_ATTRIBUTES: [&[u8]; 4] =
    [b"trusted.overlay.impure", b"trusted.overlay.origin", b"user.overlay.impure", b"user.overlay.origin"];

const NAMES_BYTES_MAX: usize = 64 * 1024;
