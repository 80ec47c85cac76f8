//! Builds that end badly: killed, or out of disk. The store stays sound and the next build just works.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::sandbox::Sandbox;

/// A build with something to do at every stage: parallel stages, copies, steps, a final image.
fn write_context(sandbox: &Sandbox, edition: usize) {
    for number in 0..200 {
        sandbox.file(&format!("app/src/{number}.txt"), &format!("{edition} {number}\n").repeat(50));
    }
    sandbox.file(
        "app/Dockerfile",
        "FROM base AS one\nCOPY src/ /src/\nRUN cat /src/*.txt > /all\n\
         FROM base AS two\nCOPY src/1.txt /one\nRUN sleep 0.05; wc -l < /one > /count\n\
         FROM base\nCOPY --from=one /all /all\nCOPY --from=two /count /count\nRUN sha256sum /all > /sum\n",
    );
}

#[test]
fn killed_at_fifty_moments_the_store_stays_sound() {
    let sandbox = Sandbox::with_base();
    write_context(&sandbox, 0);
    let started = Instant::now();
    sandbox.tug(&["build", "-t", "app", "app"]).ok();
    let whole = started.elapsed();

    for round in 1..=50 {
        write_context(&sandbox, round);
        let mut command = sandbox.command(&["build", "-t", "app", "app"]);
        let mut build = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(moment(round, whole));
        build.kill().unwrap();
        build.wait().unwrap();
        sandbox.assert_sound();
    }
    write_context(&sandbox, 51);
    sandbox.tug(&["build", "-t", "app", "app"]).ok();
    assert_eq!(sandbox.tug(&["run", "--rm", "app", "cat", "/count"]).ok(), "50\n");
    sandbox.tug(&["prune", "-f"]).ok();
    sandbox.assert_sound();
}

/// A moment in the build, spread over its length in an order that a fixed generator gives.
fn moment(round: usize, whole: Duration) -> Duration {
    let step =
        (round as u64).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 33;
    whole.mul_f64((step % 1000) as f64 / 1000.0)
}

#[test]
fn a_killed_build_takes_its_step_with_it() {
    let sandbox = Sandbox::with_base();
    sandbox.file("app/Dockerfile", "FROM base\nRUN sleep 4343\n");
    let mut command = sandbox.command(&["build", "app"]);
    let mut build = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until(|| processes_of("sleep 4343") == 1);
    build.kill().unwrap();
    build.wait().unwrap();
    wait_until(|| processes_of("sleep 4343") == 0);
    sandbox.assert_sound();
}

#[test]
fn a_full_disk_is_one_clear_error() {
    let mut sandbox = Sandbox::with_base();
    sandbox.tug(&["save", "-o", "base.tar", "base"]).ok();
    let small = Tmpfs::mount(&sandbox, "small", "8m");
    sandbox.set_env("TUG_ROOT", &format!("{}/store", small.0));
    sandbox.tug(&["load", "-i", "base.tar"]).ok();

    sandbox.file("app/Dockerfile", "FROM base\nRUN dd if=/dev/zero of=/big bs=1M count=64\n");
    let step = sandbox.tug(&["build", "app"]).fails(1);
    assert!(step.contains("No space left on device"), "{step}");
    sandbox.assert_sound();

    sandbox.file("app/Dockerfile", "FROM base\nCOPY big /big\n");
    fs::write(sandbox.path("app/big"), vec![7; 16 << 20]).unwrap();
    let copy = sandbox.tug(&["build", "app"]).fails(1);
    assert!(copy.contains("No space left on device"), "{copy}");
    sandbox.assert_sound();
}

/// A small file system, unmounted when dropped.
struct Tmpfs(String);

impl Tmpfs {
    fn mount(sandbox: &Sandbox, name: &str, size: &str) -> Tmpfs {
        let place = sandbox.path(name).display().to_string();
        fs::create_dir(&place).unwrap();
        let option = format!("size={size}");
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", &option, "tmpfs", &place]).status();
        assert!(status.unwrap().success(), "this test needs the right to mount a tmpfs");
        Tmpfs(place)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// How many processes have exactly this command line.
fn processes_of(command: &str) -> usize {
    let wanted: Vec<u8> =
        command.bytes().map(|byte| if byte == b' ' { 0 } else { byte }).chain([0]).collect();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|process| fs::read(process.path().join("cmdline")).is_ok_and(|line| line == wanted))
        .count()
}

fn wait_until(condition: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < until, "waited for a minute");
        thread::sleep(Duration::from_millis(10));
    }
}
