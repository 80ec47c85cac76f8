//! Removal and measure of directory trees of the store. Removal goes by descriptor: no link in the tree is
//! followed, nothing outside it is touched, however deep it is.

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

/// Removes a file or a whole directory; says how many bytes of disk that gave back. What is not there is no error.
pub(crate) fn remove(path: &Path) -> io::Result<u64> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "path has no last part"));
    };
    let parent = match rustix::fs::open(parent, DIRECTORY, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(0),
        other => other?,
    };
    remove_at(parent.as_fd(), &CString::new(name.as_bytes())?)
}

/// The same for `name` in the directory `parent`.
pub(crate) fn remove_at(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<u64> {
    let mut removal = Removal { open: Vec::new(), moved: 0, moved_since_read: 0, freed: 0 };
    if let Some(level) = removal.take(parent, name.to_owned())? {
        removal.open.push(level);
        removal.run(parent)?;
    }
    Ok(removal.freed)
}

/// The bytes of disk that a file or directory takes; a file with several names in it counts once.
pub(crate) fn measure(path: &Path) -> io::Result<u64> {
    let mut counted = HashSet::new();
    let mut bytes = 0;
    for entry in walkdir::WalkDir::new(path) {
        let metadata = match entry.and_then(|entry| entry.metadata()) {
            Err(error) if error.io_error().is_some_and(|e| e.kind() == io::ErrorKind::NotFound) => continue,
            other => other?,
        };
        if metadata.is_dir() || metadata.nlink() == 1 || counted.insert((metadata.dev(), metadata.ino())) {
            bytes += metadata.blocks() * BLOCK_BYTES;
        }
    }
    Ok(bytes)
}

/// A removal under way. The way down is a list, not the call stack, and of bounded length: what lies deeper is moved
/// up and removed from there, so that no tree takes more descriptors than a process has.
struct Removal {
    open: Vec<Level>,
    moved: u64,
    moved_since_read: u64,
    freed: u64,
}

struct Level {
    name: CString,
    fd: OwnedFd,
    entries: Dir,
    blocks: u64,
}

impl Removal {
    fn run(&mut self, parent: BorrowedFd<'_>) -> io::Result<()> {
        while let Some(mut level) = self.open.pop() {
            match next_child(&mut level.entries)? {
                Some(child) => {
                    let below = self.take(level.fd.as_fd(), child)?;
                    let below = match (self.open.first(), below) {
                        (Some(top), Some(below)) if self.open.len() >= OPEN_MAX => {
                            let top = top.fd.as_fd();
                            move_up(level.fd.as_fd(), &below.name, top, &mut self.moved)?;
                            self.moved_since_read += 1;
                            None
                        }
                        (_, below) => below,
                    };
                    self.open.push(level);
                    self.open.extend(below);
                }
                None if self.open.is_empty() && self.moved_since_read > 0 => {
                    self.moved_since_read = 0;
                    level.entries = Dir::read_from(&level.fd)?;
                    self.open.push(level);
                }
                None => {
                    let above = self.open.last().map_or(parent, |above| above.fd.as_fd());
                    match rustix::fs::unlinkat(above, &level.name, AtFlags::REMOVEDIR) {
                        Ok(()) => self.freed += level.blocks,
                        Err(Errno::NOENT) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes what is no directory, and opens what is one.
    fn take(&mut self, parent: BorrowedFd<'_>, name: CString) -> io::Result<Option<Level>> {
        let stat = match rustix::fs::statat(parent, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(None),
            other => other?,
        };
        let blocks = stat.st_blocks.cast_unsigned() * BLOCK_BYTES;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            let fd = enter(parent, &name, &stat)?;
            let entries = Dir::read_from(&fd)?;
            return Ok(Some(Level { name, fd, entries, blocks }));
        }
        match rustix::fs::unlinkat(parent, &name, AtFlags::empty()) {
            Ok(()) if stat.st_nlink == 1 => self.freed += blocks,
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(None)
    }
}

/// Opens a directory to empty it. One whose mode keeps its owner out (a layer may hold such) is opened up first.
fn enter(parent: BorrowedFd<'_>, name: &CStr, stat: &Stat) -> io::Result<OwnedFd> {
    if stat.st_mode & 0o700 != 0o700 {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(parent, name, flags, Mode::empty())?;
        // fchmod refuses an O_PATH descriptor; its link in /proc leads to exactly the directory that it holds.
        rustix::fs::chmod(format!("/proc/self/fd/{}", fd.as_raw_fd()), Mode::RWXU)?;
    }
    Ok(rustix::fs::openat(parent, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?)
}

fn next_child(entries: &mut Dir) -> io::Result<Option<CString>> {
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            return Ok(Some(name.to_owned()));
        }
    }
    Ok(None)
}

/// Moves a directory to the top of the tree under a name that is free there.
fn move_up(parent: BorrowedFd<'_>, name: &CStr, top: BorrowedFd<'_>, moved: &mut u64) -> io::Result<()> {
    loop {
        *moved += 1;
        match rustix::fs::renameat_with(parent, name, top, format!("deep-{moved}"), RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => {}
            other => return Ok(other?),
        }
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// Two descriptors each.
const OPEN_MAX: usize = 64;
/// The unit of `st_blocks`, whatever the file system's own.
const BLOCK_BYTES: u64 = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_what_links_point_from_but_not_to() {
        let temporary = tempfile::tempdir().unwrap();
        let (outside, tree) = (temporary.path().join("outside"), temporary.path().join("tree"));
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("kept"), "kept").unwrap();
        std::fs::create_dir_all(tree.join("a/b")).unwrap();
        std::os::unix::fs::symlink(&outside, tree.join("a/link")).unwrap();
        std::fs::write(tree.join("a/b/file"), vec![1; 10_000]).unwrap();
        std::fs::hard_link(tree.join("a/b/file"), tree.join("a/same")).unwrap();
        let measured = measure(&tree).unwrap();
        assert_eq!(remove(&tree).unwrap(), measured);
        assert!(!tree.exists());
        assert_eq!(std::fs::read(outside.join("kept")).unwrap(), b"kept");
    }

    #[test]
    fn removes_a_tree_deeper_than_descriptors_go() {
        let temporary = tempfile::tempdir().unwrap();
        let tree = temporary.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        std::fs::create_dir(tree.join("deep-1")).unwrap();
        let mut fd = rustix::fs::open(&tree, DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..600 {
            rustix::fs::mkdirat(&fd, "d", Mode::RWXU).unwrap();
            fd = rustix::fs::openat(&fd, "d", DIRECTORY, Mode::empty()).unwrap();
        }
        remove(&tree).unwrap();
        assert!(!tree.exists());
    }
}
