//! A real registry: Debian's `docker-registry` on a free loopback port, with everything it needs in a temporary
//! directory.

use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// How the registry listens and whom it lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Plain http, for everyone.
    Plain,
    /// TLS, for everyone.
    Tls,
    /// TLS, for [`USER`] with [`PASSWORD`].
    TlsBasic,
    /// TLS, for who has a certificate of our authority.
    TlsClient,
    /// TLS with a certificate that is its own authority, for everyone.
    SelfSigned,
}

/// Who may use a registry with [`Guard::TlsBasic`].
pub const USER: &str = "tester";

/// The password of [`USER`].
pub const PASSWORD: &str = "s3cret:word";

/// A running registry. Ends when dropped.
pub struct DockerRegistry {
    dir: TempDir,
    process: Child,
    port: u16,
}

impl DockerRegistry {
    /// Starts a registry and waits until it listens. The error names the Debian package that is missing.
    pub fn start(guard: Guard) -> io::Result<DockerRegistry> {
        let dir = tempfile::tempdir()?;
        match guard {
            Guard::Plain => {}
            Guard::SelfSigned => self_signed(dir.path())?,
            Guard::Tls | Guard::TlsBasic | Guard::TlsClient => certificates(dir.path())?,
        }
        if guard == Guard::TlsBasic {
            password_file(dir.path())?;
        }
        // Between choosing a port and listening on it another process may take it.
        for _ in 0..PORT_TRIES {
            let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            let config = dir.path().join("config.yml");
            fs::write(&config, configuration(dir.path(), port, guard))?;
            let log = fs::File::create(dir.path().join("log"))?;
            let mut process = command("docker-registry")
                .arg("serve")
                .arg(&config)
                .env("OTEL_TRACES_EXPORTER", "none")
                .stdout(log.try_clone()?)
                .stderr(log)
                .spawn()
                .map_err(|error| missing(error, "docker-registry"))?;
            if listens(&mut process, port)? {
                return Ok(DockerRegistry { dir, process, port });
            }
        }
        Err(io::Error::other("docker-registry does not start; no port is free"))
    }

    /// `127.0.0.1:port`, as it stands in a reference.
    pub fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A `certs.d` directory that makes a client trust this registry.
    pub fn certs_d(&self) -> PathBuf {
        self.certs_d_for(&self.authority())
    }

    /// The same for a registry that is called `authority`.
    pub fn certs_d_for(&self, authority: &str) -> PathBuf {
        let certs_d = self.dir.path().join("certs.d");
        let host = certs_d.join(authority);
        if !host.exists() {
            fs::create_dir_all(&host).expect("the temporary directory can be written to");
            fs::copy(self.certificate(), host.join("ca.crt")).expect("the registry speaks TLS");
        }
        certs_d
    }

    /// A `certs.d` directory that also has a client's certificate and key.
    pub fn certs_d_with_identity(&self) -> PathBuf {
        let certs_d = self.certs_d();
        let host = certs_d.join(self.authority());
        for (name, to) in [("client.crt", "client.cert"), ("client.key", "client.key")] {
            fs::copy(self.dir.path().join(name), host.join(to)).expect("the registry speaks TLS");
        }
        certs_d
    }

    /// The certificate of the authority that signed the registry's own (PEM).
    pub fn certificate(&self) -> PathBuf {
        self.dir.path().join("ca.crt")
    }

    /// What the registry logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn configuration(dir: &Path, port: u16, guard: Guard) -> String {
    let at = |name: &str| dir.join(name).display().to_string();
    let mut text = format!(
        "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\n",
        at("data")
    );
    text.push_str(&format!("http:\n  addr: 127.0.0.1:{port}\n  secret: tug\n"));
    if guard != Guard::Plain {
        text.push_str(&format!(
            "  tls:\n    certificate: {}\n    key: {}\n",
            at("server.crt"),
            at("server.key")
        ));
    }
    if guard == Guard::TlsClient {
        text.push_str(&format!("    clientcas:\n      - {}\n", at("ca.crt")));
    }
    if guard == Guard::TlsBasic {
        text.push_str(&format!("auth:\n  htpasswd:\n    realm: tug tests\n    path: {}\n", at("htpasswd")));
    }
    text
}

/// Waits until the registry takes connections; `false` when it ended instead.
fn listens(process: &mut Child, port: u16) -> io::Result<bool> {
    for _ in 0..START_CHECKS {
        if process.try_wait()?.is_some() {
            return Ok(false);
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(true);
        }
        std::thread::sleep(START_PAUSE);
    }
    process.kill()?;
    process.wait()?;
    Err(io::Error::other("docker-registry does not listen"))
}

/// An authority of our own and a server certificate for loopback that it signed.
fn certificates(dir: &Path) -> io::Result<()> {
    fs::write(dir.join("server.ext"), "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:registry.test\n")?;
    fs::write(dir.join("client.ext"), "extendedKeyUsage=clientAuth\n")?;
    let steps = [
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=tug-test-ca -keyout ca.key -out ca.crt",
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout server.key -out server.csr",
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=client -keyout client.key -out client.csr",
        "x509 -req -in client.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile client.ext -out client.crt",
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile server.ext -out server.crt",
    ];
    for step in steps {
        run(command("openssl").current_dir(dir).args(step.split(' ')), "openssl")?;
    }
    Ok(())
}

/// What many guides for private registries tell people to make.
fn self_signed(dir: &Path) -> io::Result<()> {
    let step = "req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout server.key -out server.crt";
    run(command("openssl").current_dir(dir).args(step.split(' ')), "openssl")?;
    fs::copy(dir.join("server.crt"), dir.join("ca.crt")).map(drop)
}

fn password_file(dir: &Path) -> io::Result<()> {
    let mut htpasswd = command("htpasswd");
    htpasswd.args(["-B", "-b", "-c", "-C", "4"]).arg(dir.join("htpasswd")).args([USER, PASSWORD]);
    run(&mut htpasswd, "apache2-utils")
}

fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

fn run(command: &mut Command, package: &str) -> io::Result<()> {
    let output = command.output().map_err(|error| missing(error, package))?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(io::Error::other(format!("{command:?} failed: {said}")))
        }
    }
}

fn missing(error: io::Error, package: &str) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotFound => {
            io::Error::new(error.kind(), format!("Debian package {package} is not installed: {error}"))
        }
        _ => error,
    }
}

const PORT_TRIES: usize = 5;
const START_CHECKS: usize = 1000;
const START_PAUSE: Duration = Duration::from_millis(10);
