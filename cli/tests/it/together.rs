//! Several builds at once on one store, and the same build in several stores.

use std::fs;
use std::process::Stdio;

use crate::sandbox::Sandbox;

#[test]
fn ten_builds_at_once_share_one_store() {
    let sandbox = Sandbox::with_base();
    let mut builds = Vec::new();
    for number in 0..10 {
        sandbox.file(&format!("{number}/shared.txt"), "the same in all\n");
        sandbox.file(
            &format!("{number}/Dockerfile"),
            &format!(
                "FROM base AS shared\nCOPY shared.txt /\nRUN sha256sum /shared.txt > /sum; sleep 0.1\n\
                 FROM base AS other\nRUN echo other > /other\n\
                 FROM shared\nCOPY --from=other /other /other\nRUN echo {number} > /number\n"
            ),
        );
        let name = format!("together:{number}");
        let mut command = sandbox.command(&["build", "-t", &name, &number.to_string()]);
        let build = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        builds.push((name, number, build));
    }
    for (name, number, build) in builds {
        let output = build.wait_with_output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let said = sandbox.tug(&["run", "--rm", &name, "cat", "/shared.txt", "/other", "/number"]).ok();
        assert_eq!(said, format!("the same in all\nother\n{number}\n"));
    }
    sandbox.assert_sound();
}

#[test]
fn source_date_epoch_gives_the_same_bytes_in_two_empty_stores() {
    let mut archives = Vec::new();
    for _ in 0..2 {
        let mut sandbox = Sandbox::new();
        sandbox.set_env("SOURCE_DATE_EPOCH", "1700000000");
        sandbox.file("app/a.txt", "a\n");
        fs::copy("/bin/busybox", sandbox.path("app/busybox")).unwrap();
        sandbox.file(
            "app/Dockerfile",
            "FROM scratch AS base\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n\
             FROM base AS made\nWORKDIR /made\nRUN date > when; rm when; echo x > x; ln x y; ln -s x z; mkdir d\n\
             FROM base\nLABEL b=2 a=1\nENV Z=1 A=2\nCOPY --chown=1:2 a.txt /etc/deep/er/\n\
             COPY --from=made /made /made\nRUN touch /now\n",
        );
        sandbox.tug(&["build", "-o", "type=oci,dest=image.tar", "app"]).ok();
        archives.push(fs::read(sandbox.path("image.tar")).unwrap());
    }
    assert!(archives[0] == archives[1], "the two archives differ");
}
