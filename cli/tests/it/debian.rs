//! A real distribution: a base made by mmdebstrap, packages installed by apt in a RUN step, the program run.

use std::fs;

use crate::sandbox::Sandbox;

#[test]
fn apt_installs_python_on_a_debian_base() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("debian")).unwrap();
    sandbox.program("mmdebstrap", &["--variant=minbase", "bookworm", "debian/rootfs.tar"]).ok();
    sandbox.file("debian/Dockerfile", "FROM scratch\nADD rootfs.tar /\nCMD [\"bash\"]\n");
    sandbox.tug(&["build", "-q", "-t", "debian:12", "debian"]).ok();

    sandbox.file(
        "python/Dockerfile",
        "FROM debian:12\nRUN apt-get update && apt-get install -y --no-install-recommends python3\n",
    );
    sandbox.tug(&["build", "--network", "host", "-t", "python", "python"]).ok();
    let version = sandbox.tug(&["run", "--rm", "python", "python3", "--version"]).ok();
    assert!(version.starts_with("Python 3."), "{version}");
    sandbox.assert_sound();
}
