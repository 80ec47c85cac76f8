//! The destination of a copy: a staged layer directory over what lies below it.
//!
//! Every path here is free of links: [`Target::resolve`] makes it so. Directories that are only below are made anew
//! in the layer with the attributes that they have below, so that they stay what they were.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, RawMode, ResolveFlags, Stat, Timespec, Timestamps, UTIME_OMIT, Uid,
    XattrFlags,
};
use rustix::io::Errno;
use tug_store::view::{EntryKind, Links};

use crate::copy::{Changed, content, modified};
use crate::tree::{Resolved, Seen, Tree, TreeError, Xattr, resolve};

/// Mode and owner of what is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    Dir,
    Link(PathBuf),
    Other,
}

/// Why a destination cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// A file onto a directory.
    #[error("cannot put a file in the place of the directory /{}", path.display())]
    ReplaceDirectory {
        /// Which.
        path: PathBuf,
    },
    /// A directory onto something else.
    #[error("cannot copy into /{}: it is no directory", path.display())]
    NotDirectory {
        /// Which.
        path: PathBuf,
    },
    /// The operating system says no.
    #[error("cannot write /{}", path.display())]
    Write {
        /// Which path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What is below cannot be looked at.
    #[error(transparent)]
    Below(#[from] TreeError),
}

/// A staged layer directory over what lies below it.
pub(super) struct Target<'a> {
    root: OwnedFd,
    below: Option<&'a dyn Tree>,
    /// Directories that are in the layer.
    directories: HashMap<PathBuf, Directory>,
    /// The first path of each source file that has several names.
    links: HashMap<(u64, u64), PathBuf>,
    changed: Changed,
}

struct Directory {
    /// Whether one of this path lies below too.
    merged: bool,
    /// What its time will be once it is filled.
    modified: Option<Timespec>,
}

impl<'a> Target<'a> {
    pub(super) fn open(root: &Path, below: Option<&'a dyn Tree>) -> Result<Target<'a>, TargetError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(root, flags, Mode::empty()).map_err(|errno| wrong(root, errno))?;
        let mut target = Target {
            root: fd,
            below,
            directories: HashMap::new(),
            links: HashMap::new(),
            changed: Changed::Nothing,
        };
        let mut top = Directory { merged: below.is_some(), modified: None };
        if let Some(tree) = below
            && let Some(entry) = tree.lookup(Path::new(""), Links::Keep)?
        {
            let (uid, gid) = (entry.stat.st_uid, entry.stat.st_gid);
            let attributes = Attributes { mode: entry.stat.st_mode & 0o7777, uid, gid };
            target.set(Path::new("."), &attributes)?;
            top.modified = Some(modified(&entry.stat));
        }
        target.directories.insert(PathBuf::new(), top);
        Ok(target)
    }

    /// Follows a path, over the layer and what is below: the path without links, and what is there.
    pub(super) fn resolve(
        &self,
        path: &Path,
        links: Links,
    ) -> Result<(PathBuf, Option<Existing>), TargetError> {
        let resolved = resolve(path, links, |path| {
            Ok(match self.existing(path)? {
                None => Seen::Nothing,
                Some(Existing::Link(target)) => Seen::Link(target),
                Some(_) => Seen::Other,
            })
        })?;
        match resolved {
            Resolved::There(path) => {
                let existing = self.existing(&path)?;
                Ok((path, existing))
            }
            Resolved::Missing(path) => Ok((path, None)),
        }
    }

    /// Makes a directory and those above it, where they are not.
    pub(super) fn make_directory(&mut self, path: &Path, attributes: &Attributes) -> Result<(), TargetError> {
        let mut missing: Vec<&Path> =
            path.ancestors().take_while(|path| !self.directories.contains_key(*path)).collect();
        missing.reverse();
        for path in missing {
            let below = self.below_at(path)?;
            match (self.staged(path)?, &below) {
                (Some(stat), _) if !is_directory(&stat) => {
                    return Err(TargetError::NotDirectory { path: path.to_owned() });
                }
                (None, Some(entry)) if entry.kind != EntryKind::Dir => {
                    return Err(TargetError::NotDirectory { path: path.to_owned() });
                }
                (None, Some(entry)) => {
                    let (uid, gid) = (entry.stat.st_uid, entry.stat.st_gid);
                    let mode = entry.stat.st_mode & 0o7777;
                    self.create_directory(path, &Attributes { mode, uid, gid })?;
                    if let Some(tree) = self.below {
                        self.put_xattrs(path, &tree.xattrs(entry)?)?;
                    }
                }
                (None, None) => self.create_directory(path, attributes)?,
                (Some(_), _) => {}
            }
            let modified = below.as_ref().map(|entry| modified(&entry.stat));
            self.directories.insert(path.to_owned(), Directory { merged: below.is_some(), modified });
        }
        Ok(())
    }

    /// A directory with the attributes and time of its source, whether it is there or not. Its parent is there.
    pub(super) fn put_directory(
        &mut self,
        path: &Path,
        attributes: &Attributes,
        stat: &Stat,
    ) -> Result<(), TargetError> {
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        self.make_directory(path, attributes)?;
        self.set(path, attributes)?;
        if let Some(directory) = self.directories.get_mut(path) {
            directory.modified = Some(modified(stat));
        }
        Ok(())
    }

    /// A directory from an archive, which takes the place of what is no directory.
    pub(super) fn put_directory_over(
        &mut self,
        path: &Path,
        attributes: &Attributes,
        modified: Timespec,
    ) -> Result<(), TargetError> {
        if let Some(Existing::Link(_) | Existing::Other) = self.existing(path)? {
            self.make_room(path)?;
            self.create_directory(path, attributes)?;
            self.directories.insert(path.to_owned(), Directory { merged: false, modified: None });
        }
        self.make_directory(path, attributes)?;
        self.set(path, attributes)?;
        if let Some(directory) = self.directories.get_mut(path) {
            directory.modified = Some(modified);
        }
        Ok(())
    }

    /// Whether the layer itself has something at a path without links.
    pub(super) fn holds(&self, path: &Path) -> bool {
        self.staged(path).is_ok_and(|stat| stat.is_some())
    }

    /// A regular file. Its parent is there.
    pub(super) fn put_file(
        &mut self,
        path: &Path,
        from: &File,
        (attributes, stat): (&Attributes, &Stat),
    ) -> Result<(), TargetError> {
        let file = self.create_file(path)?;
        content::copy(from, &file).map_err(|source| write(path, source))?;
        set_open(&file, attributes, Some(modified(stat))).map_err(|errno| wrong(path, errno))?;
        if stat.st_nlink > 1 {
            self.links.insert((stat.st_dev, stat.st_ino), path.to_owned());
        }
        Ok(())
    }

    /// A regular file of these bytes.
    pub(super) fn put_bytes(
        &mut self,
        path: &Path,
        bytes: &[u8],
        attributes: &Attributes,
    ) -> Result<(), TargetError> {
        let mut file = self.create_file(path)?;
        file.write_all(bytes).map_err(|source| write(path, source))?;
        set_open(&file, attributes, None).map_err(|errno| wrong(path, errno))
    }

    /// A file of what a reader gives.
    pub(super) fn put_stream(
        &mut self,
        path: &Path,
        reader: &mut dyn io::Read,
        (attributes, modified): (&Attributes, Timespec),
    ) -> Result<(), TargetError> {
        let mut file = self.create_file(path)?;
        io::copy(reader, &mut file).map_err(|source| write(path, source))?;
        set_open(&file, attributes, Some(modified)).map_err(|errno| wrong(path, errno))
    }

    /// Another name of a file that was put already; `false` when it was not.
    pub(super) fn put_again(&mut self, path: &Path, stat: &Stat) -> Result<bool, TargetError> {
        if stat.st_nlink < 2 {
            return Ok(false);
        }
        match self.links.get(&(stat.st_dev, stat.st_ino)).cloned() {
            Some(first) if first == path => Ok(true),
            Some(first) => self.put_hard_link(path, &first).map(|()| true),
            None => Ok(false),
        }
    }

    /// Another name of a file in the layer.
    pub(super) fn put_hard_link(&mut self, path: &Path, first: &Path) -> Result<(), TargetError> {
        self.make_room(path)?;
        rustix::fs::linkat(&self.root, first, &self.root, path, AtFlags::empty())
            .map_err(|errno| wrong(path, errno))
    }

    /// A symbolic link.
    pub(super) fn put_link(
        &mut self,
        path: &Path,
        link: &Path,
        (attributes, stat): (&Attributes, &Stat),
    ) -> Result<(), TargetError> {
        self.put_link_at(path, link, (attributes, modified(stat)))
    }

    /// A symbolic link with a time.
    pub(super) fn put_link_at(
        &mut self,
        path: &Path,
        link: &Path,
        (attributes, modified): (&Attributes, Timespec),
    ) -> Result<(), TargetError> {
        self.make_room(path)?;
        let made = rustix::fs::symlinkat(link, &self.root, path)
            .and_then(|()| {
                let (uid, gid) = owner(attributes);
                rustix::fs::chownat(&self.root, path, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
            })
            .and_then(|()| self.set_time(path, modified));
        made.map_err(|errno| wrong(path, errno))
    }

    /// A device or fifo. A socket is left out: nobody can be behind it.
    pub(super) fn put_special(
        &mut self,
        path: &Path,
        attributes: &Attributes,
        stat: &Stat,
    ) -> Result<(), TargetError> {
        let kind = FileType::from_raw_mode(stat.st_mode);
        match kind {
            FileType::Socket => Ok(()),
            kind => self.put_node(path, kind, (attributes, stat.st_rdev, modified(stat))),
        }
    }

    /// A device or fifo with a number and a time.
    pub(super) fn put_node(
        &mut self,
        path: &Path,
        kind: FileType,
        (attributes, device, modified): (&Attributes, u64, Timespec),
    ) -> Result<(), TargetError> {
        self.make_room(path)?;
        rustix::fs::mknodat(&self.root, path, kind, Mode::from_raw_mode(0o600), device)
            .map_err(|errno| wrong(path, errno))?;
        self.set(path, attributes)?;
        self.set_time(path, modified).map_err(|errno| wrong(path, errno))
    }

    /// Extended attributes of a file or directory that was put.
    pub(super) fn put_xattrs(&self, path: &Path, xattrs: &[Xattr]) -> Result<(), TargetError> {
        if xattrs.is_empty() {
            return Ok(());
        }
        let fd = self.open_at(path, OFlags::RDONLY | OFlags::NONBLOCK).map_err(|errno| wrong(path, errno))?;
        for Xattr { name, value } in xattrs {
            rustix::fs::fsetxattr(&fd, name, value, XattrFlags::empty())
                .map_err(|errno| wrong(path, errno))?;
        }
        Ok(())
    }

    /// Ends the filling: directories get their times.
    pub(super) fn finish(self) -> Result<Changed, TargetError> {
        for (path, directory) in &self.directories {
            if let Some(modified) = directory.modified {
                let at = if path.as_os_str().is_empty() { Path::new(".") } else { path };
                self.set_time(at, modified).map_err(|errno| wrong(path, errno))?;
            }
        }
        Ok(self.changed)
    }

    /// What is at a path without links.
    pub(super) fn existing(&self, path: &Path) -> Result<Option<Existing>, TreeError> {
        if path.as_os_str().is_empty() || self.directories.contains_key(path) {
            return Ok(Some(Existing::Dir));
        }
        let staged = self.staged(path).map_err(|error| match error {
            TargetError::Below(error) => error,
            TargetError::Write { path, source } => TreeError::read(&path, source),
            other => TreeError::read(path, io::Error::other(other)),
        })?;
        if let Some(stat) = staged {
            return Ok(Some(match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => Existing::Dir,
                FileType::Symlink => Existing::Link(self.read_link(path)?),
                _ => Existing::Other,
            }));
        }
        Ok(self.below_at(path)?.map(|entry| match entry.kind {
            EntryKind::Dir => Existing::Dir,
            EntryKind::Symlink(target) => Existing::Link(target),
            EntryKind::File | EntryKind::Special => Existing::Other,
        }))
    }

    fn read_link(&self, path: &Path) -> Result<PathBuf, TreeError> {
        use std::os::unix::ffi::OsStringExt;
        let target = rustix::fs::readlinkat(&self.root, path, Vec::new())
            .map_err(|errno| TreeError::read(path, errno))?;
        Ok(OsString::from_vec(target.into_bytes()).into())
    }

    fn below_at(&self, path: &Path) -> Result<Option<tug_store::view::Entry>, TreeError> {
        let parent_is_new =
            path.parent().and_then(|parent| self.directories.get(parent)).is_some_and(|dir| !dir.merged);
        match self.below {
            Some(tree) if !parent_is_new => tree.lookup(path, Links::Keep),
            _ => Ok(None),
        }
    }

    fn staged(&self, path: &Path) -> Result<Option<Stat>, TargetError> {
        match rustix::fs::statat(&self.root, path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(errno) => Err(wrong(path, errno)),
        }
    }

    /// Takes away what is in the layer at a path, and refuses to hide a directory.
    fn make_room(&mut self, path: &Path) -> Result<(), TargetError> {
        self.changed = Changed::Something;
        match self.existing(path)? {
            None => Ok(()),
            Some(Existing::Dir) => Err(TargetError::ReplaceDirectory { path: path.to_owned() }),
            Some(_) => match rustix::fs::unlinkat(&self.root, path, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => Ok(()),
                Err(errno) => Err(wrong(path, errno)),
            },
        }
    }

    fn create_file(&mut self, path: &Path) -> Result<File, TargetError> {
        self.make_room(path)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mode = Mode::from_raw_mode(0o600);
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let fd = rustix::fs::openat2(&self.root, path, flags, mode, resolve)
            .map_err(|errno| wrong(path, errno))?;
        Ok(File::from(fd))
    }

    fn create_directory(&mut self, path: &Path, attributes: &Attributes) -> Result<(), TargetError> {
        self.changed = Changed::Something;
        rustix::fs::mkdirat(&self.root, path, Mode::from_raw_mode(0o700))
            .map_err(|errno| wrong(path, errno))?;
        self.set(path, attributes)
    }

    fn open_at(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        rustix::fs::openat2(
            &self.root,
            path,
            flags | OFlags::CLOEXEC | OFlags::NOFOLLOW,
            Mode::empty(),
            resolve,
        )
    }

    /// Sets owner, then mode, which an owner's change may cut.
    fn set(&self, path: &Path, attributes: &Attributes) -> Result<(), TargetError> {
        let (uid, gid) = owner(attributes);
        rustix::fs::chownat(&self.root, path, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
            .and_then(|()| {
                rustix::fs::chmodat(
                    &self.root,
                    path,
                    Mode::from_raw_mode(attributes.mode as RawMode),
                    AtFlags::empty(),
                )
            })
            .map_err(|errno| wrong(path, errno))
    }

    fn set_time(&self, path: &Path, modified: Timespec) -> Result<(), Errno> {
        rustix::fs::utimensat(&self.root, path, &times(modified), AtFlags::SYMLINK_NOFOLLOW)
    }
}

fn set_open(file: &File, attributes: &Attributes, modified: Option<Timespec>) -> Result<(), Errno> {
    let (uid, gid) = owner(attributes);
    rustix::fs::fchown(file, uid, gid)?;
    rustix::fs::fchmod(file, Mode::from_raw_mode(attributes.mode as RawMode))?;
    modified.map_or(Ok(()), |modified| rustix::fs::futimens(file, &times(modified)))
}

fn times(modified: Timespec) -> Timestamps {
    Timestamps { last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }, last_modification: modified }
}

fn owner(attributes: &Attributes) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(attributes.uid)), Some(Gid::from_raw(attributes.gid)))
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

fn wrong(path: &Path, errno: Errno) -> TargetError {
    write(path, errno.into())
}

fn write(path: &Path, source: io::Error) -> TargetError {
    TargetError::Write { path: path.to_owned(), source }
}
