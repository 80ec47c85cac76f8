//! ^C in the middle.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::sandbox::Sandbox;

/// Waits until the child printed a line with this text on its standard error.
fn wait_for(child: &mut Child, text: &str) {
    let stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
    let mut lines = stderr.lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains(text))), "{text} never came");
    // What comes later is read, so that nobody waits for us.
    std::thread::spawn(move || lines.for_each(drop));
}

fn interrupt(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
}

#[test]
fn a_build_stops_and_leaves_a_sound_store() {
    let sandbox = Sandbox::with_base();
    sandbox.file("s/Dockerfile", "FROM base\nRUN echo started; sleep 1000\n");
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let mut child = sandbox
            .command(&["build", "--progress", "plain", "-t", "never", "s"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for(&mut child, " started");
        interrupt(&child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(code));
        sandbox.tug(&["inspect", "never"]).fails(1);
        sandbox.assert_sound();
    }
    sandbox.tug(&["prune", "-f"]).ok();
}

#[test]
fn a_container_gets_the_signal() {
    let sandbox = Sandbox::with_base();
    let script = "trap 'echo got it; exit 9' TERM; echo started >&2; while :; do sleep 0.1; done";
    let mut child = sandbox
        .command(&["run", "base", "sh", "-c", script])
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(&mut child, "started");
    interrupt(&child, "-TERM");
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(9), &b"got it\n"[..]));
}

#[test]
fn a_reader_that_leaves_is_no_failure_to_tell_of() {
    let sandbox = Sandbox::with_base();
    let mut child =
        sandbox.command(&["save", "base"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(141), &b""[..]));
}

#[test]
fn a_registry_that_stalls_does_not_hold_an_interrupted_build_or_run() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let name = format!("{}/stalls:1", listener.local_addr().unwrap());
    let sandbox = Sandbox::new();
    sandbox.file("Dockerfile", &format!("FROM {name}\n"));
    for arguments in [&["build", "."][..], &["run", &name]] {
        let mut child = sandbox.command(arguments).stderr(Stdio::null()).spawn().unwrap();
        // It speaks to us, so it waits for our answer from here on.
        let connection = listener.accept().unwrap();
        interrupt(&child, "-INT");
        assert_eq!(child.wait().unwrap().code(), Some(130), "{arguments:?}");
        drop(connection);
    }
}
