//! What buildah and podman make, tug loads, pulls and runs.

use tug_testkit::registry::{DockerRegistry, Guard};

use crate::sandbox::Sandbox;

/// Runs buildah or podman on storage of the sandbox's own.
#[track_caller]
fn run(sandbox: &Sandbox, program: &str, arguments: &[&str]) -> String {
    let root = sandbox.path("containers").to_string_lossy().into_owned();
    let run = sandbox.path("containers-run").to_string_lossy().into_owned();
    let mut all = vec!["--root", &root, "--runroot", &run, "--storage-driver", "vfs"];
    all.extend(arguments);
    sandbox.program(program, &all).ok()
}

#[test]
fn tug_loads_and_pulls_what_buildah_and_podman_write() {
    let registry = DockerRegistry::start(Guard::Plain).unwrap();
    let sandbox = Sandbox::new();
    sandbox.file("root/greeting", "made by buildah\n");
    std::fs::create_dir(sandbox.path("root/bin")).unwrap();
    std::fs::copy("/bin/busybox", sandbox.path("root/bin/busybox")).unwrap();
    run(&sandbox, "buildah", &["from", "--name", "made", "scratch"]);
    run(&sandbox, "buildah", &["add", "made", "root", "/"]);
    run(&sandbox, "buildah", &["config", "--cmd", r#"["/bin/busybox","cat","/greeting"]"#, "made"]);
    run(&sandbox, "buildah", &["commit", "-q", "made", "oci-archive:made.tar:example.com/made:1"]);

    let [oci, docker] = ["oci", "docker"].map(|format| {
        let name = format!("{}/made:{format}", registry.authority());
        run(&sandbox, "buildah", &["commit", "-q", "--format", format, "made", &name]);
        name
    });
    run(&sandbox, "buildah", &["push", "-q", "--tls-verify=false", &oci]);
    run(&sandbox, "podman", &["push", "-q", "--tls-verify=false", &docker]);

    assert_eq!(sandbox.tug(&["load", "-i", "made.tar"]).ok(), "Loaded image: example.com/made:1\n");
    for name in ["example.com/made:1", &oci, &docker] {
        if name != "example.com/made:1" {
            sandbox.tug(&["pull", name]).ok();
        }
        assert_eq!(sandbox.tug(&["run", "--rm", name]).ok(), "made by buildah\n", "{name}");
    }
    sandbox.assert_sound();
}
