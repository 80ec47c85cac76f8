//! Mount targets: paths inside of the root file system, found by descriptor and never outside of it; made where the
//! image lacks them, and removed again afterwards.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// Whether symbolic links on the way are followed, inside of the root.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Links {
    Follow,
    Refuse,
}

/// What a target has to be.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) enum Kind {
    Directory,
    File,
}

/// Something that was made only so that it could be mounted on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Created {
    /// Where it really is, without links, relative to the root.
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
}

/// Opens a path inside of the root, as a place only.
pub(super) fn open(root: BorrowedFd<'_>, path: &Path, links: Links) -> Result<OwnedFd, Errno> {
    open_with(root, path, links, OFlags::PATH)
}

/// Opens a path inside of the root.
pub(super) fn open_with(
    root: BorrowedFd<'_>,
    path: &Path,
    links: Links,
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    let mut resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    if links == Links::Refuse {
        resolve |= ResolveFlags::NO_SYMLINKS;
    }
    let path = relative(path);
    for _ in 0..RACES_MAX {
        match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            // A rename somewhere in the system made the walk uncertain.
            Err(Errno::AGAIN) => {}
            result => return result,
        }
    }
    Err(Errno::AGAIN)
}

/// Opens a path inside of the root; makes it, and the directories above it, if it is missing.
///
/// A symbolic link to nowhere counts as missing, and is not touched: what it names is made, inside of the root.
pub(super) fn open_or_create(
    root: BorrowedFd<'_>,
    path: &Path,
    (kind, links): (Kind, Links),
    created: &mut Vec<Created>,
) -> Result<OwnedFd, Errno> {
    let mut path = relative(path).to_path_buf();
    for _ in 0..SYMLINKS_MAX {
        match open(root, &path, links) {
            Err(Errno::NOENT) => {}
            result => return result,
        }
        let (place, missing) = deepest(root, &path, links)?;
        let next = missing.first().ok_or(Errno::NOENT)?;
        match rustix::fs::readlinkat(&place, *next, Vec::new()) {
            Ok(_) if links == Links::Refuse => return Err(Errno::LOOP),
            Ok(link) => {
                let link = PathBuf::from(OsStr::from_bytes(link.to_bytes()));
                let base = real_path(root, &place).ok_or(Errno::NOENT)?;
                let whole = missing[1..].iter().fold(base.join(link), |path, name| path.join(name));
                path = relative(&whole).to_path_buf();
            }
            Err(_) => return create_all(root, place, (&missing, kind), created),
        }
    }
    Err(Errno::LOOP)
}

/// The last directory on the way that exists, and the names that are missing below it.
fn deepest<'a>(
    root: BorrowedFd<'_>,
    path: &'a Path,
    links: Links,
) -> Result<(OwnedFd, Vec<&'a OsStr>), Errno> {
    let mut existing = path;
    let mut missing = Vec::new();
    loop {
        missing.insert(0, existing.file_name().ok_or(Errno::NOENT)?);
        existing = existing.parent().unwrap_or(Path::new(""));
        match open_with(root, existing, links, OFlags::PATH | OFlags::DIRECTORY) {
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error),
            Ok(place) => return Ok((place, missing)),
        }
    }
}

fn create_all(
    root: BorrowedFd<'_>,
    mut place: OwnedFd,
    (names, kind): (&[&OsStr], Kind),
    created: &mut Vec<Created>,
) -> Result<OwnedFd, Errno> {
    for (index, name) in names.iter().enumerate() {
        let kind = if index + 1 == names.len() { kind } else { Kind::Directory };
        let in_root = is_same_device(root, &place);
        place = create_in(place, name, kind)?;
        if in_root {
            created.extend(real_path(root, &place).map(|path| Created { path, kind }));
        }
    }
    Ok(place)
}

/// The path without `.`, `..` and doubled slashes, absolute.
pub(super) fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            _ => {}
        }
    }
    clean
}

fn create_in(parent: OwnedFd, name: &OsStr, kind: Kind) -> Result<OwnedFd, Errno> {
    let made = match kind {
        Kind::Directory => rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)),
        Kind::File => {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(&parent, name, flags, Mode::from_raw_mode(0o644)).map(drop)
        }
    };
    match made {
        // In a directory that containers share, another one may have been quicker.
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error),
    }
    rustix::fs::openat(&parent, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// Whether a directory lies on the root file system itself, not on something mounted in it.
fn is_same_device(root: BorrowedFd<'_>, directory: &OwnedFd) -> bool {
    let device = |fd: BorrowedFd<'_>| rustix::fs::fstat(fd).map(|stat| stat.st_dev);
    matches!((device(root), device(directory.as_fd())), (Ok(a), Ok(b)) if a == b)
}

/// Where a descriptor's file really is below the root. The root is a mount of its own, which the kernel names first.
fn real_path(root: BorrowedFd<'_>, place: &OwnedFd) -> Option<PathBuf> {
    let link = |fd: BorrowedFd<'_>| std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok();
    let (root, place) = (link(root)?, link(place.as_fd())?);
    place.strip_prefix(root).ok().map(Path::to_path_buf)
}

fn relative(path: &Path) -> &Path {
    let path = path.strip_prefix("/").unwrap_or(path);
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// Opens the directory that a process sees at `path`, outside of any container.
pub(super) fn open_host(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}

/// A name by which the kernel finds the file behind a descriptor of this process.
pub(super) fn fd_path(fd: &impl AsFd) -> String {
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())
}

/// Writes a value to a file that must exist below `directory`, following no links.
pub(super) fn write_beneath(directory: BorrowedFd<'_>, path: &Path, value: &str) -> std::io::Result<()> {
    use std::io::Write;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat2(directory, path, flags, Mode::empty(), resolve)?;
    File::from(file).write_all(value.as_bytes())
}

const RACES_MAX: u32 = 64;

const SYMLINKS_MAX: u32 = 40;
