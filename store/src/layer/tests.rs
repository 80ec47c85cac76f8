//! Archives into directories and back.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, XattrFlags};

use super::apply::{ApplyError, apply};
use super::leaning::Leaning;
use super::pack::{WalkError, pack};
use crate::beneath;
use crate::tarball::{Kind, Member, TarReader, TarWriter};

fn open(path: &Path) -> OwnedFd {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).unwrap()
}

fn archive(members: &[(Member, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = TarWriter::new(&mut bytes);
    for (member, content) in members {
        let mut member = member.clone();
        member.size = content.len() as u64;
        writer.whole(&member, content).unwrap();
    }
    writer.finish().unwrap();
    bytes
}

fn member(path: &str, kind: Kind) -> Member {
    let mode = if kind == Kind::Dir { 0o755 } else { 0o644 };
    let mut member = Member::new(path.into(), kind, mode);
    member.mtime.secs = 1_000_000_000;
    member
}

fn link(path: &str, kind: Kind, to: &str) -> Member {
    let mut member = member(path, kind);
    member.link = to.into();
    if kind == Kind::Symlink {
        member.mode = 0o777;
    }
    member
}

fn applied(members: &[(Member, &[u8])]) -> Result<(tempfile::TempDir, Leaning), ApplyError> {
    let root = tempfile::tempdir().unwrap();
    let leaning = apply(&archive(members)[..], open(root.path()))?;
    Ok((root, leaning))
}

fn packed(root: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let size = pack(open(root), None, &mut bytes).unwrap();
    assert_eq!(size, bytes.len() as u64);
    bytes
}

fn names(archive: &[u8]) -> Vec<String> {
    let mut reader = TarReader::new(archive);
    let mut names = Vec::new();
    while let Some(member) = reader.next_member().unwrap() {
        names.push(String::from_utf8(member.path).unwrap());
    }
    names
}

#[test]
fn a_canonical_archive_comes_back_byte_for_byte() {
    let mut owned = member("bin/tool", Kind::File);
    (owned.uid, owned.gid, owned.mode) = (1000, 2000, 0o4750);
    owned.xattrs = vec![
        (b"security.capability".to_vec(), vec![1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        (b"user.note".to_vec(), b"kept".to_vec()),
    ];
    let mut sticky = member("tmp/", Kind::Dir);
    sticky.mode = 0o1777;
    let mut whiteout = Member::new(b"tmp/.wh.gone".to_vec(), Kind::File, 0o600);
    whiteout.mtime.secs = 0;
    let opaque = Member::new(b"etc/.wh..wh..opq".to_vec(), Kind::File, 0o600);
    let mut device = member("null", Kind::Char);
    device.device = (1, 3);
    let mut alias = link("bin/zz", Kind::HardLink, "bin/tool");
    (alias.uid, alias.gid, alias.mode) = (1000, 2000, 0o4750);
    let bytes = archive(&[
        (member("bin/", Kind::Dir), b""),
        (owned, b"#!"),
        (alias, b""),
        (member("etc/", Kind::Dir), b""),
        (opaque, b""),
        (member("etc/caf\u{e9}", Kind::File), &[7; 1000]),
        (link("lib", Kind::Symlink, "usr/lib"), b""),
        (device, b""),
        (member("pipe", Kind::Fifo), b""),
        (sticky, b""),
        (whiteout, b""),
    ]);
    let root = tempfile::tempdir().unwrap();
    let leaning = apply(&bytes[..], open(root.path())).unwrap();
    assert!(leaning.is_empty());
    assert!(packed(root.path()) == bytes, "{:?}", names(&packed(root.path())));
    let opaque = open(&root.path().join("etc"));
    assert!(beneath::is_opaque(opaque).unwrap());
    let gone = rustix::fs::lstat(root.path().join("tmp/gone")).unwrap();
    assert!(beneath::is_whiteout(&gone));
}

#[test]
fn members_are_sorted_a_directory_first() {
    let root = tempfile::tempdir().unwrap();
    for path in ["b/x", "b.txt", "a", "b/a/deep"] {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"").unwrap();
    }
    assert_eq!(names(&packed(root.path())), ["a", "b/", "b/a/", "b/a/deep", "b/x", "b.txt"]);
}

#[test]
fn very_deep_directories_are_packed_without_a_descriptor_each() {
    let root = tempfile::tempdir().unwrap();
    let deep = "d/".repeat(300);
    let bytes = archive(&[(member(&format!("{deep}f"), Kind::File), b"x")]);
    let leaning = apply(&bytes[..], open(root.path())).unwrap();
    assert_eq!(leaning.implied.len(), 300);
    fs::write(root.path().join("d/last"), b"").unwrap();
    let listed = names(&packed(root.path()));
    assert_eq!(listed.len(), 302);
    assert_eq!(listed.last().unwrap(), "d/last");
}

#[test]
fn later_times_are_settled_on_disk_and_in_the_archive() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("f"), b"").unwrap();
    std::os::unix::fs::symlink("f", root.path().join("l")).unwrap();
    let mut bytes = Vec::new();
    pack(open(root.path()), Some(1_000), &mut bytes).unwrap();
    let mut reader = TarReader::new(&bytes[..]);
    while let Some(member) = reader.next_member().unwrap() {
        assert_eq!(member.mtime.secs, 1_000);
    }
    assert_eq!(fs::symlink_metadata(root.path().join("l")).unwrap().mtime(), 1_000);
    assert_eq!(packed(root.path()), bytes);
}

#[test]
fn what_would_mean_something_else_is_refused() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join(".wh.x"), b"").unwrap();
    let error = pack(open(root.path()), None, std::io::sink()).unwrap_err();
    assert!(matches!(error, WalkError::Name(name) if name == ".wh.x"));
    let mut device = member("x", Kind::Char);
    device.device = (0, 0);
    assert!(matches!(applied(&[(device, b"")]), Err(ApplyError::WhiteoutDevice(_))));
    assert!(matches!(applied(&[(member("../x", Kind::File), b"")]), Err(ApplyError::Climbs(_))));
}

#[test]
fn overlay_attributes_stay_out_of_archives_and_directories() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("d")).unwrap();
    let directory = open(&root.path().join("d"));
    for name in ["user.overlay.origin", "user.overlay.impure"] {
        rustix::fs::fsetxattr(&directory, name, b"y", XattrFlags::empty()).unwrap();
    }
    let bytes = packed(root.path());
    assert_eq!(TarReader::new(&bytes[..]).next_member().unwrap().unwrap().xattrs, []);
    let mut directory = member("d", Kind::Dir);
    directory.xattrs = vec![(b"user.overlay.opaque".to_vec(), b"y".to_vec())];
    rustix::fs::setxattr(root.path().join("d"), "user.overlay.redirect", b"/x", XattrFlags::empty()).unwrap();
    let error = pack(open(root.path()), None, std::io::sink()).unwrap_err();
    assert!(matches!(error, WalkError::Overlay(name) if name == "d"));
    let (root, _) = applied(&[(directory, b"")]).unwrap();
    assert!(!beneath::is_opaque(open(&root.path().join("d"))).unwrap());
}

#[test]
fn a_directory_in_place_of_a_file_hides_what_is_below() {
    let (root, _) = applied(&[
        (member(".wh.a", Kind::File), b""),
        (member("a/x", Kind::File), b""),
        (member("b", Kind::File), b""),
        (member("b", Kind::Dir), b""),
        (member("c/y", Kind::File), b""),
    ])
    .unwrap();
    let opaque = |name: &str| beneath::is_opaque(open(&root.path().join(name))).unwrap();
    assert!(opaque("a") && opaque("b") && !opaque("c"));
}

#[test]
fn what_leans_on_below_is_recorded() {
    let (root, leaning) = applied(&[
        (member("usr/bin/tool", Kind::File), b"x"),
        (link("usr/bin/old", Kind::HardLink, "/usr/lib/below"), b""),
        (link("usr/bin/older", Kind::HardLink, "usr/bin/old"), b""),
        (link("usr/bin/again", Kind::HardLink, "nowhere"), b""),
        (member("usr/bin/again", Kind::File), b""),
        (member("usr", Kind::Dir), b""),
    ])
    .unwrap();
    assert_eq!(leaning.implied, [b"usr/bin"]);
    let pair = |path: &str, target: &str| (path.as_bytes().to_vec(), target.as_bytes().to_vec());
    assert_eq!(leaning.links, [pair("usr/bin/old", "usr/lib/below"), pair("usr/bin/older", "usr/bin/old")]);
    assert!(!root.path().join("usr/bin/old").exists());
    let implied = fs::metadata(root.path().join("usr/bin")).unwrap();
    assert_eq!((implied.permissions().mode() & 0o7777, implied.mtime()), (0o755, 0));
}
