//! A read-only union of layers, resolved in user space: no mount, no privilege, nothing outside it reachable.
//!
//! The rules are overlayfs': of what has a name, the topmost layer's counts; a whiteout hides all below it;
//! directories are merged down to the first that is opaque or lies on something else. Layers are foreign, so every
//! step is one name in one open directory, and no link is followed but by reading it here.

mod merged;

use std::collections::{HashMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fd::OwnedFd;
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;

use crate::beneath;
use merged::{Found, Merged};

/// A stack of layers to look into.
pub struct View {
    root: Arc<Merged>,
    /// Directories that were entered, by path: look-ups come in groups.
    entered: Mutex<HashMap<Vec<u8>, Arc<Merged>>>,
}

/// Why something in a stack cannot be looked up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The kernel says no.
    #[error("cannot {doing} {path} in the image")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// The path, from the image's root.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// Links that lead to links without end.
    #[error("{path} leads through more than {max} symbolic links in the image", max = beneath::SYMLINKS_MAX)]
    LinkLoop {
        /// The path, from the image's root.
        path: PathBuf,
    },
    /// A path longer than the kernel takes.
    #[error("path {path} is longer than {max} bytes", max = beneath::PATH_BYTES_MAX)]
    TooLong {
        /// The path.
        path: PathBuf,
    },
    /// An entry that is no directory.
    #[error("{path} in the image is no folder")]
    NotADirectory {
        /// The path, from the image's root.
        path: PathBuf,
    },
    /// An entry of another stack, or of one that changed.
    #[error("{path} is not in the image any more")]
    Gone {
        /// The path, from the image's root.
        path: PathBuf,
    },
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory, merged over the layers.
    Dir,
    /// A symbolic link and where it points.
    Symlink(PathBuf),
    /// A device, fifo or socket.
    Special,
}

/// One entry of a stack.
pub struct Entry {
    /// Its path from the root, without links, `.` or `..`.
    pub path: PathBuf,
    /// What it is.
    pub kind: EntryKind,
    /// Its metadata, from the topmost layer that has it.
    pub stat: rustix::fs::Stat,
}

/// Extended attributes: name and value.
pub type Xattrs = Vec<(OsString, Vec<u8>)>;

/// Whether the last part of a path is followed when it is a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Follow it.
    Follow,
    /// Give the link itself.
    Keep,
}

impl View {
    /// A view of the directories of layers, the topmost first; at least one.
    pub(crate) fn of(layers: Vec<OwnedFd>) -> View {
        View { root: Arc::new(Merged::new(layers)), entered: Mutex::new(HashMap::new()) }
    }

    /// Looks a path up inside the root, links resolved inside the root; `None` when it is not there.
    pub fn lookup(&self, path: &Path, links: Links) -> Result<Option<Entry>, ViewError> {
        match self.walk(path, links)? {
            Walked::At(entry) => Ok(Some(entry)),
            Walked::Missing(_) | Walked::BelowFile => Ok(None),
        }
    }

    /// Looks a name in a directory up; quicker than by its path. Links are not followed.
    pub fn child(&self, directory: &Entry, name: &OsStr) -> Result<Option<Entry>, ViewError> {
        let path = beneath::join(directory.path.as_os_str().as_bytes(), name.as_bytes());
        let found = self.merged(directory.path.as_os_str().as_bytes())?.find(name.as_bytes());
        let found = found.map_err(|errno| ViewError::io("look up", &path, errno))?;
        Ok(found.map(|found| entry(path, found)))
    }

    /// All entries below the root, sorted, a directory before what is in it.
    pub fn entries(&self) -> Entries<'_> {
        Entries { view: self, started: false, open: Vec::new() }
    }

    /// The names in a directory, sorted.
    pub fn read_dir(&self, directory: &Entry) -> Result<Vec<OsString>, ViewError> {
        if directory.kind != EntryKind::Dir {
            return Err(ViewError::NotADirectory { path: directory.path.clone() });
        }
        let names = self
            .merged(directory.path.as_os_str().as_bytes())?
            .names()
            .map_err(|errno| ViewError::io("list", directory.path.as_os_str().as_bytes(), errno))?;
        Ok(names.into_iter().map(OsString::from_vec).collect())
    }

    /// Opens a file for reading, or a directory as its topmost layer has it (for its metadata). For anything else an
    /// `O_PATH` descriptor.
    pub fn open(&self, entry: &Entry) -> Result<OwnedFd, ViewError> {
        let path = entry.path.as_os_str().as_bytes();
        let failed = |errno| ViewError::io("open", path, errno);
        if entry.kind == EntryKind::Dir {
            return self.merged(path)?.open_top().map_err(failed);
        }
        let flags = match entry.kind {
            EntryKind::File => OFlags::RDONLY | OFlags::NONBLOCK,
            _ => OFlags::PATH,
        };
        let (folder, name) = beneath::split(path);
        let opened = self.merged(folder)?.open_file(name, flags).map_err(failed)?;
        opened.ok_or_else(|| ViewError::Gone { path: entry.path.clone() })
    }

    /// The extended attributes that belong to the image (overlay's own left out), sorted. Links and special files
    /// have none.
    pub fn xattrs(&self, entry: &Entry) -> Result<Xattrs, ViewError> {
        if !matches!(entry.kind, EntryKind::File | EntryKind::Dir) {
            return Ok(Vec::new());
        }
        let file = self.open(entry)?;
        let found = beneath::xattrs(file).map_err(|errno| {
            ViewError::io("read the attributes of", entry.path.as_os_str().as_bytes(), errno)
        })?;
        Ok(found.into_iter().map(|(name, value)| (OsString::from_vec(name), value)).collect())
    }

    /// Follows a path as far as it goes.
    pub(crate) fn walk(&self, path: &Path, links: Links) -> Result<Walked, ViewError> {
        let whole = path.as_os_str().as_bytes();
        if whole.len() > beneath::PATH_BYTES_MAX {
            return Err(ViewError::TooLong { path: path.to_owned() });
        }
        let mut rest: VecDeque<Vec<u8>> = split(whole);
        let mut real: Vec<u8> = Vec::new();
        let mut followed = 0;
        while let Some(part) = rest.pop_front() {
            if part == b".." {
                real.truncate(beneath::split(&real).0.len());
                continue;
            }
            let next = beneath::join(&real, &part);
            let found = self.merged(&real)?.find(&part);
            let entry = match found.map_err(|errno| ViewError::io("look up", &next, errno))? {
                Some(found) => entry(next, found),
                None => {
                    return Ok(Walked::Missing(rest.iter().fold(next, |path, part| descend(path, part))));
                }
            };
            match &entry.kind {
                EntryKind::Symlink(target) if !rest.is_empty() || links == Links::Follow => {
                    followed += 1;
                    if followed > beneath::SYMLINKS_MAX || rest.len() > PARTS_MAX {
                        return Err(ViewError::LinkLoop { path: path.to_owned() });
                    }
                    let target = target.as_os_str().as_bytes();
                    if target.starts_with(b"/") {
                        real.clear();
                    }
                    for part in split(target).into_iter().rev() {
                        rest.push_front(part);
                    }
                }
                EntryKind::Dir => real = entry.path.into_os_string().into_vec(),
                _ if rest.is_empty() => return Ok(Walked::At(entry)),
                _ => return Ok(Walked::BelowFile),
            }
        }
        let stat = self.merged(&real)?.stat().map_err(|errno| ViewError::io("look up", &real, errno))?;
        let path = PathBuf::from(OsString::from_vec(real));
        Ok(Walked::At(Entry { path, kind: EntryKind::Dir, stat }))
    }

    /// Forgets what it knows of directories, after one of its layers was changed.
    pub(crate) fn forget(&self) {
        self.entered().clear();
    }

    /// The directory at a real path.
    fn merged(&self, real: &[u8]) -> Result<Arc<Merged>, ViewError> {
        if real.is_empty() {
            return Ok(Arc::clone(&self.root));
        }
        if let Some(known) = self.entered().get(real) {
            return Ok(Arc::clone(known));
        }
        let (mut at, mut from) = self.nearest(real);
        while from < real.len() {
            let end = real[from..].iter().position(|byte| *byte == b'/').map_or(real.len(), |len| from + len);
            let below = at.enter(&real[from..end]);
            at = match below.map_err(|errno| ViewError::io("enter", &real[..end], errno))? {
                Some(below) => Arc::new(below),
                None => return Err(ViewError::Gone { path: OsStr::from_bytes(real).into() }),
            };
            from = end + 1;
        }
        self.remember(real, &at);
        Ok(at)
    }

    /// The deepest directory on the way that was entered, and where its path ends.
    fn nearest(&self, real: &[u8]) -> (Arc<Merged>, usize) {
        let entered = self.entered();
        let mut path = real;
        while !path.is_empty() {
            path = beneath::split(path).0;
            if let Some(known) = entered.get(path) {
                return (Arc::clone(known), path.len() + 1);
            }
        }
        (Arc::clone(&self.root), 0)
    }

    fn remember(&self, real: &[u8], merged: &Arc<Merged>) {
        let mut entered = self.entered();
        let open: usize = entered.values().map(|merged| merged.depth()).sum();
        if open + merged.depth() > DESCRIPTORS_MAX {
            entered.clear();
        }
        if merged.depth() <= DESCRIPTORS_MAX {
            entered.insert(real.to_owned(), Arc::clone(merged));
        }
    }

    fn entered(&self) -> std::sync::MutexGuard<'_, HashMap<Vec<u8>, Arc<Merged>>> {
        self.entered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Iterates over a whole stack.
pub struct Entries<'a> {
    view: &'a View,
    started: bool,
    open: Vec<(Entry, std::vec::IntoIter<OsString>)>,
}

impl Entries<'_> {
    /// Goes on in a directory.
    fn enter(&mut self, directory: Entry) -> Result<(), ViewError> {
        let names = self.view.read_dir(&directory)?;
        self.open.push((directory, names.into_iter()));
        Ok(())
    }

    fn advance(&mut self) -> Result<Option<Entry>, ViewError> {
        if !self.started {
            self.started = true;
            if let Some(root) = self.view.lookup(Path::new(""), Links::Keep)? {
                self.enter(root)?;
            }
        }
        while let Some((directory, names)) = self.open.last_mut() {
            let Some(name) = names.next() else {
                self.open.pop();
                continue;
            };
            let Some(found) = self.view.child(directory, &name)? else {
                return Err(ViewError::Gone { path: directory.path.join(name) });
            };
            if found.kind == EntryKind::Dir {
                let again = Entry { path: found.path.clone(), kind: EntryKind::Dir, stat: found.stat };
                self.enter(again)?;
            }
            return Ok(Some(found));
        }
        Ok(None)
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, ViewError>;

    fn next(&mut self) -> Option<Self::Item> {
        let advanced = self.advance();
        if advanced.is_err() {
            self.open.clear();
        }
        advanced.transpose()
    }
}

/// How far a path led.
pub(crate) enum Walked {
    /// To an entry.
    At(Entry),
    /// To nothing: where it would be.
    Missing(Vec<u8>),
    /// To a file, with parts of the path left.
    BelowFile,
}

impl ViewError {
    fn io(doing: &'static str, path: &[u8], errno: Errno) -> ViewError {
        ViewError::Io { doing, path: Path::new("/").join(OsStr::from_bytes(path)), source: errno.into() }
    }
}

fn entry(path: Vec<u8>, found: Found) -> Entry {
    let kind = match beneath::kind(&found.stat) {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Dir,
        FileType::Symlink => EntryKind::Symlink(OsString::from_vec(found.link).into()),
        _ => EntryKind::Special,
    };
    Entry { path: OsString::from_vec(path).into(), kind, stat: found.stat }
}

fn split(path: &[u8]) -> VecDeque<Vec<u8>> {
    let parts = path.split(|byte| *byte == b'/');
    parts.filter(|part| !matches!(*part, b"" | b".")).map(<[u8]>::to_vec).collect()
}

fn descend(path: Vec<u8>, part: &[u8]) -> Vec<u8> {
    match part {
        b".." => beneath::split(&path).0.to_vec(),
        part => beneath::join(&path, part),
    }
}

/// Descriptors that remembered directories may hold together.
const DESCRIPTORS_MAX: usize = 256;
/// Parts of a path while links in it are followed.
const PARTS_MAX: usize = 16 << 10;
