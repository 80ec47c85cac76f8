//! Stacks of layers made ready.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use tug_store::layer::{Settle, layer_fs};
use tug_store::snapshot::PrepareError;
use tug_store::view::Links;

use crate::fixture::{Fixture, told};
use crate::stack::{Line, layer, plain};

#[test]
fn layers_come_top_first_and_once() {
    let fixture = Fixture::new();
    let (one, two) = (fixture.layer("one"), fixture.layer("two"));
    let lowers = fixture.store.snapshots().lowers(&[one.clone(), two.clone(), one.clone()]).unwrap();
    assert_eq!(lowers, [layer_fs(fixture.root(), &one), layer_fs(fixture.root(), &two)]);
}

#[test]
fn what_lies_below_an_opaque_root_is_left_out() {
    let fixture = Fixture::new();
    let (one, two) = (fixture.layer("one"), layer(&fixture, &[plain(".wh..wh..opq"), plain("new")]));
    let lowers = fixture.store.snapshots().lowers(&[one, two.clone()]).unwrap();
    assert_eq!(lowers, [layer_fs(fixture.root(), &two)]);
}

#[test]
fn a_layer_that_fits_as_it_is_is_not_composed() {
    let fixture = Fixture::new();
    let below = layer(&fixture, &[plain("usr/"), plain("usr/below")]);
    let above = layer(&fixture, &[plain("usr/bin/tool")]);
    for _ in 0..2 {
        let lowers = fixture.store.snapshots().lowers(&[below.clone(), above.clone()]).unwrap();
        assert_eq!(lowers[0], layer_fs(fixture.root(), &above));
    }
}

#[test]
fn an_implied_directory_looks_as_it_does_below() {
    let fixture = Fixture::new();
    let below = layer(&fixture, &[Line("srv/", 0o2750, 7), plain("srv/old")]);
    let above = layer(&fixture, &[plain("srv/new")]);
    let snapshots = fixture.store.snapshots();
    let lowers = snapshots.lowers(&[below.clone(), above.clone()]).unwrap();
    assert!(lowers[0].starts_with(fixture.root().join("composed")), "{lowers:?}");
    assert_eq!(lowers, snapshots.lowers(&[below.clone(), above.clone()]).unwrap(), "made once");
    let srv = fs::metadata(lowers[0].join("srv")).unwrap();
    assert_eq!((srv.mode() & 0o7777, srv.uid(), srv.mtime()), (0o2750, 7, 1_000_000_000));
    let own = layer_fs(fixture.root(), &above).join("srv/new");
    assert_eq!(
        fs::metadata(lowers[0].join("srv/new")).unwrap().ino(),
        fs::metadata(own).unwrap().ino(),
        "no copy"
    );
    assert_eq!(fs::metadata(layer_fs(fixture.root(), &above).join("srv")).unwrap().mode() & 0o7777, 0o755);
    assert!(!fixture.has_leftovers());
    fixture.assert_sound();
}

#[test]
fn what_an_opaque_directory_hides_lends_no_looks() {
    let fixture = Fixture::new();
    let below = layer(&fixture, &[Line("a/", 0o750, 0), Line("a/b/", 0o700, 7), plain("a/b/old")]);
    let above = layer(&fixture, &[plain("a/.wh..wh..opq"), plain("a/b/new")]);
    let view = fixture.store.snapshots().view(&[below, above]).unwrap();
    let mode = |path: &str| {
        let stat = view.lookup(Path::new(path), Links::Keep).unwrap().unwrap().stat;
        (stat.st_mode & 0o7777, stat.st_uid)
    };
    assert_eq!((mode("a"), mode("a/b")), ((0o750, 0), (0o755, 0)));
    assert!(view.lookup(Path::new("a/b/old"), Links::Keep).unwrap().is_none());
}

#[test]
fn files_below_a_link_of_another_layer_go_where_it_leads() {
    let fixture = Fixture::new();
    let below = layer(&fixture, &[plain("bin -> usr/bin"), Line("usr/", 0o711, 0), plain("usr/bin/")]);
    let above = layer(&fixture, &[plain("bin/tool")]);
    let view = fixture.store.snapshots().view(&[below, above]).unwrap();
    let tool = view.lookup(Path::new("bin/tool"), Links::Keep).unwrap().unwrap();
    assert_eq!(tool.path, Path::new("usr/bin/tool"));
    let usr = view.lookup(Path::new("usr"), Links::Keep).unwrap().unwrap();
    assert_eq!(usr.stat.st_mode & 0o7777, 0o711);
}

#[test]
fn a_hard_link_into_another_layer_has_the_file_beside_it() {
    let fixture = Fixture::new();
    let below = layer(&fixture, &[Line("a", 0o4755, 7), plain("dir/")]);
    let above = layer(&fixture, &[plain("b => a"), plain("c => b")]);
    let view = fixture.store.snapshots().view(&[below.clone(), above]).unwrap();
    let stat = |path: &str| view.lookup(Path::new(path), Links::Keep).unwrap().unwrap().stat;
    assert_eq!((stat("b").st_mode & 0o7777, stat("b").st_uid), (0o4755, 7));
    assert_eq!((stat("a").st_ino, stat("b").st_ino), (stat("b").st_ino, stat("c").st_ino));
    let kept = layer(&fixture, &[plain("b => a"), plain(".wh.a")]);
    let view = fixture.store.snapshots().view(&[below.clone(), kept]).unwrap();
    assert!(view.lookup(Path::new("a"), Links::Keep).unwrap().is_none());
    assert!(view.lookup(Path::new("b"), Links::Keep).unwrap().is_some());
    for (line, says) in [("b => nothing", "which is not there"), ("b => dir", "which is a folder")] {
        let wrong = layer(&fixture, &[plain(line)]);
        let error = fixture.store.snapshots().lowers(&[below.clone(), wrong]).unwrap_err();
        assert!(told(&error).contains(says), "{}", told(&error));
    }
}

#[test]
fn a_layer_that_does_not_fit_is_refused() {
    let fixture = Fixture::new();
    let (below, above) = (layer(&fixture, &[plain("a")]), layer(&fixture, &[plain("a/x")]));
    let error = fixture.store.snapshots().prepare(&[below, above]).err().unwrap();
    assert!(told(&error).contains("a, which is no folder"), "{}", told(&error));
    let missing = tug_oci::DiffId(tug_oci::Digest::of(b"missing"));
    let error = fixture.store.snapshots().lowers(&[missing]).unwrap_err();
    assert!(matches!(error, PrepareError::Missing(_)));
    assert!(!fixture.has_leftovers());
}

#[test]
fn changes_become_a_layer_and_none_none() {
    let fixture = Fixture::new();
    let base = fixture.layer("base");
    let snapshots = fixture.store.snapshots();
    let active = snapshots.prepare(std::slice::from_ref(&base)).unwrap();
    assert_eq!(active.lowers(), [layer_fs(fixture.root(), &base)]);
    assert_eq!(active.commit(Settle::default()).unwrap(), None);
    let active = snapshots.prepare(&[base]).unwrap();
    fs::write(active.upper().join("new"), "").unwrap();
    let layer = active.commit(Settle::default()).unwrap().unwrap();
    assert!(fixture.store.layers().contains(&layer.diff_id));
    drop(snapshots.prepare(&[]).unwrap());
    assert!(!fixture.has_leftovers());
}
