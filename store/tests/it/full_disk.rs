//! A full disk: a clear error, a sound store, and a way out.

use std::io::Write;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags};
use tug_store::Store;
use tug_store::gc::Policy;

use crate::fixture::{bare, name, told};

/// A small file system that goes when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: &Path) -> Option<SmallDisk> {
        std::fs::create_dir(path).unwrap();
        match rustix::mount::mount("tmpfs", path, "tmpfs", MountFlags::empty(), Some(c"size=1m")) {
            Ok(()) => Some(SmallDisk(path.to_owned())),
            Err(error) => {
                eprintln!("skipped: cannot mount a tmpfs here: {error}");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.0, UnmountFlags::DETACH).unwrap();
    }
}

#[test]
fn a_full_disk_is_told_and_breaks_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&directory.path().join("disk")) else { return };
    let store = Store::open(&disk.0.join("store")).unwrap();
    let image = store.images().write(&bare("kept")).unwrap();
    store.names().set(&name("kept:1"), &image.descriptor).unwrap();

    let mut ingest = store.content().ingest().unwrap();
    let error = ingest.write_all(&vec![1; 2 << 20]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");
    drop(ingest);

    // Small blobs until nothing fits, then records until those do not either.
    let full = (0_u32..).find_map(|n| store.content().put("text/plain", &n.to_le_bytes().repeat(1000)).err());
    assert!(told(&full.unwrap()).contains("No space left"));
    let stamp = |n: u64| {
        let digest = tug_oci::Digest::of(b"x");
        let stamp = tug_store::cache::FileStamp { size: n, mtime_ns: 0, ctime_ns: 0, inode: n, digest };
        (n.to_le_bytes().repeat(50), stamp)
    };
    let full = (0_u64..).find_map(|n| store.cache().put_stamps("tree", &[stamp(n)], &[]).err());
    assert!(told(&full.unwrap()).contains("full"));

    assert_eq!(store.fsck().unwrap().problems, Vec::<String>::new());
    assert_eq!(store.names().get(&name("kept:1")).unwrap(), Some(image.descriptor.clone()));
    let collected = store.collect(&Policy { cache: true, ..Policy::default() }).unwrap();
    assert!(collected.blobs > 0);
    store.content().put("text/plain", &[3; 100_000]).unwrap();
    assert_eq!(store.names().get(&name("kept:1")).unwrap(), Some(image.descriptor));
    assert_eq!(store.fsck().unwrap().problems, Vec::<String>::new());
}
