//! `tug run`.

use std::fs;

use crate::sandbox::Sandbox;

#[test]
fn exit_codes_are_the_commands() {
    let sandbox = Sandbox::with_base();
    assert_eq!(sandbox.tug(&["run", "--rm", "base", "sh", "-c", "exit 42"]).code, Some(42));
    assert_eq!(
        sandbox.tug(&["run", "base", "sh", "-c", "kill -9 $$"]).code,
        Some(0),
        "a first process is spared"
    );
    let told = sandbox.tug(&["run", "base", "nothing-like-it"]).fails(127);
    assert!(told.contains("executable file not found"), "{told}");
    let told = sandbox.tug(&["run", "base", "/etc/passwd"]).fails(126);
    assert!(told.contains("Permission denied"), "{told}");
    sandbox.tug(&["run", "--no-such-flag", "base"]).fails(125);
    sandbox.tug(&["run", "--pull", "never", "missing"]).fails(125);
    sandbox.assert_sound();
}

#[test]
fn environment_user_and_directory() {
    let sandbox = Sandbox::with_base();
    sandbox.file("vars", "# comment\nB=file\nC=file\n");
    let mut command = sandbox.command(&[
        "run",
        "-e",
        "A=1",
        "-e",
        "HOST_VAR",
        "-e",
        "C=flag",
        "--env-file",
        "vars",
        "-h",
        "box",
        "-w",
        "/new/dir",
        "-u",
        "app",
        "base",
        "sh",
        "-c",
        "echo $A $B $C $HOST_VAR $HOME; hostname; pwd; id",
    ]);
    let output = command.env("HOST_VAR", "host").output().unwrap();
    let expected = "1 file flag host /home/app\nbox\n/new/dir\nuid=1000(app) gid=1000(app) groups=1000(app),2000(extra)\n";
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        expected,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let told = sandbox.tug(&["run", "-u", "nobody-here", "base", "true"]).fails(125);
    assert!(told.contains("not in the image's /etc/passwd"), "{told}");
}

#[test]
fn volumes() {
    let sandbox = Sandbox::with_base();
    sandbox.file("shared/in", "from the host\n");
    let script = "cat /data/in && echo back > /data/out";
    assert_eq!(
        sandbox.tug(&["run", "-v", "./shared:/data", "base", "sh", "-c", script]).ok(),
        "from the host\n"
    );
    assert_eq!(sandbox.text("shared/out"), "back\n");
    let told = sandbox.tug(&["run", "-v", "./shared:/data:ro", "base", "touch", "/data/x"]).fails(1);
    assert!(told.contains("Read-only"), "{told}");
    sandbox.tug(&["run", "-v", "./made:/m", "base", "touch", "/m/x"]).ok();
    assert!(sandbox.path("made/x").exists());
    assert_eq!(
        sandbox
            .tug(&["run", "--tmpfs", "/scratch:size=1m", "base", "stat", "-f", "-c", "%T", "/scratch"])
            .ok(),
        "tmpfs\n"
    );
}

#[test]
fn the_root_can_be_read_only() {
    let sandbox = Sandbox::with_base();
    let told = sandbox.tug(&["run", "--read-only", "base", "touch", "/x"]).fails(1);
    assert!(told.contains("Read-only"), "{told}");
}

#[test]
fn changes_go_with_the_container() {
    let sandbox = Sandbox::with_base();
    sandbox.tug(&["run", "base", "touch", "/left"]).ok();
    sandbox.tug(&["run", "base", "ls", "/left"]).fails(1);
}

#[test]
fn entry_points() {
    let sandbox = Sandbox::with_base();
    sandbox
        .tug_reads("FROM base\nENTRYPOINT [\"echo\", \"e\"]\nCMD [\"c\"]\n", &["build", "-q", "-t", "e", "-"])
        .ok();
    assert_eq!(sandbox.tug(&["run", "e"]).ok(), "e c\n");
    assert_eq!(sandbox.tug(&["run", "e", "x"]).ok(), "e x\n");
    assert_eq!(sandbox.tug(&["run", "--entrypoint", "ls", "e", "/root"]).ok(), "");
    sandbox.tug_reads("FROM base\nCMD []\n", &["build", "-q", "-t", "nothing", "-"]).ok();
    let told = sandbox.tug(&["run", "nothing"]).fails(125);
    assert!(told.contains("names no command"), "{told}");
}

#[test]
fn the_standard_input_is_closed_unless_asked() {
    let sandbox = Sandbox::with_base();
    assert_eq!(sandbox.tug_reads("typed", &["run", "base", "cat"]).ok(), "");
    assert_eq!(sandbox.tug_reads("typed", &["run", "-i", "base", "cat"]).ok(), "typed");
    let told = sandbox.tug_reads("typed", &["run", "-it", "base", "cat"]).fails(125);
    assert!(told.contains("no terminal"), "{told}");
}

#[test]
fn networks() {
    let sandbox = Sandbox::with_base();
    assert_eq!(sandbox.tug(&["run", "base", "ls", "/sys/class/net"]).ok(), "lo\n");
    let host: Vec<String> = fs::read_dir("/sys/class/net")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    let seen = sandbox.tug(&["run", "--network", "host", "base", "ls", "/sys/class/net"]).ok();
    assert_eq!(seen.lines().count(), host.len(), "{seen}");
}

#[test]
fn capabilities() {
    let sandbox = Sandbox::with_base();
    let effective = |arguments: &[&str]| {
        let command = [&["run"], arguments, &["base", "grep", "CapEff", "/proc/self/status"]].concat();
        sandbox.tug(&command).ok().split_whitespace().last().unwrap_or_default().to_owned()
    };
    assert_eq!(effective(&[]), "00000000a80425fb");
    assert_eq!(effective(&["--cap-drop", "ALL"]), "0000000000000000");
    assert_eq!(effective(&["--cap-drop", "ALL", "--cap-add", "chown"]), "0000000000000001");
    sandbox.tug(&["run", "--cap-add", "NOTHING", "base"]).fails(125);
}

#[test]
fn a_name_is_had_by_one() {
    let sandbox = Sandbox::with_base();
    let mut first = sandbox
        .command(&["run", "-i", "--name", "tug-it-one", "base", "sh", "-c", "echo up; cat"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(first.stdout.take().unwrap()), &mut line)
        .unwrap();
    assert_eq!(line, "up\n");
    let told = sandbox.tug(&["run", "--name", "tug-it-one", "base", "true"]).fails(125);
    assert!(told.contains("in use"), "{told}");
    drop(first.stdin.take());
    assert!(first.wait().unwrap().success());
    sandbox.tug(&["run", "--name", "tug-it-one", "base", "true"]).ok();
}
