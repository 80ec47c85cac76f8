//! A store, a home and a directory of a test's own, and the programs that run in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a test works in. Gone with it.
pub struct Sandbox {
    directory: TempDir,
    env: Vec<(String, String)>,
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
}

impl Ended {
    /// Holds that it went well; gives what it printed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Holds that it failed with this code; gives what it told.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self.stderr
    }
}

impl Sandbox {
    /// An empty one.
    pub fn new() -> Sandbox {
        let directory = tempfile::Builder::new().prefix("tug-it-").tempdir().unwrap();
        fs::create_dir(directory.path().join("home")).unwrap();
        Sandbox { directory, env: Vec::new() }
    }

    /// One whose store holds `base`, an image of busybox.
    pub fn with_base() -> Sandbox {
        let sandbox = Sandbox::new();
        sandbox.file("base/Dockerfile", BASE);
        fs::copy("/bin/busybox", sandbox.path("base/busybox")).unwrap();
        sandbox.tug(&["build", "-q", "-t", "base", "base"]).ok();
        sandbox
    }

    /// Sets a variable for every `tug` from here on.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file, and the directories above it.
    pub fn file(&self, name: &str, content: &str) -> &Sandbox {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// The text of a file.
    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// `tug`, ready to start.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tug"));
        command.args(arguments).current_dir(self.directory.path());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path("home")).env("TUG_ROOT", self.path("store"));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Runs `tug`.
    pub fn tug(&self, arguments: &[&str]) -> Ended {
        end(self.command(arguments))
    }

    /// Runs `tug` with a text on its standard input.
    pub fn tug_reads(&self, input: &str, arguments: &[&str]) -> Ended {
        self.file("stdin", input);
        let mut command = self.command(arguments);
        command.stdin(fs::File::open(self.path("stdin")).unwrap());
        end(command)
    }

    /// Runs a program in its directory.
    pub fn program(&self, program: &str, arguments: &[&str]) -> Ended {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.directory.path()).env("HOME", self.path("home"));
        end(command)
    }

    /// The id of an image.
    pub fn id(&self, image: &str) -> String {
        self.tug(&["inspect", "-f", "{{.Id}}", image]).ok().trim().to_owned()
    }

    /// Holds that the store is sound.
    #[track_caller]
    pub fn assert_sound(&self) {
        self.tug(&["fsck"]).ok();
    }
}

fn end(mut command: Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code() }
}

const BASE: &str = r#"FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir -p /etc /tmp /root && echo 'root:x:0:0:root:/root:/bin/sh' > /etc/passwd && \
    echo 'app:x:1000:1000::/home/app:/bin/sh' >> /etc/passwd && printf 'root:x:0:\napp:x:1000:\nextra:x:2000:app\n' > /etc/group
CMD ["sh"]
"#;
