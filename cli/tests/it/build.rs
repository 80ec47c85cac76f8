//! `tug build`.

use crate::sandbox::Sandbox;

const APP: &str = "\
ARG GREETING=hello
FROM base AS build
ARG GREETING
RUN echo \"$GREETING from a step\" | tee /greeting
FROM base
LABEL made=here
ENV MODE=test
COPY --from=build /greeting /srv/greeting
COPY data.txt /srv/
WORKDIR /srv
ENTRYPOINT [\"cat\"]
CMD [\"greeting\"]
";

fn app() -> Sandbox {
    let sandbox = Sandbox::with_base();
    sandbox.file("app/Dockerfile", APP).file("app/data.txt", "data\n");
    sandbox
}

#[test]
fn an_image_is_built_and_runs() {
    let sandbox = app();
    let built = sandbox.tug(&["build", "-t", "app:1", "-t", "other", "app"]);
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    assert_eq!(built.stdout, "");
    for expected in ["RUN echo", "hello from a step", " DONE ", "naming to docker.io/library/app:1"] {
        assert!(built.stderr.contains(expected), "{expected} is missing in:\n{}", built.stderr);
    }
    assert_eq!(sandbox.tug(&["run", "app:1"]).ok(), "hello from a step\n");
    assert_eq!(sandbox.tug(&["run", "other", "data.txt"]).ok(), "data\n");
    sandbox.assert_sound();
}

#[test]
fn a_second_build_runs_nothing_and_gives_the_same() {
    let sandbox = app();
    let first = sandbox.tug(&["build", "-q", "app"]).ok();
    let second = sandbox.tug(&["build", "--iidfile", "id", "app"]);
    assert!(second.stderr.contains("CACHED"), "{}", second.stderr);
    assert!(!second.stderr.contains("hello from a step"), "{}", second.stderr);
    assert_eq!(sandbox.text("id"), first.trim());
    let fresh = sandbox.tug(&["build", "--no-cache", "app"]);
    assert!(fresh.stderr.contains("hello from a step"), "{}", fresh.stderr);
}

#[test]
fn arguments_labels_and_targets() {
    let sandbox = app();
    sandbox.tug(&["build", "-q", "-t", "a", "--build-arg", "GREETING=bye", "--label", "k=v", "app"]).ok();
    assert_eq!(sandbox.tug(&["run", "a"]).ok(), "bye from a step\n");
    assert_eq!(
        sandbox.tug(&["inspect", "-f", "{{json .Config.Labels}}", "a"]).ok(),
        "{\"k\":\"v\",\"made\":\"here\"}\n"
    );
    let mut command = sandbox.command(&["build", "-q", "-t", "b", "--build-arg", "GREETING", "app"]);
    assert!(command.env("GREETING", "env").output().unwrap().status.success());
    assert_eq!(sandbox.tug(&["run", "b"]).ok(), "env from a step\n");
    sandbox.tug(&["build", "-q", "-t", "c", "--target", "build", "app"]).ok();
    assert_eq!(sandbox.tug(&["run", "c", "ls", "/srv"]).fails(1), "ls: /srv: No such file or directory\n");
}

#[test]
fn a_dockerfile_on_the_standard_input() {
    let sandbox = app();
    sandbox.tug_reads("FROM base\nRUN echo one > /one\n", &["build", "-q", "-t", "one", "-"]).ok();
    assert_eq!(sandbox.tug(&["run", "one", "cat", "/one"]).ok(), "one\n");
    let with_context = "FROM base\nCOPY data.txt /two\n";
    sandbox.tug_reads(with_context, &["build", "-q", "-t", "two", "-f", "-", "app"]).ok();
    assert_eq!(sandbox.tug(&["run", "two", "cat", "/two"]).ok(), "data\n");
}

#[test]
fn a_failing_step_is_shown() {
    let sandbox = Sandbox::with_base();
    sandbox.file("f/Dockerfile", "FROM base\nRUN echo before && \\\n    sh -c 'exit 7'\n");
    let told = sandbox.tug(&["build", "-q", "f"]).fails(1);
    let expected = "\
--- the end of the output of [2/2] RUN echo before &&     sh -c 'exit 7'
before
---
 --> f/Dockerfile:2:1
  |
2 | RUN echo before && \\
  | ^^^^^^^^^^^^^^^^^^^^
3 |     sh -c 'exit 7'
Error: build failed: f/Dockerfile:2:1: exit code: 7
";
    assert_eq!(told, expected);
    sandbox.assert_sound();
}

#[test]
fn network_none_cuts_steps_off() {
    let sandbox = Sandbox::with_base();
    sandbox.file("n/Dockerfile", "FROM base\nRUN ls /sys/class/net > /net\n");
    sandbox.tug(&["build", "-q", "-t", "n", "--network", "none", "n"]).ok();
    assert_eq!(sandbox.tug(&["run", "n", "cat", "/net"]).ok(), "lo\n");
}

#[test]
fn the_machines_files_stay_out_of_layers() {
    let sandbox = Sandbox::with_base();
    sandbox.file("n/Dockerfile", "FROM base\nRUN grep -q localhost /etc/hosts && touch /done\n");
    sandbox.tug(&["build", "-q", "-t", "n", "-o", "type=local,dest=out", "n"]).ok();
    assert!(sandbox.path("out/done").exists());
    assert!(!sandbox.path("out/etc/hosts").exists() && !sandbox.path("out/etc/resolv.conf").exists());
}

#[test]
fn progress_as_json() {
    let sandbox = app();
    let built = sandbox.tug(&["build", "--progress", "rawjson", "app"]);
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    for line in built.stderr.lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect(line);
        assert!(value["event"].is_string() && value["time"].is_number(), "{line}");
    }
}

#[test]
fn exports() {
    let sandbox = app();
    sandbox
        .tug(&[
            "build",
            "-q",
            "-t",
            "app:1",
            "-o",
            "type=tar,dest=a.tar",
            "-o",
            "type=oci,dest=b.tar",
            "-o",
            "out",
            "app",
        ])
        .ok();
    assert_eq!(sandbox.text("out/srv/greeting"), "hello from a step\n");
    let listed = sandbox.program("tar", &["-tf", "a.tar"]).ok();
    assert!(listed.lines().any(|line| line.ends_with("srv/greeting")), "{listed}");
    let inspected = sandbox.program("skopeo", &["inspect", "oci-archive:b.tar"]).ok();
    assert!(inspected.contains("\"made\": \"here\""), "{inspected}");
    let mut command = sandbox.command(&["build", "-q", "-o", "-", "app"]);
    let output = command.output().unwrap();
    assert!(output.stdout.windows(5).any(|part| part == b"ustar"));
}

#[test]
fn equal_builds_in_two_stores_give_equal_images() {
    let digest = |sandbox: &Sandbox| {
        let mut command = sandbox.command(&["build", "-q", "--no-cache", "-t", "same", "app"]);
        assert!(command.env("SOURCE_DATE_EPOCH", "1700000000").output().unwrap().status.success());
        sandbox.tug(&["inspect", "-f", "{{.Descriptor.digest}}", "same"]).ok()
    };
    let (one, other) = (app(), app());
    // The base is shared: it was built without a fixed time.
    one.tug(&["save", "-o", "base.tar", "base"]).ok();
    let base = one.path("base.tar");
    other.tug(&["load", "-i", &base.to_string_lossy()]).ok();
    assert_eq!(digest(&one), digest(&other));
}

#[test]
fn what_steps_are_given() {
    let sandbox = Sandbox::with_base();
    sandbox.file("token", "s3cret").file("more/extra.txt", "extra\n");
    sandbox.file(
        "g/Dockerfile",
        "FROM base\nCOPY --from=more extra.txt /\nRUN --mount=type=secret,id=token cp /run/secrets/token /seen && \\\n\
         grep db /etc/hosts > /hosts; hostname > /name; ulimit -n > /limit; df -k /dev/shm | tail -1 > /shm\n",
    );
    let flags =
        ["--secret", "id=token,src=token", "--build-context", "more=more", "--add-host", "db:192.0.2.7"];
    let limits = ["--hostname", "box", "--ulimit", "nofile=99:100", "--shm-size", "1m"];
    sandbox.tug(&[&["build", "-q", "-t", "g"], &flags[..], &limits, &["g"]].concat()).ok();
    let seen =
        sandbox.tug(&["run", "g", "cat", "/extra.txt", "/seen", "/hosts", "/name", "/limit", "/shm"]).ok();
    assert!(seen.starts_with("extra\ns3cret192.0.2.7\tdb\nbox\n99\n"), "{seen}");
    assert!(seen.contains(" 1024 "), "{seen}");
    let told = sandbox.tug(&["build", "--secret", "id=missing", "g"]).fails(1);
    assert!(told.contains("cannot read missing"), "{told}");
}
