//! A layer's directory → its archive: a pure function of the directory.
//!
//! Members come sorted by name, a directory before its content; the root has none. Owners are numbers, times whole
//! seconds, whiteouts and opaque marks empty files of root's from 1970. The first of several names of a file is the
//! file, the others are hard links. Links, devices and pipes have no extended attributes, sockets are left out.

use std::collections::HashMap;
use std::ffi::CString;
use std::io::{self, Write};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, Timespec, Timestamps};
use rustix::io::Errno;

use super::apply::{OPAQUE_MARK, WHITEOUT};
use crate::beneath;
use crate::tarball::{Kind, Member, TarWriter, Time, shown};

/// Why a layer cannot be written as an archive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalkError {
    /// A file of the layer cannot be read.
    #[error("cannot {doing} {path} of the layer")]
    Read {
        /// What was attempted.
        doing: &'static str,
        /// The file, from the layer's root.
        path: String,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// A file that would mean something else in an archive.
    #[error("file {0} cannot be in a layer: names that start with .wh. stand for removed files there")]
    Name(String),
    /// A path that could not be unpacked again.
    #[error("path {0} is longer than {max} bytes", max = beneath::PATH_BYTES_MAX)]
    PathTooLong(String),
    /// A directory of an overlay that was mounted with other options.
    #[error("{0} was made by an overlay mounted without userxattr, or with redirect_dir or metacopy")]
    Overlay(String),
    /// What the archive goes to does not take it.
    #[error("cannot write the archive")]
    Write(#[source] io::Error),
}

/// Writes the archive of the layer in `root`, with modification times after `epoch` set to it first, on disk too.
/// Gives the archive's size.
pub(crate) fn pack(root: OwnedFd, epoch: Option<i64>, out: impl Write) -> Result<u64, WalkError> {
    let mut walk = Walk {
        root,
        epoch,
        out: TarWriter::new(out),
        links: HashMap::new(),
        buffer: vec![0; BUFFER_BYTES],
        path: Vec::new(),
    };
    if beneath::is_opaque(&walk.root).map_err(|errno| walk.read_error("read", errno))? {
        walk.mark(OPAQUE_MARK)?;
    }
    walk.tree()?;
    walk.out.finish().map_err(WalkError::Write)
}

struct Walk<W> {
    root: OwnedFd,
    epoch: Option<i64>,
    out: TarWriter<W>,
    /// Files with several names, by device and inode: the first name.
    links: HashMap<(u64, u64), Vec<u8>>,
    buffer: Vec<u8>,
    /// Where the walk is.
    path: Vec<u8>,
}

/// A directory on the way from the root to where the walk is.
struct Level {
    /// `None` where there are too many to keep all open.
    fd: Option<OwnedFd>,
    names: std::vec::IntoIter<CString>,
    /// Length of its path.
    path_len: usize,
}

impl<W: Write> Walk<W> {
    fn tree(&mut self) -> Result<(), WalkError> {
        let root = beneath::open_dir(&self.root, b".").map_err(|errno| self.read_error("open", errno))?;
        let mut levels = vec![self.level(root)?];
        while let Some(level) = levels.last_mut() {
            self.path.truncate(level.path_len);
            let Some(name) = level.names.next() else {
                levels.pop();
                continue;
            };
            let fd = match level.fd.take() {
                Some(fd) => fd,
                None => beneath::open(&self.root, &self.path, OFlags::RDONLY | OFlags::DIRECTORY)
                    .map_err(|errno| self.read_error("open", errno))?,
            };
            if !self.path.is_empty() {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(name.as_bytes());
            let below = self.entry(fd.as_fd(), name.as_bytes())?;
            level.fd = Some(fd);
            if let Some(directory) = below {
                let next = self.level(directory)?;
                levels.push(next);
                if let Some(closed) = levels.len().checked_sub(OPEN_MAX + 1) {
                    levels[closed].fd = None;
                }
            }
        }
        Ok(())
    }

    fn level(&self, directory: OwnedFd) -> Result<Level, WalkError> {
        let names = beneath::names(&directory).map_err(|errno| self.read_error("list", errno))?;
        Ok(Level { fd: Some(directory), names: names.into_iter(), path_len: self.path.len() })
    }

    /// Writes one entry; gives the directory to go on in.
    fn entry(&mut self, parent: BorrowedFd<'_>, name: &[u8]) -> Result<Option<OwnedFd>, WalkError> {
        if self.path.len() > beneath::PATH_BYTES_MAX {
            return Err(WalkError::PathTooLong(shown(&self.path)));
        }
        if name.starts_with(WHITEOUT) {
            return Err(WalkError::Name(shown(&self.path)));
        }
        let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| self.read_error("read", errno))?;
        if beneath::is_whiteout(&stat) {
            let whiteout = [WHITEOUT, name].concat();
            self.path.truncate(self.path.len() - name.len());
            self.path.extend_from_slice(&whiteout);
            return self.mark(b"").map(|()| None);
        }
        let Some(kind) = kind(&stat) else { return Ok(None) };
        let mut member = Member::new(self.path.clone(), kind, stat.st_mode & 0o7777);
        (member.uid, member.gid) = (stat.st_uid, stat.st_gid);
        member.mtime.secs = self.settle(parent, name, &stat)?;
        if kind == Kind::Dir {
            return self.directory(parent, name, member).map(Some);
        }
        if stat.st_nlink > 1 && self.is_known(&stat, &mut member) {
            self.put(&member)?;
            return Ok(None);
        }
        match kind {
            Kind::File => self.file(parent, name, member)?,
            Kind::Symlink => {
                let target = rustix::fs::readlinkat(parent, name, Vec::new())
                    .map_err(|errno| self.read_error("read the link", errno))?;
                member.link = target.into_bytes();
                self.put(&member)?;
            }
            _ => {
                member.device = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
                self.put(&member)?;
            }
        }
        Ok(None)
    }

    fn directory(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &[u8],
        mut member: Member,
    ) -> Result<OwnedFd, WalkError> {
        let fd = beneath::open_dir(parent, name).map_err(|errno| self.read_error("open", errno))?;
        member.path.push(b'/');
        member.xattrs = self.xattrs(&fd)?;
        let opaque = beneath::is_opaque(&fd).map_err(|errno| self.read_error("read attributes of", errno))?;
        self.put(&member)?;
        if opaque {
            self.path.push(b'/');
            self.mark(OPAQUE_MARK)?;
            self.path.truncate(member.path.len() - 1);
        }
        Ok(fd)
    }

    fn file(&mut self, parent: BorrowedFd<'_>, name: &[u8], mut member: Member) -> Result<(), WalkError> {
        let fd = open_file(parent, name).map_err(|errno| self.read_error("open", errno))?;
        member.xattrs = self.xattrs(&fd)?;
        let stat = rustix::fs::fstat(&fd).map_err(|errno| self.read_error("read", errno))?;
        member.size = stat.st_size.cast_unsigned();
        self.out.member(&member).map_err(WalkError::Write)?;
        let mut left = member.size;
        while left > 0 {
            let wanted = self.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let len = match rustix::io::read(&fd, &mut self.buffer[..wanted]) {
                Ok(len) => len,
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(self.read_error("read", errno)),
            };
            if len == 0 {
                break;
            }
            self.out.content(&self.buffer[..len]).map_err(WalkError::Write)?;
            left -= len as u64;
        }
        self.out.end_content(&member).map_err(WalkError::Write)
    }

    fn xattrs(&self, fd: &OwnedFd) -> Result<beneath::Xattrs, WalkError> {
        let failed = |errno| self.read_error("read attributes of", errno);
        let names = beneath::xattr_names(fd).map_err(failed)?;
        if beneath::has_foreign_overlay(&names) {
            return Err(WalkError::Overlay(shown(&self.path)));
        }
        beneath::read_xattrs(fd, &names).map_err(failed)
    }

    /// Turns a file's further names into hard links to its first.
    fn is_known(&mut self, stat: &Stat, member: &mut Member) -> bool {
        match self.links.entry((stat.st_dev, stat.st_ino)) {
            std::collections::hash_map::Entry::Occupied(first) => {
                member.kind = Kind::HardLink;
                member.link.clone_from(first.get());
                true
            }
            std::collections::hash_map::Entry::Vacant(first) => {
                first.insert(member.path.clone());
                false
            }
        }
    }

    /// The modification time, clamped.
    fn settle(&self, parent: BorrowedFd<'_>, name: &[u8], stat: &Stat) -> Result<i64, WalkError> {
        let Some(epoch) = self.epoch else { return Ok(stat.st_mtime) };
        if (stat.st_mtime, stat.st_mtime_nsec) <= (epoch, 0) {
            return Ok(stat.st_mtime);
        }
        let keep = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
        let times =
            Timestamps { last_access: keep, last_modification: Timespec { tv_sec: epoch, tv_nsec: 0 } };
        rustix::fs::utimensat(parent, name, &times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| self.read_error("set the time of", errno))?;
        Ok(epoch)
    }

    /// A whiteout or opaque mark at the walk's path with `name` added.
    fn mark(&mut self, name: &[u8]) -> Result<(), WalkError> {
        let mut mark = Member::new([&self.path[..], name].concat(), Kind::File, 0o600);
        mark.mtime = Time::default();
        self.put(&mark)
    }

    fn put(&mut self, member: &Member) -> Result<(), WalkError> {
        self.out.whole(member, &[]).map_err(WalkError::Write)
    }

    fn read_error(&self, doing: &'static str, errno: Errno) -> WalkError {
        let path = if self.path.is_empty() { "the root".to_owned() } else { shown(&self.path) };
        WalkError::Read { doing, path, source: errno.into() }
    }
}

/// Without a new access time where that may be asked for: a read should not write.
fn open_file(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::openat(parent, name, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => rustix::fs::openat(parent, name, flags, Mode::empty()),
        opened => opened,
    }
}

fn kind(stat: &Stat) -> Option<Kind> {
    match beneath::kind(stat) {
        FileType::RegularFile => Some(Kind::File),
        FileType::Directory => Some(Kind::Dir),
        FileType::Symlink => Some(Kind::Symlink),
        FileType::CharacterDevice => Some(Kind::Char),
        FileType::BlockDevice => Some(Kind::Block),
        FileType::Fifo => Some(Kind::Fifo),
        FileType::Socket | FileType::Unknown => None,
    }
}

const BUFFER_BYTES: usize = 256 << 10;
/// Directories kept open on the way down.
const OPEN_MAX: usize = 128;
