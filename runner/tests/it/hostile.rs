//! Images and callers that try to reach the host.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::Path;

use tug_runner::default::Builder;
use tug_runner::{Cause, RunError, SetupError, Step};

use crate::container::{Image, sh};

fn setup_error(error: &RunError) -> &SetupError {
    match error {
        RunError::Setup(error) => error,
        other => panic!("another error: {other:?}"),
    }
}

#[test]
fn links_in_the_place_of_system_directories_are_refused() {
    for name in ["proc", "dev", "sys"] {
        let Some(image) = Image::new() else { return };
        let outside = image.outside("outside");
        fs::create_dir(&outside).unwrap();
        for to in [outside.as_path(), Path::new("/tmp"), Path::new("missing")] {
            let _ = fs::remove_file(image.path(name));
            symlink(to, image.path(name)).unwrap();
            let output = image.sh("true");
            let error = setup_error(output.error());
            assert_eq!((error.step, &error.cause), (Step::Mount, &Cause::Symlink), "{name} -> {to:?}");
        }
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }
}

#[test]
fn links_at_mount_targets_stay_inside() {
    let Some(image) = Image::new() else { return };
    let victim = image.outside("victim");
    fs::write(&victim, "safe").unwrap();
    let up = "../".repeat(40);
    symlink(format!("{up}{}", victim.strip_prefix("/").unwrap().display()), image.path("etc/relative"))
        .unwrap();
    symlink(&victim, image.path("etc/absolute")).unwrap();
    let file = image.outside("file");
    fs::write(&file, "bound").unwrap();
    for name in ["relative", "absolute"] {
        let target = Path::new("/etc").join(name);
        let script = format!("cat /etc/{name}; echo changed >/etc/{name}");
        assert_eq!(image.run(sh(&script).bind(&file, &target, &[])).text(), "bound");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "safe");
        assert_eq!(fs::read_to_string(&file).unwrap(), "changed\n");
        fs::write(&file, "bound").unwrap();
    }
}

#[test]
fn targets_cannot_climb_out() {
    let Some(image) = Image::new() else { return };
    let volume = image.outside("volume");
    fs::create_dir(&volume).unwrap();
    fs::write(volume.join("here"), "").unwrap();
    let builder = sh("ls /climbed").bind(&volume, Path::new("/etc/../../../../climbed"), &[]);
    assert_eq!(image.run(builder).text(), "here");
    assert!(!image.outside("climbed").exists() && !Path::new("/climbed").exists());
}

#[test]
fn nothing_is_mounted_over_procfs() {
    let Some(image) = Image::new() else { return };
    let volume = image.outside("volume");
    fs::create_dir(&volume).unwrap();
    symlink("/proc/self", image.path("etc/self")).unwrap();
    for target in ["/proc", "/proc/self/attr", "/etc/self/attr"] {
        let bind = sh("true").bind(&volume, Path::new(target), &[]);
        for builder in [bind, sh("true").tmpfs(Path::new(target), &[])] {
            let output = image.run(builder);
            let error = setup_error(output.error());
            assert_eq!(error.step, Step::Mount, "{target}");
            assert!(matches!(error.cause, Cause::Procfs | Cause::Symlink), "{target}: {error}");
        }
    }
}

#[test]
fn descriptors_of_the_caller_do_not_leak() {
    let Some(image) = Image::new() else { return };
    let directory = File::open("/").unwrap();
    rustix::io::fcntl_setfd(&directory, rustix::io::FdFlags::empty()).unwrap();
    // The last one is the listing's own.
    assert_eq!(image.sh("ls /proc/self/fd").text(), "0\n1\n2\n3");
    let output = image.sh(&format!("ls /proc/self/fd/{}/", directory.as_raw_fd()));
    assert_ne!(output.code(), 0);
}

#[test]
fn working_directory_cannot_be_outside() {
    let Some(image) = Image::new() else { return };
    for number in 3..24 {
        let cwd = format!("/proc/self/fd/{number}");
        let output = image.run(Builder::new(["pwd"]).cwd(&cwd));
        let error = setup_error(output.error());
        assert_eq!(error.step, Step::WorkingDirectory, "{cwd}");
    }
    symlink("/proc/self/fd/5", image.path("etc/way-out")).unwrap();
    let output = image.run(Builder::new(["pwd"]).cwd("/etc/way-out"));
    assert_eq!(setup_error(output.error()).step, Step::WorkingDirectory);
}

#[test]
fn the_helpers_program_cannot_be_written() {
    let Some(image) = Image::new() else { return };
    // The container is the helper's own program, started from inside.
    let program = crate::container::example();
    let before = fs::read(&program).unwrap();
    symlink("/proc/self/exe", image.path("bin/again")).unwrap();
    let output = image.run(Builder::new(["/bin/again"]));
    assert!(output.status.is_err() || output.code() != 0);
    assert_eq!(fs::read(&program).unwrap(), before);
}

#[test]
fn the_filter_refuses_what_docker_refuses() {
    let Some(image) = Image::new() else { return };
    let output = image.sh("mount -t tmpfs none /tmp; umount /proc; true");
    assert_eq!(
        output.stderr.matches("ermitted").count() + output.stderr.matches("denied").count(),
        2,
        "{output:?}"
    );
}

#[test]
fn namespaces_are_refused() {
    let Some(image) = Image::new() else { return };
    for flag in ["-U", "-m", "-n", "-p"] {
        let output = image.sh(&format!("unshare {flag} true"));
        assert!(output.stderr.contains("Operation not permitted"), "{flag}: {output:?}");
    }
}
