//! Stacks of foreign layers for the tests of views and snapshots.

use std::io::Write as _;

use tug_oci::{Descriptor, DiffId, MediaType};

use crate::fixture::Fixture;

/// `path` or `path/` or `path -> target` or `path => target` (hard link), and owner and mode of what is not default.
pub(crate) struct Line(pub(crate) &'static str, pub(crate) u32, pub(crate) u64);

/// What has the default owner and mode.
pub(crate) fn plain(path: &'static str) -> Line {
    Line(path, 0, 0)
}

/// A layer of these entries; a file's content is its own path.
pub(crate) fn layer(fixture: &Fixture, lines: &[Line]) -> DiffId {
    let mut archive = tar::Builder::new(Vec::new());
    for Line(text, mode, owner) in lines {
        let mut header = tar::Header::new_ustar();
        header.set_mtime(1_000_000_000);
        header.set_uid(*owner);
        header.set_gid(*owner);
        header.set_size(0);
        header.set_mode(if *mode == 0 { 0o644 } else { *mode });
        if let Some((path, target)) = text.split_once(" -> ") {
            header.set_entry_type(tar::EntryType::Symlink);
            archive.append_link(&mut header, path, target).unwrap();
        } else if let Some((path, target)) = text.split_once(" => ") {
            header.set_entry_type(tar::EntryType::Link);
            archive.append_link(&mut header, path, target).unwrap();
        } else if text.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(if *mode == 0 { 0o755 } else { *mode });
            archive.append_data(&mut header, text, &b""[..]).unwrap();
        } else {
            header.set_size(text.len() as u64);
            archive.append_data(&mut header, text, text.as_bytes()).unwrap();
        }
    }
    let bytes = archive.into_inner().unwrap();
    let blob = Descriptor::of(MediaType::OCI_LAYER, &bytes);
    let mut receiver = fixture.store.layers().receive(&blob.media_type).unwrap();
    receiver.write_all(&bytes).unwrap();
    receiver.commit(&blob, None).unwrap().diff_id
}
