//! Debian's dockerd with BuildKit, on a data root, a socket and a bridge of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Problem, debian};

pub(super) struct Docker {
    daemon: Child,
    socket: PathBuf,
    bridge: String,
}

impl Docker {
    /// Starts the daemon with everything it keeps below `folder`.
    pub(super) fn start(folder: &Path) -> Result<Docker, Problem> {
        fs::create_dir_all(folder)?;
        let bridge = format!("tugb{}", std::process::id());
        make_bridge(&bridge)?;
        let socket = folder.join("docker.sock");
        let config = folder.join("daemon.json");
        fs::write(&config, configuration(folder, &socket, &bridge).to_string())?;
        let daemon = Command::new(debian::PEERS[0].file)
            .arg("--config-file")
            .arg(&config)
            // Without it runc refuses to pivot_root on some machines.
            .env("DOCKER_RAMDISK", "1")
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("log"))?)
            .spawn()?;
        let docker = Docker { daemon, socket, bridge };
        docker.wait(folder)?;
        Ok(docker)
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        // Debian's own client has BuildKit built in; a newer one on the PATH would want a plug-in.
        let mut command = Command::new("/usr/bin/docker");
        command
            .args(args)
            .env("DOCKER_HOST", format!("unix://{}", self.socket.display()))
            .env("DOCKER_BUILDKIT", "1");
        command
    }

    /// Runs a command that must succeed, and gives its standard output.
    pub(super) fn output(&self, args: &[&str]) -> Result<String, Problem> {
        output(self.command(args))
    }

    pub(super) fn check(&self, args: &[&str]) -> Result<(), Problem> {
        self.output(args).map(drop)
    }

    fn wait(&self, folder: &Path) -> Result<(), Problem> {
        let until = Instant::now() + START_TIME_MAX;
        while self.check(&["version"]).is_err() {
            if Instant::now() > until {
                let log = fs::read_to_string(folder.join("log"))?;
                return Err(
                    format!("dockerd does not start: {}", log.lines().last().unwrap_or_default()).into()
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        // SIGTERM lets the daemon unmount what it mounted below the folder that is about to go.
        if let Some(pid) = rustix::process::Pid::from_raw(self.daemon.id() as i32) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.daemon.wait();
        let _ = Command::new("/usr/sbin/ip").args(["link", "del", &self.bridge]).status();
    }
}

/// Runs a command that must succeed, and gives its standard output.
pub(super) fn output(mut command: Command) -> Result<String, Problem> {
    let output = command.stdin(Stdio::null()).output()?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("{command:?} failed: {}", said.trim_end()).into())
        }
    }
}

fn configuration(folder: &Path, socket: &Path, bridge: &str) -> serde_json::Value {
    serde_json::json!({
        "bridge": bridge,
        "data-root": folder.join("data"),
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "exec-root": folder.join("exec"),
        "hosts": [format!("unix://{}", socket.display())],
        "ip6tables": false,
        "iptables": false,
        "pidfile": folder.join("pid"),
        "storage-driver": "overlay2",
    })
}

/// dockerd makes its own bridge only together with firewall rules, which it is told to leave alone.
fn make_bridge(name: &str) -> Result<(), Problem> {
    let steps: [&[&str]; 3] = [
        &["link", "add", name, "type", "bridge"],
        &["addr", "add", "172.31.254.1/24", "dev", name],
        &["link", "set", name, "up"],
    ];
    for args in steps {
        let mut command = Command::new("/usr/sbin/ip");
        command.args(args);
        output(command)?;
    }
    Ok(())
}

const START_TIME_MAX: Duration = Duration::from_secs(30);
