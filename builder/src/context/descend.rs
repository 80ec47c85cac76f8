//! Listing directories of the context all the way down, by several threads.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use ignore::{WalkBuilder, WalkState};
use tug_store::view::{Entry, EntryKind};

use crate::context::Context;
use crate::tree::TreeError;

/// What `directories` hold. The walk goes by paths and takes names and metadata only: what is read later is opened
/// beneath the context's root.
pub(super) fn descend(context: &Context, directories: &[Entry]) -> Result<Vec<Entry>, TreeError> {
    let Some((first, more)) = directories.split_first() else {
        return Ok(Vec::new());
    };
    let mut walk = WalkBuilder::new(context.path.join(&first.path));
    more.iter().for_each(|directory| {
        walk.add(context.path.join(&directory.path));
    });
    walk.standard_filters(false).follow_links(false);
    let (sender, found) = mpsc::channel();
    walk.build_parallel().run(|| {
        let sender = sender.clone();
        Box::new(move |visited| {
            let seen = visit(context, visited);
            let next = match &seen {
                Ok(Visited::Ignored) => WalkState::Skip,
                Err(_) => WalkState::Quit,
                Ok(Visited::Shown(_) | Visited::Passed) => WalkState::Continue,
            };
            match sender.send(seen) {
                Ok(()) => next,
                Err(_) => WalkState::Quit,
            }
        })
    });
    drop(sender);
    let mut entries = BTreeMap::new();
    for seen in found {
        if let Visited::Shown(entry) = seen? {
            entries.insert(entry.path.clone(), *entry);
        }
    }
    show_through(context, directories, &mut entries)?;
    Ok(entries.into_values().collect())
}

enum Visited {
    /// An entry of the context.
    Shown(Box<Entry>),
    /// One that is none itself, but something in it may be.
    Passed,
    /// One that is none.
    Ignored,
}

fn visit(context: &Context, visited: Result<ignore::DirEntry, ignore::Error>) -> Result<Visited, TreeError> {
    let visited = visited.map_err(|error| {
        let message = error.to_string();
        TreeError::read(&context.path, error.into_io_error().unwrap_or_else(|| io::Error::other(message)))
    })?;
    if visited.depth() == 0 {
        return Ok(Visited::Passed);
    }
    let path = visited.path().strip_prefix(&context.path).unwrap_or(Path::new("")).to_owned();
    let directory = visited.file_type().is_some_and(|kind| kind.is_dir());
    match context.is_ignored(&path) {
        true if directory && context.ignore.may_hold_exceptions(&path.to_string_lossy()) => {
            Ok(Visited::Passed)
        }
        true => Ok(Visited::Ignored),
        false => Ok(Visited::Shown(Box::new(context.entry_at(path)?))),
    }
}

/// Adds the ignored directories that hold something that is not.
fn show_through(
    context: &Context,
    directories: &[Entry],
    entries: &mut BTreeMap<PathBuf, Entry>,
) -> Result<(), TreeError> {
    if context.ignore.is_empty() {
        return Ok(());
    }
    let top = |path: &Path| path.as_os_str().is_empty() || directories.iter().any(|each| each.path == path);
    let mut missing: Vec<PathBuf> = Vec::new();
    for path in entries.keys() {
        let above = path.ancestors().skip(1).take_while(|above| !top(above) && !entries.contains_key(*above));
        missing.extend(above.map(Path::to_owned));
    }
    for path in missing {
        let entry = context.entry_at(path)?;
        if entry.kind == EntryKind::Dir {
            entries.insert(entry.path.clone(), entry);
        }
    }
    Ok(())
}
