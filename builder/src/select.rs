//! What a copy takes of a tree: wildcards, parents, exclusions, and a key for the content.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tug_dockerfile::glob::{Pattern, PatternError};
use tug_dockerfile::ignore::{IgnoreError, Matcher};
use tug_oci::Digest;
use tug_solver::{Key, KeyBuilder};
use tug_store::view::{Entry, EntryKind, Links};

use crate::op::CopyOp;
use crate::tree::{Tree, TreeError, is_dir, relative};

/// Something that a copy takes.
pub(crate) struct Source {
    /// What it is, links followed.
    pub(crate) entry: Entry,
    /// The path as it was named, or matched.
    pub(crate) path: PathBuf,
    /// The part of that path that `--parents` keeps.
    pub(crate) below: PathBuf,
    /// Whether wildcards found it.
    wildcard: bool,
}

impl Source {
    /// The name that it gets in a directory.
    pub(crate) fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }
}

/// Something in a source that is a directory, at a path relative to it.
pub(crate) struct Item {
    pub(crate) path: PathBuf,
    pub(crate) entry: Entry,
}

/// Why there is nothing to copy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// A path that is not there.
    #[error("{path:?} not found; it may be missing, misspelt, or left out by the ignore file")]
    NotFound {
        /// As named.
        path: String,
    },
    /// A wildcard that is none.
    #[error("cannot match the source")]
    Pattern(#[from] PatternError),
    /// An exclusion that is none.
    #[error("cannot use --exclude")]
    Exclude(#[from] IgnoreError),
    /// The tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// More than anybody copies.
    #[error("{path:?} has more than {ENTRIES_MAX} entries")]
    TooMany {
        /// The source.
        path: String,
    },
}

/// The sources of a copy, in order.
pub(crate) fn select(tree: &dyn Tree, op: &CopyOp) -> Result<Vec<Source>, SelectError> {
    let exclude = Matcher::new(&op.exclude)?;
    let mut sources = Vec::new();
    for pattern in &op.sources {
        let parts = Parts::read(pattern, op.parents);
        for (path, pivot) in parts.matches(tree)? {
            let Some(entry) = tree.lookup(&path, Links::Follow)? else {
                return Err(SelectError::NotFound { path: pattern.clone() });
            };
            let below = path.iter().skip(pivot).collect();
            let source = Source { entry, path, below, wildcard: parts.wildcard };
            let left_out = source.wildcard
                && !is_dir(&source.entry)
                && exclude.matches(&source.name().to_string_lossy());
            if !left_out {
                sources.push(source);
            }
        }
    }
    Ok(sources)
}

/// What a directory holds, all the way down, each directory before its contents.
pub(crate) fn walk(tree: &dyn Tree, op: &CopyOp, source: &Source) -> Result<Vec<Item>, SelectError> {
    let exclude = Matcher::new(&op.exclude)?;
    let kept = |path: &Path, entry: &Entry| {
        let text = path.to_string_lossy();
        exclude.is_empty() || !exclude.matches(&text) || (is_dir(entry) && exclude.may_hold_exceptions(&text))
    };
    let mut items: Vec<Item> = Vec::new();
    let mut open = vec![clone(&source.entry)];
    while let Some(directory) = open.pop() {
        let found = if items.len() < MANY {
            tree.children(&directory)?.into_iter().map(|(_, entry)| entry).collect()
        } else {
            // A large tree is worth several threads.
            open.push(directory);
            tree.descend(std::mem::take(&mut open))?
        };
        let descended = items.len() >= MANY;
        for entry in found {
            let path = entry.path.strip_prefix(&source.entry.path).unwrap_or(&entry.path).to_owned();
            if kept(&path, &entry) {
                if is_dir(&entry) && !descended {
                    open.push(clone(&entry));
                }
                items.push(Item { path, entry });
            }
        }
        if items.len() > ENTRIES_MAX {
            return Err(SelectError::TooMany { path: source.path.to_string_lossy().into_owned() });
        }
    }
    items.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(items)
}

/// A key for all that the copy would take: names, modes, owners, links, attributes and content, but no times.
pub(crate) fn content_key(tree: &dyn Tree, op: &CopyOp) -> Result<Key, SelectError> {
    let mut entries: Vec<(Vec<u8>, Entry)> = Vec::new();
    let mut key = KeyBuilder::new("selection 1");
    for source in select(tree, op)? {
        let shown = if op.parents { source.below.as_os_str() } else { source.name() };
        key.bytes(shown.as_bytes()).number(u64::from(is_dir(&source.entry)));
        if op.parents {
            for (path, _) in parents(&source) {
                if let Some(entry) = tree.lookup(&path, Links::Follow)? {
                    metadata(&mut key, tree, &entry)?;
                }
            }
        }
        if is_dir(&source.entry) {
            let items = walk(tree, op, &source)?;
            key.number(items.len() as u64);
            entries.extend(
                items.into_iter().map(|item| (item.path.into_os_string().as_bytes().to_vec(), item.entry)),
            );
        } else {
            entries.push((Vec::new(), source.entry));
        }
    }
    let digests = digests(tree, &entries)?;
    for ((path, entry), digest) in entries.iter().zip(&digests) {
        key.bytes(path);
        metadata(&mut key, tree, entry)?;
        if let Some(digest) = digest {
            key.text(digest.hex());
        }
    }
    Ok(key.finish())
}

/// The directories above a source that `--parents` keeps: in the tree, and below the destination.
pub(crate) fn parents(source: &Source) -> Vec<(PathBuf, PathBuf)> {
    let skipped = source.path.iter().count() - source.below.iter().count();
    let prefix: PathBuf = source.path.iter().take(skipped).collect();
    let mut parents: Vec<PathBuf> = source.below.ancestors().skip(1).map(Path::to_owned).collect();
    parents.retain(|path| !path.as_os_str().is_empty());
    parents.reverse();
    parents.into_iter().map(|below| (prefix.join(&below), below)).collect()
}

fn metadata(key: &mut KeyBuilder, tree: &dyn Tree, entry: &Entry) -> Result<(), SelectError> {
    let (uid, gid) = tree.owner(entry);
    let mode = u64::from(entry.stat.st_mode & 0o7777);
    match &entry.kind {
        EntryKind::File => key.text("file").number(mode),
        EntryKind::Dir => key.text("dir").number(mode),
        EntryKind::Symlink(target) => key.text("link").bytes(target.as_os_str().as_bytes()),
        EntryKind::Special => {
            key.text("special").number(u64::from(entry.stat.st_mode)).number(entry.stat.st_rdev)
        }
    };
    key.number(u64::from(uid)).number(u64::from(gid));
    for xattr in tree.xattrs(entry)? {
        key.bytes(xattr.name.as_bytes()).bytes(&xattr.value);
    }
    Ok(())
}

/// The digests of the regular files, by several threads when there is much to do.
fn digests(tree: &dyn Tree, entries: &[(Vec<u8>, Entry)]) -> Result<Vec<Option<Digest>>, TreeError> {
    let bytes: i64 = entries.iter().map(|(_, entry)| entry.stat.st_size).sum();
    let digest = |entry: &Entry| match entry.kind {
        EntryKind::File => tree.digest(entry).map(Some),
        _ => Ok(None),
    };
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get().min(THREADS_MAX));
    if threads == 1 || bytes < PARALLEL_BYTES {
        return entries.iter().map(|(_, entry)| digest(entry)).collect();
    }
    let next = AtomicUsize::new(0);
    let found = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let start = next.fetch_add(BATCH, Ordering::Relaxed);
                    let Some(batch) = entries.get(start..entries.len().min(start + BATCH)) else {
                        return;
                    };
                    if batch.is_empty() {
                        return;
                    }
                    let digests: Result<Vec<_>, _> = batch.iter().map(|(_, entry)| digest(entry)).collect();
                    found.lock().unwrap_or_else(PoisonError::into_inner).insert(start, digests);
                }
            });
        }
    });
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let batches: Result<Vec<_>, _> = found.into_values().collect();
    Ok(batches?.into_iter().flatten().collect())
}

/// A source as named, in components.
struct Parts {
    parts: Vec<Part>,
    /// How many components stand before the pivot `/./` of `--parents`.
    pivot: usize,
    wildcard: bool,
}

enum Part {
    Name(OsString),
    Wildcard(String),
    /// Any number of directories.
    Any,
}

impl Parts {
    fn read(pattern: &str, parents: bool) -> Parts {
        let (before, after) = match pattern.split_once("/./") {
            Some((before, after)) if parents => (before, Some(after)),
            _ => (pattern, None),
        };
        let mut parts = Vec::new();
        let mut read = |text: &str| {
            for component in relative(Path::new(text)).iter() {
                let component = component.to_string_lossy().into_owned();
                parts.push(match component.as_str() {
                    "**" if parents => Part::Any,
                    literal if Pattern::is_literal(literal) => Part::Name(component.into()),
                    _ => Part::Wildcard(component),
                });
            }
            parts.len()
        };
        let pivot = read(before);
        let pivot = match after {
            Some(after) => {
                read(after);
                pivot
            }
            None => 0,
        };
        let wildcard = parts.iter().any(|part| !matches!(part, Part::Name(_)));
        Parts { parts, pivot, wildcard }
    }

    /// The paths that fit, in order, and how many components of each stand before the pivot.
    fn matches(&self, tree: &dyn Tree) -> Result<Vec<(PathBuf, usize)>, SelectError> {
        let mut found = BTreeMap::new();
        self.expand(tree, Reached { path: PathBuf::new(), at: 0, pivot: 0 }, &mut found)?;
        Ok(found.into_iter().collect())
    }

    fn expand(
        &self,
        tree: &dyn Tree,
        reached: Reached,
        found: &mut BTreeMap<PathBuf, usize>,
    ) -> Result<(), SelectError> {
        let mut open = vec![reached];
        while let Some(Reached { path, at, pivot }) = open.pop() {
            let pivot = if at == self.pivot { path.iter().count() } else { pivot };
            let Some(part) = self.parts.get(at) else {
                if self.wildcard && tree.lookup(&path, Links::Keep)?.is_none() {
                    continue;
                }
                found.insert(path, pivot);
                if found.len() > ENTRIES_MAX {
                    return Err(SelectError::TooMany { path: format!("source {}", self.parts.len()) });
                }
                continue;
            };
            match part {
                Part::Name(name) => open.push(Reached { path: path.join(name), at: at + 1, pivot }),
                Part::Wildcard(pattern) => {
                    let pattern = Pattern::new(pattern)?;
                    for (name, _) in directory(tree, &path)? {
                        if pattern.matches(&name.to_string_lossy()) {
                            open.push(Reached { path: path.join(name), at: at + 1, pivot });
                        }
                    }
                }
                Part::Any => {
                    for (name, entry) in directory(tree, &path)? {
                        if is_dir(&entry) {
                            open.push(Reached { path: path.join(name), at, pivot });
                        }
                    }
                    open.push(Reached { path, at: at + 1, pivot });
                }
            }
        }
        Ok(())
    }
}

struct Reached {
    path: PathBuf,
    at: usize,
    pivot: usize,
}

fn directory(tree: &dyn Tree, path: &Path) -> Result<Vec<(OsString, Entry)>, TreeError> {
    match tree.lookup(path, Links::Follow)? {
        Some(entry) if is_dir(&entry) => tree.children(&entry),
        _ => Ok(Vec::new()),
    }
}

pub(crate) fn clone(entry: &Entry) -> Entry {
    Entry { path: entry.path.clone(), kind: entry.kind.clone(), stat: entry.stat }
}

const ENTRIES_MAX: usize = 10_000_000;
const MANY: usize = 1000;
const THREADS_MAX: usize = 16;
const PARALLEL_BYTES: i64 = 1 << 20;
const BATCH: usize = 32;
