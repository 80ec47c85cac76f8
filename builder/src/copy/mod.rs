//! Copying: a layer made straight from its sources.

mod content;
mod target;
mod unpack;

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::Stat;
use tug_oci::DiffId;
use tug_oci::user::{UserError, resolve_owner};
use tug_store::Store;
use tug_store::layer::{CommitError, Settle};
use tug_store::snapshot::PrepareError;
use tug_store::view::{Entry, EntryKind, Links};

use crate::copy::target::{Attributes, Existing, Target};
use crate::op::{CopyOp, DirectoryOp, Unpack};
use crate::select::{self, SelectError, Source};
use crate::tree::{LayerTree, Tree, TreeError, is_dir, relative};

pub use target::TargetError;
pub use unpack::UnpackArchiveError;

/// Why files cannot be copied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The sources.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// The destination.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A tree that cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// An archive.
    #[error("cannot unpack {}", path.display())]
    Unpack {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: UnpackArchiveError,
    },
    /// The owner.
    #[error("cannot tell the owner {text:?}")]
    Owner {
        /// As given.
        text: String,
        /// Why.
        #[source]
        source: UserError,
    },
    /// What to copy onto cannot be looked at.
    #[error("cannot look at what is below")]
    Prepare(#[from] PrepareError),
    /// The layer cannot be made.
    #[error("cannot make the layer")]
    Commit(#[from] CommitError),
}

/// Makes the layer of a copy onto `base`. `None` when there was nothing to copy.
pub(crate) fn run(
    store: &Store,
    op: &CopyOp,
    base: &[DiffId],
    from: Option<&dyn Tree>,
) -> Result<Option<DiffId>, CopyError> {
    let below = view(store, base)?;
    let owner = match &op.chown {
        Some(text) => Some(owner(text, below.as_ref())?),
        None => None,
    };
    let staged = store.layers().stage()?;
    let onto = below.as_ref().filter(|_| !op.link);
    let target = Target::open(staged.fs(), onto.map(|tree| tree as &dyn Tree))?;
    let mut copy = Copy { op, owner, target };
    if op.parents {
        copy.make_directory(&relative(Path::new(&op.destination)))?;
    }
    if let Some(tree) = from {
        for source in select::select(tree, op)? {
            copy.source(tree, &source)?;
        }
    }
    for file in &op.files {
        copy.given(Path::new(&file.name), &file.content)?;
    }
    match copy.target.finish()? {
        Changed::Nothing => Ok(None),
        Changed::Something => Ok(Some(staged.commit(Settle { epoch: op.epoch })?.diff_id)),
    }
}

/// Copies into a directory that is no layer.
pub(crate) fn into(op: &CopyOp, tree: &dyn Tree, directory: &Path) -> Result<(), CopyError> {
    let mut copy = Copy { op, owner: None, target: Target::open(directory, None)? };
    for source in select::select(tree, op)? {
        copy.source(tree, &source)?;
    }
    copy.target.finish()?;
    Ok(())
}

/// Makes a directory onto `base`. `None` when it is there.
pub(crate) fn directory(
    store: &Store,
    op: &DirectoryOp,
    base: &[DiffId],
) -> Result<Option<DiffId>, CopyError> {
    let below = view(store, base)?;
    let owner = match &op.user {
        Some(text) => Some(user(text, below.as_ref())?),
        None => None,
    };
    let staged = store.layers().stage()?;
    let mut target = Target::open(staged.fs(), below.as_ref().map(|tree| tree as &dyn Tree))?;
    let (path, existing) = target.resolve(Path::new(&op.path), Links::Follow)?;
    match existing {
        Some(Existing::Dir) => return Ok(None),
        Some(_) => return Err(TargetError::NotDirectory { path }.into()),
        None => {}
    }
    let (uid, gid) = owner.unwrap_or_default();
    target.make_directory(&path, &Attributes { mode: DIRECTORY_MODE, uid, gid })?;
    target.finish()?;
    Ok(Some(staged.commit(Settle { epoch: op.epoch })?.diff_id))
}

/// Whether anything was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    Nothing,
    Something,
}

/// A copy under way.
struct Copy<'a> {
    op: &'a CopyOp,
    owner: Option<(u32, u32)>,
    target: Target<'a>,
}

impl Copy<'_> {
    fn source(&mut self, tree: &dyn Tree, source: &Source) -> Result<(), CopyError> {
        if self.op.parents {
            return self.with_parents(tree, source);
        }
        let destination = Path::new(&self.op.destination);
        if self.op.unpack == Unpack::Archives && source.entry.kind == EntryKind::File {
            let file = File::from(tree.open(&source.entry)?);
            let failed = |error| CopyError::Unpack { path: source.path.clone(), source: error };
            if let Some(archive) = unpack::open(file, &source.path).map_err(failed)? {
                let path = self.directory_at(destination)?;
                return unpack::into(archive, &mut self.target, &path, self.owner).map_err(failed);
            }
        }
        if is_dir(&source.entry) {
            let path = self.directory_at(destination)?;
            return self.contents(tree, source, &path);
        }
        let path = self.file_path(source.name().as_ref())?;
        self.put(tree, &source.entry, &path)
    }

    /// Where a file named `name` goes: into the destination when that is a directory, else it becomes it.
    fn file_path(&mut self, name: &Path) -> Result<PathBuf, CopyError> {
        let destination = Path::new(&self.op.destination);
        if self.op.destination.ends_with('/') {
            return Ok(self.directory_at(destination)?.join(name));
        }
        let (path, existing) = self.target.resolve(destination, Links::Follow)?;
        Ok(match existing {
            Some(Existing::Dir) => path.join(name),
            _ => path,
        })
    }

    /// The destination as a directory, made when it is not there.
    fn directory_at(&mut self, path: &Path) -> Result<PathBuf, CopyError> {
        let (path, _) = self.target.resolve(path, Links::Follow)?;
        self.make_directory(&path)?;
        Ok(path)
    }

    fn contents(&mut self, tree: &dyn Tree, source: &Source, path: &Path) -> Result<(), CopyError> {
        for item in select::walk(tree, self.op, source)? {
            self.put(tree, &item.entry, &path.join(&item.path))?;
        }
        Ok(())
    }

    fn with_parents(&mut self, tree: &dyn Tree, source: &Source) -> Result<(), CopyError> {
        let base = self.directory_at(Path::new(&self.op.destination))?;
        for (from, below) in select::parents(source) {
            if let Some(entry) = tree.lookup(&from, Links::Follow)? {
                self.put(tree, &entry, &base.join(below))?;
            }
        }
        let path = base.join(&source.below);
        if !source.below.as_os_str().is_empty() {
            self.put(tree, &source.entry, &path)?;
        }
        match is_dir(&source.entry) {
            true => self.contents(tree, source, &path),
            false => Ok(()),
        }
    }

    /// Puts one entry at a path without links. A directory that is there keeps its contents.
    fn put(&mut self, tree: &dyn Tree, entry: &Entry, path: &Path) -> Result<(), CopyError> {
        self.make_parent(path)?;
        let attributes = self.attributes(tree, entry);
        match &entry.kind {
            EntryKind::Dir => self.target.put_directory(path, &attributes, &entry.stat)?,
            EntryKind::Symlink(link) => self.target.put_link(path, link, (&attributes, &entry.stat))?,
            EntryKind::Special => self.target.put_special(path, &attributes, &entry.stat)?,
            EntryKind::File => {
                if self.target.put_again(path, &entry.stat)? {
                    return Ok(());
                }
                let file = File::from(tree.open(entry)?);
                self.target.put_file(path, &file, (&attributes, &entry.stat))?;
            }
        }
        if !matches!(entry.kind, EntryKind::Symlink(_)) {
            self.target.put_xattrs(path, &tree.xattrs(entry)?)?;
        }
        Ok(())
    }

    fn given(&mut self, name: &Path, content: &str) -> Result<(), CopyError> {
        let path = self.file_path(name)?;
        self.make_parent(&path)?;
        let (uid, gid) = self.owner.unwrap_or_default();
        let mode = self.op.chmod.as_ref().map_or(FILE_MODE, |chmod| chmod.apply(FILE_MODE, false));
        Ok(self.target.put_bytes(&path, content.as_bytes(), &Attributes { mode, uid, gid })?)
    }

    fn make_parent(&mut self, path: &Path) -> Result<(), CopyError> {
        match path.parent() {
            Some(parent) => self.make_directory(parent),
            None => Ok(()),
        }
    }

    fn make_directory(&mut self, path: &Path) -> Result<(), CopyError> {
        let (uid, gid) = self.owner.unwrap_or_default();
        let mode = self.op.chmod.as_ref().map_or(DIRECTORY_MODE, |chmod| chmod.apply(DIRECTORY_MODE, true));
        Ok(self.target.make_directory(path, &Attributes { mode, uid, gid })?)
    }

    fn attributes(&self, tree: &dyn Tree, entry: &Entry) -> Attributes {
        let (uid, gid) = self.owner.unwrap_or_else(|| tree.owner(entry));
        let mode = entry.stat.st_mode & 0o7777;
        let mode = self.op.chmod.as_ref().map_or(mode, |chmod| chmod.apply(mode, is_dir(entry)));
        Attributes { mode, uid, gid }
    }
}

/// A stack of layers to look into; `None` for no layers.
pub(crate) fn view(store: &Store, layers: &[DiffId]) -> Result<Option<LayerTree>, PrepareError> {
    match layers {
        [] => Ok(None),
        layers => Ok(Some(LayerTree(store.snapshots().view(layers)?))),
    }
}

/// A small text file of a tree; empty when it is not there.
pub(crate) fn read_text(tree: Option<&LayerTree>, path: &str) -> Result<String, TreeError> {
    use std::io::Read;
    let Some(tree) = tree else {
        return Ok(String::new());
    };
    match tree.lookup(Path::new(path), Links::Follow)? {
        Some(entry) if entry.kind == EntryKind::File => {
            let mut bytes = Vec::new();
            let file = File::from(tree.open(&entry)?);
            file.take(TEXT_BYTES_MAX)
                .read_to_end(&mut bytes)
                .map_err(|source| TreeError::read(Path::new(path), source))?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
        _ => Ok(String::new()),
    }
}

fn owner(text: &str, tree: Option<&LayerTree>) -> Result<(u32, u32), CopyError> {
    let (passwd, group) = (read_text(tree, "etc/passwd")?, read_text(tree, "etc/group")?);
    resolve_owner(text, &passwd, &group).map_err(|source| CopyError::Owner { text: text.to_owned(), source })
}

fn user(text: &str, tree: Option<&LayerTree>) -> Result<(u32, u32), CopyError> {
    let (passwd, group) = (read_text(tree, "etc/passwd")?, read_text(tree, "etc/group")?);
    let ids = tug_oci::user::resolve(text, &passwd, &group)
        .map_err(|source| CopyError::Owner { text: text.to_owned(), source })?;
    Ok((ids.uid, ids.gid))
}

/// Seconds and nanoseconds of a file's last change.
fn modified(stat: &Stat) -> rustix::fs::Timespec {
    rustix::fs::Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec as _ }
}

const DIRECTORY_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;
const TEXT_BYTES_MAX: u64 = 16 << 20;
