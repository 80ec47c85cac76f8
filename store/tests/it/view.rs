//! Stacks looked into, and held against the kernel's own overlayfs.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags};
use tug_oci::DiffId;
use tug_store::view::{EntryKind, Links, View, ViewError};

use crate::fixture::Fixture;
use crate::stack::{Line, layer, plain};

fn stack(fixture: &Fixture) -> Vec<DiffId> {
    vec![
        layer(
            fixture,
            &[
                plain("etc/"),
                plain("etc/passwd"),
                plain("etc/hidden"),
                Line("opt/", 0o700, 7),
                plain("opt/old"),
                plain("opt/sub/"),
                plain("opt/sub/old"),
                plain("bin -> usr/bin"),
                plain("usr/"),
                plain("usr/bin/"),
                plain("usr/bin/sh"),
                plain("was-dir/"),
                plain("was-dir/x"),
                plain("was-file"),
            ],
        ),
        layer(
            fixture,
            &[
                plain("etc/"),
                plain("etc/.wh.hidden"),
                plain("etc/group"),
                plain("opt/.wh..wh..opq"),
                plain("opt/new"),
                plain("was-dir"),
                plain("was-file/"),
                plain("was-file/y"),
                plain("usr/bin/tool"),
                plain("usr/bin/link => usr/bin/sh"),
            ],
        ),
        layer(fixture, &[plain("etc/hidden"), plain(".wh.was-dir"), plain("up -> ../../../etc")]),
    ]
}

fn view(fixture: &Fixture, layers: &[DiffId]) -> View {
    fixture.store.snapshots().view(layers).unwrap()
}

fn real(view: &View, path: &str) -> Option<PathBuf> {
    view.lookup(Path::new(path), Links::Follow).unwrap().map(|entry| entry.path)
}

#[test]
fn links_lead_inside_the_root() {
    let fixture = Fixture::new();
    let view = view(&fixture, &stack(&fixture));
    for (path, leads_to) in [
        ("/bin/sh", Some("usr/bin/sh")),
        ("bin", Some("usr/bin")),
        ("up/passwd", Some("etc/passwd")),
        ("/../../etc/./passwd", Some("etc/passwd")),
        ("etc/passwd/below", None),
        ("nothing/here", None),
        ("/", Some("")),
    ] {
        assert_eq!(real(&view, path), leads_to.map(PathBuf::from), "{path}");
    }
    let link = view.lookup(Path::new("bin"), Links::Keep).unwrap().unwrap();
    assert_eq!(link.kind, EntryKind::Symlink("usr/bin".into()));
}

#[test]
fn links_without_end_are_an_error() {
    let fixture = Fixture::new();
    let layer = layer(&fixture, &[plain("a -> b"), plain("b -> a/x")]);
    let error = view(&fixture, &[layer]).lookup(Path::new("a"), Links::Follow).err().unwrap();
    assert!(matches!(error, ViewError::LinkLoop { .. }), "{error}");
}

#[test]
fn an_empty_stack_has_an_empty_root() {
    let fixture = Fixture::new();
    let view = view(&fixture, &[]);
    let root = view.lookup(Path::new("/"), Links::Keep).unwrap().unwrap();
    assert_eq!(root.kind, EntryKind::Dir);
    assert_eq!(view.read_dir(&root).unwrap().len(), 0);
    assert!(!fixture.has_leftovers());
}

/// Path → kind and mode, owner, content or target.
type Facts = BTreeMap<PathBuf, (u32, u32, i64, String)>;

fn seen_by_us(view: &View) -> Facts {
    let mut facts = Facts::new();
    for entry in view.entries() {
        let entry = entry.unwrap();
        let text = match &entry.kind {
            EntryKind::File => io::read_to_string(fs::File::from(view.open(&entry).unwrap())).unwrap(),
            EntryKind::Symlink(target) => target.display().to_string(),
            _ => String::new(),
        };
        let stat = &entry.stat;
        facts.insert(entry.path, (stat.st_mode, stat.st_uid, stat.st_mtime, text));
    }
    facts
}

fn seen_by_the_kernel(root: &Path) -> Facts {
    let mut facts = Facts::new();
    for entry in walkdir::WalkDir::new(root).min_depth(1) {
        let entry = entry.unwrap();
        let metadata = entry.path().symlink_metadata().unwrap();
        let text = match metadata.file_type() {
            kind if kind.is_file() => fs::read_to_string(entry.path()).unwrap(),
            kind if kind.is_symlink() => fs::read_link(entry.path()).unwrap().display().to_string(),
            _ => String::new(),
        };
        let path = entry.path().strip_prefix(root).unwrap().to_owned();
        facts.insert(path, (metadata.mode(), metadata.uid(), metadata.mtime(), text));
    }
    facts
}

#[test]
fn a_view_is_what_overlayfs_shows() {
    let fixture = Fixture::new();
    let layers = stack(&fixture);
    let lowers = fixture.store.snapshots().lowers(&layers).unwrap();
    let lowers: Vec<String> = lowers.iter().map(|path| path.display().to_string()).collect();
    let root = fixture.root().parent().unwrap().join("mounted");
    fs::create_dir(&root).unwrap();
    let options = CString::new(format!("ro,userxattr,lowerdir={}", lowers.join(":"))).unwrap();
    let mounted = rustix::mount::mount("overlay", &root, "overlay", MountFlags::empty(), &*options);
    if mounted == Err(rustix::io::Errno::PERM) {
        eprintln!("overlayfs cannot be mounted here: not compared");
        return;
    }
    mounted.unwrap();
    let theirs = seen_by_the_kernel(&root);
    rustix::mount::unmount(&root, UnmountFlags::DETACH).unwrap();
    let ours = seen_by_us(&view(&fixture, &layers));
    assert_eq!(ours, theirs);
    assert!(ours.contains_key(Path::new("etc/hidden")) && !ours.contains_key(Path::new("opt/old")));
}
