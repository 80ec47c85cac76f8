//! The build context: a directory read in place, without what its ignore file leaves out.
//!
//! It is never copied or listed as a whole: what a step selects is looked at, and a file's content is hashed only when
//! its stamp says that it changed since last time.

mod descend;
mod stamps;

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, Stat};
use tug_dockerfile::ignore::{IgnoreError, Matcher, Verdict};
use tug_oci::Digest;
use tug_store::Store;
use tug_store::cache::CacheError;
use tug_store::view::{Entry, EntryKind, Links};

use crate::context::stamps::Stamps;
use crate::tree::{Resolved, Seen, Tree, TreeError, Xattr, content_digest, resolve};

/// A directory that people edit.
pub(crate) struct Context {
    root: OwnedFd,
    path: PathBuf,
    ignore: Matcher,
    /// Of directories.
    verdicts: Mutex<HashMap<PathBuf, Arc<Verdict>>>,
    stamps: Stamps,
}

/// Why a context cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// Not there, or no directory.
    #[error("cannot open the build context {}", path.display())]
    Open {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The ignore file cannot be read.
    #[error("cannot read {}", path.display())]
    ReadIgnore {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The ignore file has a pattern that is none.
    #[error("the ignore file of {} is wrong", path.display())]
    Ignore {
        /// Of which context.
        path: PathBuf,
        /// Why.
        #[source]
        source: IgnoreError,
    },
    /// The digests of last time cannot be read or written.
    #[error("cannot use the digests of the build context {}", path.display())]
    Stamps {
        /// Of which context.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<CacheError>,
    },
}

impl Context {
    /// Opens a context. `ignore` holds the patterns that go before the context's own ignore file.
    pub(crate) fn open(store: &Store, path: &Path, ignore: Option<&[u8]>) -> Result<Context, ContextError> {
        let failed = |source: std::io::Error| ContextError::Open { path: path.to_owned(), source };
        let path = std::fs::canonicalize(path).map_err(failed)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(&path, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
        let patterns = match ignore {
            Some(bytes) => tug_dockerfile::ignore::read(&String::from_utf8_lossy(bytes)),
            None => own_patterns(&path)?,
        };
        let ignore =
            Matcher::new(&patterns).map_err(|source| ContextError::Ignore { path: path.clone(), source })?;
        let stamps = Stamps::load(store, &path)
            .map_err(|source| ContextError::Stamps { path: path.clone(), source: Box::new(source) })?;
        Ok(Context { root, path, ignore, verdicts: Mutex::default(), stamps })
    }

    /// Keeps the digests for next time.
    pub(crate) fn keep_stamps(&self, store: &Store) -> Result<(), ContextError> {
        let failed = |source| ContextError::Stamps { path: self.path.clone(), source: Box::new(source) };
        self.stamps.keep(store).map_err(failed)
    }

    fn is_ignored(&self, path: &Path) -> bool {
        !self.ignore.is_empty() && !path.as_os_str().is_empty() && self.verdict(path).is_ignored()
    }

    /// The ignore file's verdict, each directory's computed once.
    fn verdict(&self, path: &Path) -> Arc<Verdict> {
        let Some(parent) = path.parent() else {
            return Arc::new(self.ignore.root());
        };
        let known = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner).get(parent).cloned();
        let above = known.unwrap_or_else(|| {
            let verdict = self.verdict(parent);
            let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
            verdicts.insert(parent.to_owned(), Arc::clone(&verdict));
            verdict
        });
        Arc::new(self.ignore.enter(&above, &path.to_string_lossy()))
    }

    /// Whether an ignored directory shows all the same, for what is in it.
    fn shows_through(&self, directory: &Path) -> Result<bool, TreeError> {
        if !self.ignore.may_hold_exceptions(&directory.to_string_lossy()) {
            return Ok(false);
        }
        let fd = self.open_beneath(directory, OFlags::RDONLY | OFlags::DIRECTORY)?;
        for name in names(&fd, directory)? {
            let path = directory.join(&name);
            if !self.is_ignored(&path) {
                return Ok(true);
            }
            let stat = stat_at(&fd, &name, &path)?;
            if is_directory(&stat) && self.shows_through(&path)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn open_beneath(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, TreeError> {
        let at = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        rustix::fs::openat2(
            &self.root,
            at,
            flags | OFlags::CLOEXEC | OFlags::NOFOLLOW,
            Mode::empty(),
            resolve,
        )
        .map_err(|errno| TreeError::read(path, errno))
    }

    fn stat(&self, path: &Path) -> Result<Option<(OwnedFd, Stat)>, TreeError> {
        match self.open_beneath(path, OFlags::PATH) {
            Ok(fd) => {
                let stat = rustix::fs::fstat(&fd).map_err(|errno| TreeError::read(path, errno))?;
                Ok(Some((fd, stat)))
            }
            Err(TreeError::Read { source, .. })
                if matches!(
                    source.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// An entry that was listed, whether ignored or not.
    fn entry_at(&self, path: PathBuf) -> Result<Entry, TreeError> {
        let stat = stat_at(&self.root, path.as_os_str(), &path)?;
        let kind = kind(&stat, || read_link(&self.root, path.as_os_str(), &path))?;
        Ok(Entry { path, kind, stat })
    }

    fn entry(&self, path: PathBuf) -> Result<Option<Entry>, TreeError> {
        let Some((fd, stat)) = self.stat(&path)? else {
            return Ok(None);
        };
        let kind = kind(&stat, || read_link(&fd, OsStr::new(""), &path))?;
        if self.is_ignored(&path) && !(kind == EntryKind::Dir && self.shows_through(&path)?) {
            return Ok(None);
        }
        Ok(Some(Entry { path, kind, stat }))
    }
}

impl Tree for Context {
    fn lookup(&self, path: &Path, links: Links) -> Result<Option<Entry>, TreeError> {
        let resolved = resolve(path, links, |path| {
            let Some((fd, stat)) = self.stat(path)? else {
                return Ok(Seen::Nothing);
            };
            Ok(match kind(&stat, || read_link(&fd, OsStr::new(""), path))? {
                EntryKind::Symlink(target) => Seen::Link(target),
                _ => Seen::Other,
            })
        })?;
        match resolved {
            Resolved::There(path) => self.entry(path),
            Resolved::Missing(_) => Ok(None),
        }
    }

    fn children(&self, directory: &Entry) -> Result<Vec<(OsString, Entry)>, TreeError> {
        let fd = self.open_beneath(&directory.path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut children = Vec::new();
        for name in names(&fd, &directory.path)? {
            let path = directory.path.join(&name);
            let stat = stat_at(&fd, &name, &path)?;
            let kind = kind(&stat, || read_link(&fd, &name, &path))?;
            if self.is_ignored(&path) && !(kind == EntryKind::Dir && self.shows_through(&path)?) {
                continue;
            }
            children.push((name, Entry { path, kind, stat }));
        }
        Ok(children)
    }

    fn descend(&self, directories: Vec<Entry>) -> Result<Vec<Entry>, TreeError> {
        descend::descend(self, &directories)
    }

    fn open(&self, file: &Entry) -> Result<OwnedFd, TreeError> {
        self.open_beneath(&file.path, OFlags::RDONLY | OFlags::NONBLOCK)
    }

    /// A working directory's attributes are this machine's business, and would make other layers elsewhere.
    fn xattrs(&self, _: &Entry) -> Result<Vec<Xattr>, TreeError> {
        Ok(Vec::new())
    }

    fn digest(&self, file: &Entry) -> Result<Digest, TreeError> {
        if let Some(digest) = self.stamps.known(file) {
            return Ok(digest);
        }
        let begun = crate::clock::now_ns();
        let digest = content_digest(File::from(self.open(file)?))
            .map_err(|source| TreeError::read(&file.path, source))?;
        self.stamps.note(file, &digest, begun);
        Ok(digest)
    }

    fn owner(&self, _: &Entry) -> (u32, u32) {
        (0, 0)
    }
}

fn own_patterns(context: &Path) -> Result<Vec<String>, ContextError> {
    let path = context.join(".dockerignore");
    match std::fs::read(&path) {
        Ok(bytes) => Ok(tug_dockerfile::ignore::read(&String::from_utf8_lossy(&bytes))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(ContextError::ReadIgnore { path, source }),
    }
}

/// The names in a directory, sorted.
fn names(directory: impl AsFd, path: &Path) -> Result<Vec<OsString>, TreeError> {
    use std::os::unix::ffi::OsStrExt;
    let failed = |errno| TreeError::read(path, errno);
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn stat_at(directory: impl AsFd, name: &OsStr, path: &Path) -> Result<Stat, TreeError> {
    rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|errno| TreeError::read(path, errno))
}

fn read_link(directory: impl AsFd, name: &OsStr, path: &Path) -> Result<PathBuf, TreeError> {
    use std::os::unix::ffi::OsStringExt;
    let target =
        rustix::fs::readlinkat(directory, name, Vec::new()).map_err(|errno| TreeError::read(path, errno))?;
    Ok(OsString::from_vec(target.into_bytes()).into())
}

fn kind(stat: &Stat, link: impl FnOnce() -> Result<PathBuf, TreeError>) -> Result<EntryKind, TreeError> {
    use rustix::fs::FileType;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Dir,
        FileType::Symlink => EntryKind::Symlink(link()?),
        _ => EntryKind::Special,
    })
}

fn is_directory(stat: &Stat) -> bool {
    rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory
}
