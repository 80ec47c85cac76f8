//! Other processes: the test binary runs itself to act on a store, and may be killed in the middle of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use tug_store::Store;
use tug_store::layer::Settle;

use crate::fixture::{bare, config, name};

pub(crate) const NAMES_EACH: usize = 40;
const BUILDS_EACH: usize = 15;

/// A process that acts on a store.
pub(crate) struct Child {
    process: std::process::Child,
    _stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Child {
    /// Starts an act that [`entry`] knows.
    pub(crate) fn start(act: &str, root: &Path, argument: &str) -> Child {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "child::entry", "--nocapture"])
            .env("TUG_TEST_ACT", act)
            .env("TUG_TEST_STORE", root)
            .env("TUG_TEST_ARGUMENT", argument)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = process.stdin.take().unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        Child { process, _stdin: stdin, stdout }
    }

    /// Waits until the process has said `ready` that many times.
    pub(crate) fn ready(&mut self, times: usize) {
        let mut seen = 0;
        let mut line = String::new();
        while seen < times {
            line.clear();
            assert_ne!(self.stdout.read_line(&mut line).unwrap(), 0, "child ended after {seen}");
            // The test harness may have written on the same line.
            seen += usize::from(line.ends_with("ready\n"));
        }
    }

    /// Kills the process as the kernel's memory killer would.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Waits for its good end.
    pub(crate) fn finish(mut self) {
        let mut output = String::new();
        self.stdout.read_to_string(&mut output).unwrap();
        assert!(self.process.wait().unwrap().success(), "{output}");
    }
}

#[test]
#[ignore = "what child processes run"]
fn entry() {
    let Ok(act) = std::env::var("TUG_TEST_ACT") else { return };
    let argument = std::env::var("TUG_TEST_ARGUMENT").unwrap();
    let store = Store::open(std::env::var_os("TUG_TEST_STORE").unwrap().as_ref()).unwrap();
    match act.as_str() {
        "set-names" => set_names(&store, &argument, NAMES_EACH),
        "set-names-forever" => set_names(&store, &argument, usize::MAX),
        "build" => build(&store, &argument, BUILDS_EACH),
        "build-forever" => build(&store, &argument, usize::MAX),
        "ingest" => ingest(&store),
        "lease" => lease(&store),
        other => panic!("act {other} is not known"),
    }
}

fn set_names(store: &Store, who: &str, times: usize) {
    let _lease = store.lease().unwrap();
    for round in 0..times {
        let image = store.images().write(&bare(&format!("{who} {round}"))).unwrap();
        store.names().set(&name(&format!("app-{who}:{round}")), &image.descriptor).unwrap();
        println!("ready");
    }
}

/// As builds do: a lease for each, layers that others make too, an image, a name that moves.
fn build(store: &Store, who: &str, times: usize) {
    for round in 0..times {
        let _lease = store.lease().unwrap();
        let layer = |text: String| {
            let staged = store.layers().stage().unwrap();
            std::fs::write(staged.fs().join("file"), text).unwrap();
            staged.commit(Settle { epoch: Some(0) }).unwrap().diff_id
        };
        let layers = vec![layer(format!("shared {round}")), layer(format!("{who} {round}"))];
        let image = store.images().write(&config(layers)).unwrap();
        store.names().set(&name(&format!("app-{who}")), &image.descriptor).unwrap();
        println!("ready");
    }
}

fn ingest(store: &Store) {
    let _lease = store.lease().unwrap();
    let mut ingest = store.content().ingest().unwrap();
    ingest.write_all(&[1; 100_000]).unwrap();
    let staged = store.layers().stage().unwrap();
    std::fs::write(staged.fs().join("half"), "half").unwrap();
    wait_to_be_killed();
}

fn lease(store: &Store) {
    let _lease = store.lease().unwrap();
    wait_to_be_killed();
}

/// Also ends when the parent does.
fn wait_to_be_killed() {
    println!("ready");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}
