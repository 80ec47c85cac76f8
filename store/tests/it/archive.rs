//! Archives written here are read by others, and theirs here.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;

use tug_oci::{Compression, DiffId, Digest, Platform, Reference};
use tug_store::archive::{self, LoadError, Loaded, Saved};
use tug_store::image::Image;
use tug_store::view::Links;

use crate::fixture::{Fixture, name, told};

fn app(fixture: &Fixture) -> Image {
    fixture.image(&["one", "two"])
}

fn docker_archive(fixture: &Fixture, image: &Image, names: &[Reference]) -> Vec<u8> {
    let mut bytes = Vec::new();
    archive::write_docker(&fixture.store, &[Saved { image, names }], &mut bytes).unwrap();
    bytes
}

fn oci_archive(fixture: &Fixture, image: &Image, names: &[Reference]) -> Vec<u8> {
    let mut bytes = Vec::new();
    archive::write_oci(&fixture.store, &[Saved { image, names }], &mut bytes).unwrap();
    bytes
}

fn load(fixture: &Fixture, bytes: &[u8]) -> Result<Vec<Loaded>, LoadError> {
    archive::read(&fixture.store, io::Cursor::new(bytes.to_vec()))
}

/// What `file` holds in the loaded image.
fn file_of(fixture: &Fixture, loaded: &Loaded) -> String {
    let image = fixture.store.images().read(&loaded.descriptor, &Platform::host()).unwrap();
    let view = fixture.store.snapshots().view(image.diff_ids()).unwrap();
    let entry = view.lookup(Path::new("/file"), Links::Keep).unwrap().unwrap();
    io::read_to_string(fs::File::from(view.open(&entry).unwrap())).unwrap()
}

fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {args:?}: {err}");
    out.into_owned()
}

#[test]
fn what_was_saved_is_loaded_again() {
    let (from, to) = (Fixture::new(), Fixture::new());
    let image = app(&from);
    let names = [name("app:1"), name("localhost:5000/team/app:2")];
    for bytes in [docker_archive(&from, &image, &names), oci_archive(&from, &image, &names)] {
        let loaded = load(&to, &bytes).unwrap();
        assert_eq!(loaded, [Loaded { names: names.to_vec(), descriptor: image.descriptor.clone() }]);
        assert_eq!(file_of(&to, &loaded[0]), "two");
        assert_eq!(to.store.names().get(&names[1]).unwrap(), Some(image.descriptor.clone()));
    }
    to.assert_sound();
    assert!(!to.has_leftovers());
}

#[test]
fn the_same_image_is_the_same_archive() {
    let (one, two) = (Fixture::new(), Fixture::new());
    let names = [name("app:1")];
    let (first, second) = (app(&one), app(&two));
    assert!(docker_archive(&one, &first, &names) == docker_archive(&two, &second, &names));
    let packed = |fixture: &Fixture, image: &Image| {
        let packed = fixture.store.images().packed(image, Compression::Gzip).unwrap();
        oci_archive(fixture, &packed, &names)
    };
    assert!(packed(&one, &first) == packed(&two, &second));
}

#[test]
fn others_read_what_is_written() {
    let fixture = Fixture::new();
    let image = app(&fixture);
    let packed = fixture.store.images().packed(&image, Compression::Gzip).unwrap();
    let place = |name: &str| fixture.root().parent().unwrap().join(name).display().to_string();
    fs::write(place("docker.tar"), docker_archive(&fixture, &image, &[name("app:1")])).unwrap();
    fs::write(place("oci.tar"), oci_archive(&fixture, &packed, &[name("app:1")])).unwrap();
    let saved = [Saved { image: &packed, names: &[name("app:1")] }];
    archive::write_oci_dir(&fixture.store, &saved, Path::new(&place("oci"))).unwrap();
    for source in ["docker-archive:docker.tar", "oci-archive:oci.tar", "oci:oci"] {
        let (transport, file) = source.split_once(':').unwrap();
        let source = format!("{transport}:{}", place(file));
        let target = format!("dir:{}", place(&format!("copy-{transport}")));
        run("skopeo", &["copy", "--insecure-policy", &source, &target]);
    }
    let inspected = run("skopeo", &["inspect", &format!("oci:{}", place("oci"))]);
    assert!(inspected.contains(&packed.descriptor.digest.to_string()), "{inspected}");
    run("umoci", &["unpack", "--image", &format!("{}:1", place("oci")), &place("bundle")]);
    assert_eq!(fs::read_to_string(place("bundle/rootfs/file")).unwrap(), "two");
}

#[test]
fn podman_loads_what_is_written_and_is_loaded() {
    let (from, to) = (Fixture::new(), Fixture::new());
    let image = app(&from);
    let packed = from.store.images().packed(&image, Compression::Gzip).unwrap();
    let place = |name: &str| from.root().parent().unwrap().join(name).display().to_string();
    fs::write(place("docker.tar"), docker_archive(&from, &image, &[name("localhost/app:1")])).unwrap();
    fs::write(place("oci.tar"), oci_archive(&from, &packed, &[name("localhost/app:1")])).unwrap();
    let (root, runroot) = (place("podman"), place("podman-run"));
    let podman = |args: &[&str]| {
        let mut all = vec!["--root", &root, "--runroot", &runroot, "--storage-driver", "vfs"];
        all.extend(args);
        run("podman", &all)
    };
    for (written, format) in [("docker.tar", "docker-archive"), ("oci.tar", "oci-archive")] {
        let loaded = podman(&["load", "-i", &place(written)]);
        // Podman takes an OCI archive's name from an annotation in which ours is only the tag.
        let id = loaded.trim().rsplit(' ').next().unwrap().to_owned();
        let config = podman(&["image", "inspect", "--format", "{{.Id}}", &id]);
        assert_eq!(config.trim(), image.id().hex(), "{written}");
        podman(&["tag", &id, "localhost/saved:2"]);
        let saved = place(&format!("saved-{format}.tar"));
        podman(&["save", "--format", format, "-o", &saved, "localhost/saved:2"]);
        let loaded = archive::read_path(&to.store, Path::new(&saved)).unwrap();
        assert_eq!(loaded[0].names, [name("localhost/saved:2")], "{format}");
        assert_eq!(file_of(&to, &loaded[0]), "two");
        podman(&["rmi", "-f", &id]);
    }
    to.assert_sound();
}

#[test]
fn what_others_write_is_read() {
    let (from, to) = (Fixture::new(), Fixture::new());
    let packed = from.store.images().packed(&app(&from), Compression::Gzip).unwrap();
    let place = |name: &str| from.root().parent().unwrap().join(name).display().to_string();
    let saved = [Saved { image: &packed, names: &[name("app:1")] }];
    archive::write_oci_dir(&from.store, &saved, Path::new(&place("oci"))).unwrap();
    let source = format!("oci:{}:1", place("oci"));
    for (target, file, named) in [
        (format!("docker-archive:{}:app:3", place("d.tar")), "d.tar", Some("app:3")),
        (format!("oci-archive:{}:localhost/app:4", place("o.tar")), "o.tar", Some("localhost/app:4")),
        (format!("oci:{}", place("o")), "o", None),
    ] {
        run("skopeo", &["copy", "--insecure-policy", &source, &target]);
        let loaded = archive::read_path(&to.store, Path::new(&place(file))).unwrap();
        assert_eq!(loaded.len(), 1, "{target}");
        assert_eq!(loaded[0].names, named.map(name).into_iter().collect::<Vec<_>>(), "{target}");
        assert_eq!(file_of(&to, &loaded[0]), "two");
    }
    run("gzip", &["-k", &place("d.tar")]);
    let loaded = archive::read_path(&to.store, Path::new(&place("d.tar.gz"))).unwrap();
    assert_eq!(loaded[0].names, [name("app:3")]);
    to.assert_sound();
}

#[test]
fn an_archive_that_lies_is_refused_and_leaves_no_image() {
    let (from, to) = (Fixture::new(), Fixture::new());
    let bytes = docker_archive(&from, &app(&from), &[name("app:1")]);
    let replaced = |old: &str, new: &str| {
        assert_eq!(old.len(), new.len());
        let at = bytes.windows(old.len()).position(|window| window == old.as_bytes()).unwrap();
        let mut changed = bytes.clone();
        changed[at..at + old.len()].copy_from_slice(new.as_bytes());
        changed
    };
    for (wrong, says) in [
        (replaced("\"rootfs\"", "\"rootfz\""), "have digest"),
        (bytes[..bytes.len() / 2].to_vec(), "ends in the middle"),
        (b"hello".repeat(500), "check sum"),
        (archive_of(&[("notes.txt", b"hello")]), "archive is no image"),
        (archive_of(&[("../manifest.json", b"[]")]), "climbs"),
        (archive_of(&[("manifest.json", b"[{}]")]), "malformed"),
        (archive_of(&[("manifest.json", br#"[{"Config":"c","Layers":[]}]"#)]), "lacks c"),
    ] {
        assert!(told(&load(&to, &wrong).unwrap_err()).contains(says), "{says}");
    }
    assert!(to.store.images().list().unwrap().is_empty());
    assert!(!to.has_leftovers());
    to.assert_sound();
}

#[test]
fn an_old_docker_archive_may_link_a_layer_that_is_shared() {
    let (from, to) = (Fixture::new(), Fixture::new());
    let image = app(&from);
    let config = from.store.content().read(image.id(), 1 << 20).unwrap();
    let tars: Vec<Vec<u8>> = image.diff_ids().iter().map(|layer| tar_of(&from, layer)).collect();
    let table = br#"[{"Config":"c.json","RepoTags":["app:old"],"Layers":["b/layer.tar","a/layer.tar"]}]"#;
    let mut archive = tar::Builder::new(Vec::new());
    let members: [(&str, &[u8]); 4] =
        [("a/real.tar", &tars[1]), ("b/layer.tar", &tars[0]), ("c.json", &config), ("manifest.json", table)];
    for (path, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, path, bytes).unwrap();
    }
    let mut link = tar::Header::new_ustar();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    archive.append_link(&mut link, "a/layer.tar", "../a/real.tar").unwrap();
    let loaded = load(&to, &archive.into_inner().unwrap()).unwrap();
    assert_eq!(loaded[0].names, [name("app:old")]);
    assert_eq!(file_of(&to, &loaded[0]), "two");
    let read = to.store.images().read(&loaded[0].descriptor, &Platform::host()).unwrap();
    assert_eq!(read.id(), image.id(), "the config is kept as it came");
}

#[test]
fn a_file_system_goes_out_merged() {
    let fixture = Fixture::new();
    let image = app(&fixture);
    let mut bytes = Vec::new();
    let size = archive::flatten(&fixture.store, image.diff_ids(), &mut bytes).unwrap();
    assert_eq!(size, bytes.len() as u64);
    // The upper layer has all that is to be seen, so that the merged tar is its own.
    assert_eq!(DiffId(Digest::of(&bytes)), image.diff_ids()[1]);
    let target = fixture.root().parent().unwrap().join("out");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("file"), "old").unwrap();
    fs::write(target.join("other"), "kept").unwrap();
    archive::export_dir(&fixture.store, image.diff_ids(), &target).unwrap();
    assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "two");
    assert_eq!(fs::read_to_string(target.join("other")).unwrap(), "kept");
}

fn tar_of(fixture: &Fixture, layer: &DiffId) -> Vec<u8> {
    let mut bytes = Vec::new();
    fixture.store.layers().pack(layer, &mut bytes).unwrap();
    bytes
}

fn archive_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (path, content) in members {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        bytes.write_all(header.as_bytes()).unwrap();
        bytes.write_all(content).unwrap();
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}
