//! The image and the containers that the tests run.

use std::fs;
use std::io::{PipeReader, Read};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;

use tempfile::TempDir;
use tug_runner::default::Builder;
use tug_runner::{Bundle, Cancel, ExitStatus, Rootfs, RunError, Runtime, Stdio};

/// A busybox image as one lower directory, with an upper directory that takes the changes.
pub(crate) struct Image {
    dir: TempDir,
}

/// What a container left.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: Result<ExitStatus, RunError>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Image {
    /// A new one, or `None` where containers cannot be run.
    pub(crate) fn new() -> Option<Image> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: needs root");
            return None;
        }
        let image = Image { dir: tempfile::tempdir().unwrap() };
        for dir in ["bin", "etc", "tmp"] {
            fs::create_dir_all(image.path(dir)).unwrap();
        }
        for dir in ["upper", "work"] {
            fs::create_dir(image.dir.path().join(dir)).unwrap();
        }
        fs::copy("/bin/busybox", image.path("bin/busybox")).unwrap();
        for applet in APPLETS {
            symlink("busybox", image.path("bin").join(applet)).unwrap();
        }
        Some(image)
    }

    /// A path in the image.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join("image").join(path)
    }

    /// A place outside of it.
    pub(crate) fn outside(&self, path: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(path)
    }

    /// All that containers changed, sorted.
    pub(crate) fn changes(&self) -> Vec<String> {
        let mut paths = Vec::new();
        list(&self.outside("upper"), Path::new(""), &mut paths);
        paths.sort();
        paths
    }

    pub(crate) fn overlay(&self) -> Rootfs {
        let work = self.outside("work");
        let _ = fs::remove_dir_all(&work);
        fs::create_dir(&work).unwrap();
        Rootfs::Overlay { lowers: vec![self.path("")], upper: self.outside("upper"), work }
    }

    /// Runs a shell script with the default configuration.
    pub(crate) fn sh(&self, script: &str) -> Output {
        self.run(sh(script))
    }

    pub(crate) fn run(&self, builder: Builder) -> Output {
        run(Bundle { rootfs: self.overlay(), spec: builder.build() })
    }
}

impl Output {
    pub(crate) fn code(&self) -> u8 {
        match &self.status {
            Ok(status) => status.code(),
            Err(error) => panic!("not run: {error}"),
        }
    }

    /// What it printed, if it ended well.
    pub(crate) fn text(&self) -> &str {
        assert_eq!(self.code(), 0, "{self:?}");
        self.stdout.trim_end()
    }

    pub(crate) fn error(&self) -> &RunError {
        self.status.as_ref().expect_err("it should not have run")
    }
}

pub(crate) fn sh(script: &str) -> Builder {
    Builder::new(["sh", "-c", script])
}

/// Runs a bundle and takes what it prints.
pub(crate) fn run(bundle: Bundle) -> Output {
    let (stdout, stdout_end) = std::io::pipe().unwrap();
    let (stderr, stderr_end) = std::io::pipe().unwrap();
    let stdio = Stdio::Piped { stdin: None, stdout: stdout_end.into(), stderr: stderr_end.into() };
    let (stdout, stderr) = (reader(stdout), reader(stderr));
    let status = runtime().start(&bundle, stdio, &Cancel::new()).and_then(|container| container.wait());
    Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new(&example()).unwrap())
}

/// The example program, which is a runtime's helper, too. Cargo builds it with the tests.
pub(crate) fn example() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let built = this.ancestors().nth(2).unwrap().join("examples/bundle");
    assert!(built.exists(), "{built:?} is missing: cargo build --package tug-runner --examples");
    built
}

fn reader(mut pipe: PipeReader) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        text
    })
}

fn list(dir: &Path, below: &Path, paths: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let path = below.join(entry.file_name());
        paths.push(path.to_str().unwrap().to_owned());
        if entry.file_type().unwrap().is_dir() {
            list(&entry.path(), &path, paths);
        }
    }
}

const APPLETS: [&str; 26] = [
    "cat", "chmod", "echo", "env", "grep", "hostname", "id", "ip", "kill", "ls", "mkdir", "mount", "pwd",
    "readlink", "rm", "sh", "sleep", "stat", "stty", "touch", "true", "tty", "umount", "unshare", "wc",
    "yes",
];
