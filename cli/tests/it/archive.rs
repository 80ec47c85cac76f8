//! `tug save` and `tug load`, with skopeo, umoci and podman as judges.

use crate::sandbox::Sandbox;

#[test]
fn what_is_saved_is_loaded() {
    let sandbox = Sandbox::with_base();
    sandbox.tug(&["tag", "base", "other:1"]).ok();
    let id = sandbox.id("base");
    sandbox.tug(&["save", "-o", "docker.tar", "base", "other:1"]).ok();
    sandbox.tug(&["save", "--format", "oci", "-o", "oci.tar", "base"]).ok();
    sandbox.tug(&["save", "--format", "oci", "-o", "layout/", "base"]).ok();
    sandbox.program("gzip", &["-k", "docker.tar"]).ok();
    for archive in ["docker.tar", "docker.tar.gz", "oci.tar", "layout"] {
        let fresh = Sandbox::new();
        let loaded = fresh.tug(&["load", "-i", &sandbox.path(archive).to_string_lossy()]).ok();
        assert!(loaded.starts_with("Loaded image: base:latest\n"), "{archive}: {loaded}");
        assert_eq!(fresh.id("base"), id, "{archive}");
        assert_eq!(fresh.tug(&["run", "base", "echo", "ran"]).ok(), "ran\n", "{archive}");
        fresh.assert_sound();
    }
}

#[test]
fn others_read_what_tug_saves() {
    let sandbox = Sandbox::with_base();
    sandbox.tug(&["save", "-o", "docker.tar", "base"]).ok();
    sandbox.tug(&["save", "--format", "oci", "-o", "layout/", "base"]).ok();
    for source in ["docker-archive:docker.tar", "oci-archive:docker.tar", "oci:layout:latest"] {
        let inspected = sandbox.program("skopeo", &["inspect", "--config", source]).ok();
        assert!(inspected.contains("\"Cmd\""), "{source}: {inspected}");
        sandbox.program("skopeo", &["copy", "-q", source, "dir:copied"]).ok();
    }
    sandbox.program("umoci", &["unpack", "--image", "layout:latest", "bundle"]).ok();
    assert!(sandbox.path("bundle/rootfs/bin/busybox").exists());
    let root = sandbox.path("podman").to_string_lossy().into_owned();
    let podman = ["--root", &root, "--runroot", &root, "--storage-driver", "vfs", "load", "-i", "docker.tar"];
    let loaded = sandbox.program("podman", &podman).ok();
    assert!(loaded.contains("base:latest"), "{loaded}");
}

#[test]
fn tug_reads_what_others_save() {
    let sandbox = Sandbox::with_base();
    sandbox.tug(&["save", "--format", "oci", "-o", "layout/", "base"]).ok();
    let copy = |to: &str| sandbox.program("skopeo", &["copy", "-q", "oci:layout:latest", to]).ok();
    copy("docker-archive:d.tar:renamed:1");
    copy("oci-archive:o.tar:example.com/renamed:2");
    let id = sandbox.id("base");
    for (archive, name) in [("d.tar", "renamed:1"), ("o.tar", "example.com/renamed:2")] {
        let fresh = Sandbox::new();
        let loaded = fresh.tug(&["load", "-i", &sandbox.path(archive).to_string_lossy()]).ok();
        assert_eq!(loaded, format!("Loaded image: {name}\n"));
        assert_eq!(fresh.id(name), id);
        assert_eq!(fresh.tug(&["run", name, "echo", "ran"]).ok(), "ran\n");
    }
}

#[test]
fn streams() {
    let sandbox = Sandbox::with_base();
    let saved = sandbox.command(&["save", "base"]).output().unwrap();
    assert!(saved.status.success());
    std::fs::write(sandbox.path("stdin.tar"), &saved.stdout).unwrap();
    let fresh = Sandbox::new();
    let mut command = fresh.command(&["load"]);
    command.stdin(std::fs::File::open(sandbox.path("stdin.tar")).unwrap());
    assert!(command.output().unwrap().status.success());
    assert_eq!(fresh.id("base"), sandbox.id("base"));
}

#[test]
fn damaged_archives_are_refused() {
    let sandbox = Sandbox::with_base();
    sandbox.tug(&["save", "--format", "oci", "-o", "whole.tar", "base"]).ok();
    let whole = std::fs::read(sandbox.path("whole.tar")).unwrap();
    let fresh = Sandbox::new();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for (name, bytes) in
        [("cut", &whole[..whole.len() / 2]), ("flipped", &flipped[..]), ("text", b"no archive at all")]
    {
        std::fs::write(fresh.path(name), bytes).unwrap();
        let told = fresh.tug(&["load", "-i", name]).fails(1);
        assert!(told.starts_with(&format!("Error: cannot load {name}: ")), "{told}");
        assert_eq!(fresh.tug(&["images", "-q"]).ok(), "", "{name}");
        fresh.assert_sound();
    }
    fresh.tug(&["load", "-i", "missing.tar"]).fails(1);
}
