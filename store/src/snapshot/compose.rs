//! A layer that leans on what is below it, made whole for one stack: a new tree of hard links to the layer's files,
//! in which directories without an entry of their own look as the ones below do, and hard links to files of other
//! layers have these files beside them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid};
use rustix::io::Errno;

use crate::beneath;
use crate::layer::Leaning;
use crate::tarball::shown;
use crate::view::{Entry, EntryKind, Links, View, ViewError, Walked};

/// Why a layer does not fit what is below it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// It has files below something that is no folder.
    #[error("it has files in {path}, which is no folder in the layers below")]
    NotADirectory {
        /// The path.
        path: String,
    },
    /// It has a hard link to nothing.
    #[error("it has a hard link {path} to {target}, which is not there")]
    NoTarget {
        /// The link.
        path: String,
        /// What it should lead to.
        target: String,
    },
    /// It has a hard link to a folder.
    #[error("it has a hard link {path} to {target}, which is a folder")]
    TargetIsDirectory {
        /// The link.
        path: String,
        /// What it leads to.
        target: String,
    },
    /// The layers below.
    #[error("cannot look into the layers below")]
    View(#[source] ViewError),
    /// The kernel says no.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// The path, from the layer's root.
        path: String,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
}

/// Whether a layer would look different when it is composed.
pub(super) fn is_needed(leaning: &Leaning, below: &View) -> Result<bool, ComposeError> {
    if !leaning.links.is_empty() {
        return Ok(true);
    }
    for path in &leaning.implied {
        match below.walk(&as_path(path), Links::Keep)? {
            Walked::Missing(place) if place == *path => {}
            Walked::At(entry) if entry.kind == EntryKind::Dir && entry.path == as_path(path) => {
                let plain = entry.stat.st_mode & 0o7777 == 0o755
                    && (entry.stat.st_uid, entry.stat.st_gid) == (0, 0)
                    && below.xattrs(&entry)?.is_empty();
                if !plain {
                    return Ok(true);
                }
            }
            _ => return Ok(true),
        }
    }
    Ok(false)
}

/// What a layer is composed of.
pub(super) struct Stack {
    /// The layer's own directory.
    pub(super) own: OwnedFd,
    /// The new one.
    pub(super) target: OwnedFd,
    /// The layers below.
    pub(super) below: View,
    /// The new directory on the layers below.
    pub(super) union: View,
}

/// Fills the new directory.
pub(super) fn compose(stack: Stack, leaning: &Leaning) -> Result<(), ComposeError> {
    let implied = leaning.implied.iter().cloned().collect();
    let mut composer = Composer { stack, implied, places: HashMap::new(), dirs: BTreeMap::new() };
    composer.link_tree()?;
    for (path, target) in &leaning.links {
        composer.link_below(path, target)?;
    }
    composer.dress_dirs()
}

struct Composer {
    stack: Stack,
    implied: HashSet<Vec<u8>>,
    /// Where directories of the layer came to lie, where that is another place.
    places: HashMap<Vec<u8>, Vec<u8>>,
    /// Directories of the new tree and how they are to look.
    dirs: BTreeMap<Vec<u8>, Looks>,
}

/// Whether what lies below can be seen in a directory of the layer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    Seen,
    /// It is opaque, or lies in one that is.
    Hidden,
}

/// Owner, mode, time and attributes of a directory.
struct Looks {
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: Timespec,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Composer {
    /// Hard links for all files of the layer.
    fn link_tree(&mut self) -> Result<(), ComposeError> {
        let mut todo = vec![(Vec::new(), Vec::new(), Below::Seen)];
        while let Some((from, to, mut below)) = todo.pop() {
            let source = self.open_own(&from)?;
            let target = self.open_target(&to)?;
            if beneath::is_opaque(&source).map_err(|errno| io_error("read", &from, errno))? {
                beneath::set_opaque(&target).map_err(|errno| io_error("make opaque", &to, errno))?;
                below = Below::Hidden;
            }
            for name in beneath::names(&source).map_err(|errno| io_error("list", &from, errno))? {
                let name = name.as_bytes();
                let path = beneath::join(&from, name);
                let failed = |errno| io_error("link", &path, errno);
                let stat = rustix::fs::statat(&source, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
                if beneath::kind(&stat) == FileType::Directory {
                    let place = self.directory(&path, beneath::join(&to, name), below)?;
                    if place != path {
                        self.places.insert(path.clone(), place.clone());
                    }
                    todo.push((path, place, below));
                    continue;
                }
                match rustix::fs::linkat(&source, name, &target, name, AtFlags::empty()) {
                    // Two folders of the layer came to lie in one place; the first that was there stays.
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => return Err(failed(errno)),
                }
            }
        }
        Ok(())
    }

    /// Makes the directory for one of the layer; says where it came to lie.
    fn directory(&mut self, path: &[u8], wanted: Vec<u8>, below: Below) -> Result<Vec<u8>, ComposeError> {
        let implied = self.implied.contains(path);
        if !implied || below == Below::Hidden {
            let looks = match implied {
                true => Looks::plain(),
                false => Looks::of(&self.open_own(path)?).map_err(|errno| io_error("read", path, errno))?,
            };
            self.make_dir(&wanted)?;
            self.dirs.insert(wanted.clone(), looks);
            return Ok(wanted);
        }
        let not_a_directory = || ComposeError::NotADirectory { path: shown(&wanted) };
        let place = match self.stack.below.walk(&as_path(&wanted), Links::Follow)? {
            Walked::At(entry) if entry.kind == EntryKind::Dir => entry.path.into_os_string().into_vec(),
            Walked::Missing(place) => place,
            Walked::At(_) | Walked::BelowFile => return Err(not_a_directory()),
        };
        self.make_dirs(&place)?;
        Ok(place)
    }

    /// Makes a directory and those above it, looking as they do below.
    fn make_dirs(&mut self, path: &[u8]) -> Result<(), ComposeError> {
        let mut ends: Vec<usize> = (0..path.len()).filter(|at| path[*at] == b'/').collect();
        ends.push(path.len());
        for end in ends {
            let path = &path[..end];
            if path.is_empty() || self.dirs.contains_key(path) {
                continue;
            }
            let looks = match self.stack.below.lookup(&as_path(path), Links::Keep)? {
                Some(entry) if entry.kind == EntryKind::Dir => Looks::of(&self.stack.below.open(&entry)?)
                    .map_err(|errno| io_error("read", path, errno))?,
                _ => Looks::plain(),
            };
            self.make_dir(path)?;
            self.dirs.insert(path.to_owned(), looks);
        }
        Ok(())
    }

    fn make_dir(&mut self, path: &[u8]) -> Result<(), ComposeError> {
        let (folder, name) = beneath::split(path);
        let parent = self.open_target(folder)?;
        match rustix::fs::mkdirat(&parent, name, Mode::RWXU) {
            Err(Errno::EXIST) if self.dirs.contains_key(path) => Ok(()),
            Err(Errno::EXIST) => Err(ComposeError::NotADirectory { path: shown(path) }),
            made => made.map_err(|errno| io_error("make the folder", path, errno)),
        }
    }

    /// A hard link to a file of a layer below (or to one that was made by an earlier such link).
    fn link_below(&mut self, path: &[u8], target: &[u8]) -> Result<(), ComposeError> {
        let told = || (shown(path), shown(target));
        let (folder, name) = beneath::split(path);
        let folder = self.places.get(folder).cloned().unwrap_or_else(|| folder.to_vec());
        let parent = self.open_target(&folder)?;
        let lookup = |view: &View| view.lookup(&as_path(target), Links::Keep);
        let (seen, below) = (lookup(&self.stack.union)?, lookup(&self.stack.below)?);
        let (entry, removed) = match (seen, below) {
            (Some(entry), _) => (entry, false),
            (None, Some(entry)) => (entry, true),
            (None, None) => {
                let (path, target) = told();
                return Err(ComposeError::NoTarget { path, target });
            }
        };
        if entry.kind == EntryKind::Dir {
            let (path, target) = told();
            return Err(ComposeError::TargetIsDirectory { path, target });
        }
        if removed {
            // The layer keeps the file under this name only.
            self.copy_up((&self.stack.below, &entry), &parent, name)?;
            self.stack.union.forget();
            return Ok(());
        }
        let real = entry.path.as_os_str().as_bytes().to_vec();
        let (real_folder, real_name) = beneath::split(&real);
        self.make_dirs(real_folder)?;
        let source = self.open_target(real_folder)?;
        if let Err(Errno::NOENT) = rustix::fs::statat(&source, real_name, AtFlags::SYMLINK_NOFOLLOW) {
            self.copy_up((&self.stack.union, &entry), &source, real_name)?;
        }
        rustix::fs::linkat(&source, real_name, &parent, name, AtFlags::empty())
            .map_err(|errno| io_error("link", path, errno))?;
        self.stack.union.forget();
        Ok(())
    }

    /// Copies a file from the layers below into the new tree.
    fn copy_up(
        &self,
        (view, entry): (&View, &Entry),
        folder: &OwnedFd,
        name: &[u8],
    ) -> Result<(), ComposeError> {
        let path = entry.path.as_os_str().as_bytes();
        let failed = |errno| io_error("copy", path, errno);
        let looks = Looks::from_stat(&entry.stat, view.xattrs(entry)?.into_iter());
        if entry.kind == EntryKind::File {
            let mut from = std::fs::File::from(view.open(entry)?);
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let fd = rustix::fs::openat(folder, name, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
            let mut to = std::fs::File::from(fd);
            // Within one file system this asks the kernel to share or copy the bytes itself.
            io::copy(&mut from, &mut to).map_err(|source| ComposeError::Io {
                doing: "copy",
                path: shown(path),
                source,
            })?;
            return looks.dress(&to).map_err(failed);
        }
        match &entry.kind {
            EntryKind::Symlink(target) => rustix::fs::symlinkat(target, folder, name),
            _ => {
                let kind = beneath::kind(&entry.stat);
                rustix::fs::mknodat(folder, name, kind, Mode::RUSR | Mode::WUSR, entry.stat.st_rdev)
            }
        }
        .map_err(failed)?;
        looks.dress_special(folder, name, matches!(entry.kind, EntryKind::Symlink(_))).map_err(failed)
    }

    fn dress_dirs(&self) -> Result<(), ComposeError> {
        for (path, looks) in self.dirs.iter().rev() {
            let fd = self.open_target(path)?;
            looks.dress(fd).map_err(|errno| io_error("set owner, mode or time of", path, errno))?;
        }
        Ok(())
    }

    fn open_own(&self, path: &[u8]) -> Result<OwnedFd, ComposeError> {
        open_dir(&self.stack.own, path)
    }

    fn open_target(&self, path: &[u8]) -> Result<OwnedFd, ComposeError> {
        open_dir(&self.stack.target, path)
    }
}

impl Looks {
    /// Of a directory that neither the layer nor those below have an entry for.
    fn plain() -> Looks {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let mtime = Timespec { tv_sec: 0, tv_nsec: 0 };
        Looks { mode: 0o755, uid, gid, mtime, xattrs: Vec::new() }
    }

    fn of(directory: &OwnedFd) -> rustix::io::Result<Looks> {
        let stat = rustix::fs::fstat(directory)?;
        let xattrs = beneath::xattrs(directory)?;
        Ok(Looks { xattrs, ..Looks::from_stat(&stat, std::iter::empty()) })
    }

    fn from_stat(stat: &Stat, xattrs: impl Iterator<Item = (OsString, Vec<u8>)>) -> Looks {
        Looks {
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            mtime: Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec.cast_signed() },
            xattrs: xattrs.map(|(name, value)| (name.into_vec(), value)).collect(),
        }
    }

    fn times(&self) -> Timestamps {
        Timestamps { last_access: self.mtime, last_modification: self.mtime }
    }

    fn dress(&self, fd: impl AsFd) -> rustix::io::Result<()> {
        rustix::fs::fchown(&fd, Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)))?;
        for (name, value) in &self.xattrs {
            beneath::set_xattr(&fd, name, value)?;
        }
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(self.mode))?;
        rustix::fs::futimens(&fd, &self.times())
    }

    fn dress_special(&self, folder: &OwnedFd, name: &[u8], is_link: bool) -> rustix::io::Result<()> {
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        rustix::fs::chownat(folder, name, Some(uid), Some(gid), nofollow)?;
        if !is_link {
            // Just made and no link, so nothing is followed here.
            rustix::fs::chmodat(folder, name, Mode::from_raw_mode(self.mode), AtFlags::empty())?;
        }
        rustix::fs::utimensat(folder, name, &self.times(), nofollow)
    }
}

fn open_dir(root: &OwnedFd, path: &[u8]) -> Result<OwnedFd, ComposeError> {
    beneath::open(root, path, OFlags::RDONLY | OFlags::DIRECTORY)
        .map_err(|errno| io_error("open the folder", path, errno))
}

fn io_error(doing: &'static str, path: &[u8], errno: Errno) -> ComposeError {
    ComposeError::Io { doing, path: shown(path), source: errno.into() }
}

fn as_path(path: &[u8]) -> PathBuf {
    OsString::from_vec(path.to_vec()).into()
}
