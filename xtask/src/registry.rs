//! A real registry (Debian's docker-registry) on a free loopback port, for as long as the value lives.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Problem, debian};

pub(crate) struct Registry {
    process: Child,
    port: u16,
}

impl Registry {
    /// Starts a registry that keeps its blobs below `folder`.
    pub(crate) fn start(folder: &Path) -> Result<Registry, Problem> {
        debian::require([&debian::REGISTRY])?;
        fs::create_dir_all(folder)?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let config = folder.join("registry.yml");
        let data = folder.join("data");
        fs::write(
            &config,
            format!(
                "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {data:?}}}, delete: {{enabled: true}}}}\n\
                 http: {{addr: '127.0.0.1:{port}'}}\n"
            ),
        )?;
        let process = Command::new(debian::REGISTRY.file)
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let registry = Registry { process, port };
        registry.wait()?;
        Ok(registry)
    }

    /// `127.0.0.1:port`.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn wait(&self) -> Result<(), Problem> {
        let until = Instant::now() + START_TIME_MAX;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if Instant::now() > until {
                return Err(format!("docker-registry does not answer on {}", self.host()).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // A registry that is gone already is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const START_TIME_MAX: Duration = Duration::from_secs(10);
