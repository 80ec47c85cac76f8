//! Removal and measure of a directory tree by descriptor: no link in it is followed, nothing outside it is touched.

use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;

/// Removes a file or a whole directory. What is not there is no error.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "path has no last part"));
    };
    let parent = match rustix::fs::open(parent, DIRECTORY, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        other => other?,
    };
    let name = CString::new(name.as_bytes())?;
    remove_at(parent.as_fd(), &name)
}

/// Removes `name` in the directory `parent`. Depth is kept on a list, not on the call stack: a tree that came from
/// an archive may be deeper than the stack is.
pub(crate) fn remove_at(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    match unlink(parent, name)? {
        Unlinked::Done => return Ok(()),
        Unlinked::Directory => {}
    }
    let mut open: Vec<Level> = match enter(parent, name)? {
        Some(level) => vec![level],
        None => return Ok(()),
    };
    while let Some(level) = open.last_mut() {
        match next_child(level)? {
            Some(child) => match unlink(level.fd.as_fd(), &child)? {
                Unlinked::Done => {}
                Unlinked::Directory => {
                    let below = enter(level.fd.as_fd(), &child)?;
                    open.extend(below);
                }
            },
            None => {
                let Some(done) = open.pop() else { break };
                let above = open.last().map_or(parent, |level| level.fd.as_fd());
                match rustix::fs::unlinkat(above, &done.name, AtFlags::REMOVEDIR) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    Ok(())
}

struct Level {
    name: CString,
    fd: OwnedFd,
    entries: Dir,
}

enum Unlinked {
    Done,
    Directory,
}

fn unlink(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<Unlinked> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(Unlinked::Done),
        Err(Errno::ISDIR | Errno::PERM) => Ok(Unlinked::Directory),
        // Linux answers EACCES for any kind where the directory cannot be written; let the caller say so.
        Err(error) => Err(error.into()),
    }
}

/// Opens a directory to empty it. One whose mode keeps its owner out (a layer may hold such) is opened up first.
fn enter(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<Option<Level>> {
    let flags = DIRECTORY | OFlags::NOFOLLOW;
    let fd = match rustix::fs::openat(parent, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::ACCESS) => {
            open_up(parent, name)?;
            rustix::fs::openat(parent, name, flags, Mode::empty())?
        }
        other => other?,
    };
    let stat = rustix::fs::fstat(&fd)?;
    if stat.st_mode & 0o700 != 0o700 {
        rustix::fs::fchmod(&fd, Mode::RWXU)?;
    }
    let entries = Dir::read_from(&fd)?;
    Ok(Some(Level { name: name.to_owned(), fd, entries }))
}

fn open_up(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    // fchmod refuses an O_PATH descriptor; its own link in /proc leads to exactly the directory it holds.
    let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&fd));
    Ok(rustix::fs::chmod(link, Mode::RWXU)?)
}

fn next_child(level: &mut Level) -> io::Result<Option<CString>> {
    for entry in level.entries.by_ref() {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            return Ok(Some(name.to_owned()));
        }
    }
    Ok(None)
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
