//! `cargo xtask demo`: the round trip on a bare machine. A base image from Debian's busybox, an application built in
//! two stages, pushed to a real registry, removed, pulled and run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::{self, Profile};
use crate::registry::Registry;
use crate::{Problem, debian};

pub(crate) fn run() -> Result<(), Problem> {
    debian::require([&debian::COMPILER, &debian::BUSYBOX, &debian::REGISTRY])?;
    say("compile tug");
    let binary = cargo::build_tug(Profile::Dev)?;
    let folder = tempfile::Builder::new().prefix("tug-demo-").tempdir()?;
    let tug = Tug { binary, root: folder.path().join("store") };

    say("make a base image of Debian's busybox");
    let base = folder.path().join("base");
    write_base(&base)?;
    tug.run(&["build", "-q", "-t", "demo/busybox", path(&base)?])?;

    say("start a real registry");
    let registry = Registry::start(&folder.path().join("registry"))?;
    let name = format!("{}/demo/hello:1", registry.host());

    say("build an application in two stages, with RUN steps");
    let application = cargo::workspace().join("testdata/demo");
    tug.run(&["build", "--progress", "plain", "-t", &name, path(&application)?])?;

    say("build it again: every step comes from the cache");
    tug.run(&["build", "--progress", "plain", "-t", &name, path(&application)?])?;

    say("push it, remove it, pull it back");
    tug.run(&["push", &name])?;
    tug.run(&["rmi", &name])?;
    tug.run(&["prune", "-a", "-f"])?;
    tug.run(&["pull", &name])?;

    say("run it");
    let said = tug.run(&["run", "--rm", "-e", "WHO=world", &name])?;
    if said != "hello, world\nbuilt by tug from 3 greetings\n" {
        return Err(format!("the application said {said:?}").into());
    }
    tug.run(&["fsck"])?;
    say("done: built, pushed, removed, pulled and run");
    Ok(())
}

/// The folder of an image with busybox and a link for each of its applets.
pub(crate) fn write_base(folder: &Path) -> Result<(), Problem> {
    let bin = folder.join("rootfs/bin");
    fs::create_dir_all(&bin)?;
    for directory in ["etc", "root", "tmp", "usr/bin", "var"] {
        fs::create_dir_all(folder.join("rootfs").join(directory))?;
    }
    fs::write(
        folder.join("rootfs/etc/passwd"),
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
    )?;
    fs::write(folder.join("rootfs/etc/group"), "root:x:0:\nnogroup:x:65534:\n")?;
    fs::copy(debian::BUSYBOX.file, bin.join("busybox"))?;
    let applets = Command::new(debian::BUSYBOX.file).arg("--list").output()?;
    for applet in String::from_utf8(applets.stdout)?.lines().filter(|applet| *applet != "busybox") {
        std::os::unix::fs::symlink("busybox", bin.join(applet))?;
    }
    fs::write(
        folder.join("Dockerfile"),
        "FROM scratch\nCOPY rootfs/ /\nENV PATH=/bin:/usr/bin\nCMD [\"sh\"]\n",
    )?;
    Ok(())
}

struct Tug {
    binary: PathBuf,
    root: PathBuf,
}

impl Tug {
    /// Runs `tug`, shows what it says, and gives its standard output.
    fn run(&self, args: &[&str]) -> Result<String, Problem> {
        println!("$ tug {}", args.join(" "));
        let output = Command::new(&self.binary)
            .arg("--root")
            .arg(&self.root)
            .args(args)
            .stderr(std::process::Stdio::inherit())
            .output()?;
        let said = String::from_utf8(output.stdout)?;
        print!("{said}");
        match output.status.success() {
            true => Ok(said),
            false => Err(format!("tug {} ended with {}", args.join(" "), output.status).into()),
        }
    }
}

fn say(what: &str) {
    println!("\n==> {what}");
}

fn path(path: &Path) -> Result<&str, Problem> {
    path.to_str().ok_or_else(|| format!("{} is not UTF-8", path.display()).into())
}
