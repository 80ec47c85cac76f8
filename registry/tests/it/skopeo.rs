//! skopeo as second opinion, both ways.

use std::process::Command;

use tug_oci::Platform;
use tug_registry::Silent;
use tug_testkit::registry::Guard;

use crate::support::{client, docker_registry, options, reference, store};

fn skopeo(arguments: &[&str]) -> String {
    let output = Command::new("skopeo").args(arguments).output().expect("Debian package skopeo is installed");
    assert!(output.status.success(), "skopeo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("skopeo speaks UTF-8")
}

#[test]
fn skopeo_reads_what_is_pushed_and_gives_it_back() {
    let registry = docker_registry(Guard::Plain);
    let (client, store) = (client(options()), store());
    let built = store.built_image("from tug");
    let name = reference(&registry.authority(), "team/app:1");
    let pushed = client.push(&store, &name, &built, &Silent).unwrap();

    let at = format!("docker://{name}");
    let inspected = skopeo(&["inspect", "--tls-verify=false", "--format", "{{.Digest}}", &at]);
    assert_eq!(inspected.trim(), pushed.descriptor.digest.to_string());

    // Through skopeo into a layout and from there into another repository, once as OCI, once as schema 2.
    let dir = tempfile::tempdir().unwrap();
    let layout = format!("oci:{}:1", dir.path().join("layout").display());
    skopeo(&["copy", "--src-tls-verify=false", &at, &layout]);
    for (format, repository) in [("oci", "again"), ("v2s2", "docker")] {
        let there = reference(&registry.authority(), &format!("{repository}:1"));
        let to = format!("docker://{there}");
        skopeo(&["copy", "--dest-tls-verify=false", "--format", format, &layout, &to]);
        let fresh = crate::support::store();
        let pulled = client.pull(&fresh, &there, &Platform::host(), &Silent).unwrap();
        assert_eq!(pulled.target.digest == pushed.descriptor.digest, format == "oci");
        assert_eq!(fresh.file(pulled.image.diff_ids(), "built").unwrap(), b"from tug");
        fresh.assert_sound();
    }
}
