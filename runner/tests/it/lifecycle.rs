//! Signals, cancelling, and the death of the caller.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio as Streams};
use std::thread;
use std::time::{Duration, Instant};

use tug_runner::{Bundle, Cancel, RunError, Stdio};

use crate::container::{Image, example, runtime, sh};

#[test]
fn signals_reach_the_program() {
    let Some(image) = Image::new() else { return };
    let (stdout, stdout_end) = std::io::pipe().unwrap();
    let script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done";
    let bundle = Bundle { rootfs: image.overlay(), spec: sh(script).build() };
    let stderr = stdout_end.try_clone().unwrap().into();
    let stdio = Stdio::Piped { stdin: None, stdout: stdout_end.into(), stderr };
    let cancel = Cancel::new();
    let container = runtime().start(&bundle, stdio, &cancel).unwrap();
    BufReader::new(stdout).read_line(&mut String::new()).unwrap();
    cancel.signal(15);
    assert_eq!(container.wait().unwrap().code(), 5);
}

#[test]
fn cancelling_kills_what_runs_and_stops_what_comes() {
    let Some(image) = Image::new() else { return };
    let bundle = Bundle { rootfs: image.overlay(), spec: sh("sleep 1000").build() };
    let cancel = Cancel::new();
    let container = runtime().start(&bundle, Stdio::Null, &cancel).unwrap();
    let other = cancel.clone();
    thread::spawn(move || other.kill());
    assert!(matches!(container.wait(), Err(RunError::Cancelled)));
    let again = runtime().start(&bundle, Stdio::Null, &cancel);
    assert!(matches!(again, Err(RunError::Cancelled)));
}

#[test]
fn dropping_a_container_kills_it() {
    let Some(image) = Image::new() else { return };
    let bundle = Bundle { rootfs: image.overlay(), spec: sh("sleep 1000").build() };
    let container = runtime().start(&bundle, Stdio::Null, &Cancel::new()).unwrap();
    let process = format!("/proc/{}", container.pid());
    assert!(fs::exists(&process).unwrap());
    drop(container);
    assert!(!fs::exists(&process).unwrap());
}

#[test]
fn a_container_does_not_outlive_its_caller() {
    let Some(image) = Image::new() else { return };
    let mark = format!("mark-{}-{}", std::process::id(), image.path("").display()).replace('/', "-");
    let spec = sh("echo ready; trap '' TERM HUP INT; while :; do sleep 1; done")
        .env([format!("MARK={mark}")])
        .build();
    let directory = image.outside("bundle");
    fs::create_dir(&directory).unwrap();
    fs::rename(image.path(""), directory.join("rootfs")).unwrap();
    spec.save(directory.join("config.json")).unwrap();
    let mut caller = Command::new(example()).arg(&directory).stdout(Streams::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(caller.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    assert!(!processes_with(&mark).is_empty());
    caller.kill().unwrap();
    caller.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !processes_with(&mark).is_empty() {
        assert!(Instant::now() < deadline, "still there: {:?}", processes_with(&mark));
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_container_does_not_outlive_its_helper() {
    let Some(image) = Image::new() else { return };
    let bundle = Bundle { rootfs: image.overlay(), spec: sh("sleep 1000").build() };
    let container = runtime().start(&bundle, Stdio::Null, &Cancel::new()).unwrap();
    let process = container.pid();
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:\t")).unwrap();
    let helper = rustix::process::Pid::from_raw(parent.parse().unwrap()).unwrap();
    rustix::process::kill_process(helper, rustix::process::Signal::KILL).unwrap();
    assert!(matches!(container.wait(), Err(RunError::HelperLost)));
    let deadline = Instant::now() + Duration::from_secs(20);
    while fs::exists(format!("/proc/{process}/root/bin/busybox")).unwrap_or(false) {
        assert!(Instant::now() < deadline, "still there");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_closed_stream_is_seen_at_its_other_end() {
    let Some(image) = Image::new() else { return };
    let (stdout, stdout_end) = std::io::pipe().unwrap();
    let stderr = fs::File::options().write(true).open("/dev/null").unwrap();
    let spec = sh("echo ready; exec >/dev/null; sleep 1000").build();
    let bundle = Bundle { rootfs: image.overlay(), spec };
    let stdio = Stdio::Piped { stdin: None, stdout: stdout_end.into(), stderr: stderr.into() };
    let cancel = Cancel::new();
    let container = runtime().start(&bundle, stdio, &cancel).unwrap();
    let lines: Vec<_> = BufReader::new(stdout).lines().map(Result::unwrap).collect();
    assert_eq!(lines, ["ready"]);
    cancel.kill();
    assert!(matches!(container.wait(), Err(RunError::Cancelled)));
}

#[test]
fn many_at_once_leave_nothing_behind() {
    let Some(first) = Image::new() else { return };
    drop(first);
    thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                let image = Image::new().unwrap();
                for _ in 0..4 {
                    assert_eq!(image.sh(&format!("exit {number}")).code(), number);
                }
                assert!(image.changes().is_empty());
            });
        }
    });
}

/// The processes with this text in their environment.
fn processes_with(mark: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let names = processes.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(|name| {
            let environment = fs::read(format!("/proc/{name}/environ")).unwrap_or_default();
            String::from_utf8_lossy(&environment).contains(mark)
        })
        .collect()
}
