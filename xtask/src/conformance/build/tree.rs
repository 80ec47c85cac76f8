//! The files of an image, as the corpus writes them.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use rustix::fs::FileType;
use tug_oci::Digest;
use tug_store::view::{Entry, EntryKind, Links, View};

use super::case::Node;
use crate::Problem;

/// All files of a stack of layers, without the root.
pub(super) fn of(view: &View) -> Result<BTreeMap<String, Node>, Problem> {
    let mut nodes = BTreeMap::new();
    if let Some(root) = view.lookup(Path::new("/"), Links::Keep)? {
        walk(view, &root, &mut nodes)?;
    }
    Ok(nodes)
}

fn walk(view: &View, directory: &Entry, nodes: &mut BTreeMap<String, Node>) -> Result<(), Problem> {
    for name in view.read_dir(directory)? {
        let Some(entry) = view.lookup(&directory.path.join(&name), Links::Keep)? else {
            continue;
        };
        let path = entry.path.to_string_lossy();
        nodes.insert(format!("/{}", path.trim_start_matches('/')), node(view, &entry)?);
        if entry.kind == EntryKind::Dir {
            walk(view, &entry, nodes)?;
        }
    }
    Ok(())
}

fn node(view: &View, entry: &Entry) -> Result<Node, Problem> {
    let mode = Some(format!("0o{:o}", entry.stat.st_mode & 0o7777));
    let mut node = Node { uid: entry.stat.st_uid, gid: entry.stat.st_gid, mode, ..Node::default() };
    for (name, value) in view.xattrs(entry)? {
        node.xattrs.insert(name.to_string_lossy().into_owned(), hex(&value));
    }
    match &entry.kind {
        EntryKind::Dir => "dir".clone_into(&mut node.kind),
        EntryKind::Symlink(target) => {
            "symlink".clone_into(&mut node.kind);
            node.mode = None;
            node.to = Some(target.to_string_lossy().into_owned());
        }
        EntryKind::Special => {
            let kind = match FileType::from_raw_mode(entry.stat.st_mode) {
                FileType::Fifo => "fifo",
                FileType::CharacterDevice => "chr",
                FileType::BlockDevice => "blk",
                _ => "other",
            };
            kind.clone_into(&mut node.kind);
        }
        EntryKind::File => {
            "file".clone_into(&mut node.kind);
            let mut bytes = Vec::new();
            std::fs::File::from(view.open(entry)?).read_to_end(&mut bytes)?;
            node.size = Some(bytes.len() as u64);
            node.sha = Some(Digest::of(&bytes).hex()[..16].to_owned());
            // What is later is the build's own time.
            node.mtime = Some(entry.stat.st_mtime).filter(|time| *time <= 1_500_000_000);
        }
    }
    Ok(node)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
