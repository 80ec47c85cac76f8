//! Credential helpers: programs named `docker-credential-NAME` that keep secrets for Docker.
//!
//! A helper is asked with one word (`get`, `store`, `erase`) and a text on its standard input. It is given a time
//! limit and a bound on what it may say.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Credential, Secret};

/// Why a credential helper gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HelperError {
    /// The name would not make a program name.
    #[error("credential helper name {0:?} is malformed: letters, digits, `-`, `_` and `.` only")]
    Name(String),
    /// The program cannot be run.
    #[error("cannot run docker-credential-{name}")]
    Run {
        /// The helper.
        name: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It did not answer in time.
    #[error("docker-credential-{name} {verb} did not end within {} s", .limit.as_secs())]
    TimedOut {
        /// The helper.
        name: String,
        /// What it was asked to do.
        verb: &'static str,
        /// The time it had.
        limit: Duration,
    },
    /// It reported a failure.
    #[error("docker-credential-{name} {verb} failed ({status}): {said}")]
    Failed {
        /// The helper.
        name: String,
        /// What it was asked to do.
        verb: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// What it said, shortened.
        said: String,
    },
    /// It answered something that is no credential.
    #[error("docker-credential-{name} gave an answer that is not a credential")]
    Answer {
        /// The helper.
        name: String,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
}

/// One helper.
#[derive(Clone, Debug)]
pub(super) struct Helper {
    name: String,
    program: PathBuf,
    limit: Duration,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    #[serde(rename = "ServerURL", default)]
    server_url: String,
    username: String,
    secret: String,
}

impl Helper {
    /// The helper of a name, in a folder or else on the search path.
    pub(super) fn new(name: &str, folder: Option<&Path>) -> Result<Helper, HelperError> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if name.is_empty() || !name.bytes().all(word) {
            return Err(HelperError::Name(name.to_owned()));
        }
        let program = format!("docker-credential-{name}");
        let program = folder.map_or_else(|| PathBuf::from(&program), |folder| folder.join(&program));
        Ok(Helper { name: name.to_owned(), program, limit: LIMIT })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn get(&self, server: &str) -> Result<Option<Credential>, HelperError> {
        let said = match self.ask("get", server) {
            Err(HelperError::Failed { said, .. }) if is_absence(&said) => return Ok(None),
            said => said?,
        };
        let wrong = |source| HelperError::Answer { name: self.name.clone(), source };
        let entry: Entry = serde_json::from_slice(&said).map_err(wrong)?;
        if entry.username.is_empty() && entry.secret.is_empty() {
            return Ok(None);
        }
        let secret = Secret::new(entry.secret);
        Ok(Some(match entry.username.as_str() {
            TOKEN_USER => Credential::IdentityToken { username: String::new(), token: secret },
            _ => Credential::Basic { username: entry.username, password: secret },
        }))
    }

    pub(super) fn store(&self, server: &str, credential: &Credential) -> Result<(), HelperError> {
        let (username, secret) = match credential {
            Credential::Basic { username, password } => (username.as_str(), password),
            Credential::IdentityToken { token, .. } | Credential::RegistryToken(token) => (TOKEN_USER, token),
        };
        let entry = Entry {
            server_url: server.to_owned(),
            username: username.to_owned(),
            secret: secret.expose().to_owned(),
        };
        let json = serde_json::to_string(&entry).expect("an entry of three texts is always JSON");
        self.ask("store", &json).map(drop)
    }

    pub(super) fn erase(&self, server: &str) -> Result<(), HelperError> {
        match self.ask("erase", server) {
            Err(HelperError::Failed { said, .. }) if is_absence(&said) => Ok(()),
            answer => answer.map(drop),
        }
    }

    fn ask(&self, verb: &'static str, input: &str) -> Result<Vec<u8>, HelperError> {
        let failed = |source| HelperError::Run { name: self.name.clone(), source };
        let deadline = Instant::now() + self.limit;
        let mut child = Command::new(&self.program)
            .arg(verb)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let stdin = child.stdin.take().expect("stdin is piped");
        let stdout = child.stdout.take().expect("stdout is piped");
        let answer = converse(stdin, stdout, input.to_owned());
        let late = || HelperError::TimedOut { name: self.name.clone(), verb, limit: self.limit };
        let status = wait(&mut child, deadline).map_err(failed)?.ok_or_else(late)?;
        // Something that the helper started may still hold its end of the pipe.
        let rest = deadline.saturating_duration_since(Instant::now());
        let said = answer.recv_timeout(rest).map_err(|_| late())?.map_err(failed)?;
        if status.success() {
            return Ok(said);
        }
        let said = crate::printable::printable(&String::from_utf8_lossy(&said), SAID_CHARS_MAX);
        Err(HelperError::Failed { name: self.name.clone(), verb, status, said })
    }
}

/// Writes and reads in threads of their own, so that neither a helper that does not read nor one that does not
/// write can outlast the limit.
fn converse(
    mut stdin: ChildStdin,
    stdout: ChildStdout,
    input: String,
) -> mpsc::Receiver<io::Result<Vec<u8>>> {
    std::thread::spawn(move || {
        // A helper that ends without reading says so by its exit status.
        let _ = stdin.write_all(input.as_bytes());
    });
    let (sender, answer) = mpsc::channel();
    std::thread::spawn(move || {
        let mut said = Vec::new();
        let read = stdout.take(ANSWER_BYTES_MAX).read_to_end(&mut said).map(|_| said);
        // Nobody listens any more when the limit has passed.
        let _ = sender.send(read);
    });
    answer
}

/// Waits for the child to end; kills it and gives `None` when the deadline has passed.
fn wait(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Helpers have no code for "nothing known"; they say it in these words.
fn is_absence(said: &str) -> bool {
    said.contains("credentials not found") || said.contains("no credentials server URL")
}

/// The user name under which Docker files identity tokens.
const TOKEN_USER: &str = "<token>";
const LIMIT: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: u64 = 1 << 20;
const SAID_CHARS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_slash_runs_nothing() {
        assert!(matches!(Helper::new("../evil", None), Err(HelperError::Name(_))));
        assert!(matches!(Helper::new("", None), Err(HelperError::Name(_))));
    }

    fn script(text: &str) -> (tempfile::TempDir, Helper) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker-credential-fake");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let helper = Helper::new("fake", Some(dir.path())).unwrap();
        (dir, helper)
    }

    #[test]
    fn an_answer_is_a_password_or_a_token() {
        let (_dir, helper) = script(r#"echo "{\"Username\":\"me\",\"Secret\":\"$1-$(cat)\"}""#);
        let wanted = Credential::Basic { username: "me".to_owned(), password: Secret::new("get-host:5000") };
        assert_eq!(helper.get("host:5000").unwrap(), Some(wanted));
        let (_dir, helper) = script(r#"echo '{"ServerURL":"x","Username":"<token>","Secret":"refresh"}'"#);
        let wanted = Credential::IdentityToken { username: String::new(), token: Secret::new("refresh") };
        assert_eq!(helper.get("x").unwrap(), Some(wanted));
    }

    #[test]
    fn nothing_known_is_no_failure() {
        let (_dir, helper) = script("echo 'credentials not found in native keychain'; exit 1");
        assert_eq!(helper.get("x").unwrap(), None);
        helper.erase("x").unwrap();
    }

    #[test]
    fn a_failure_is_told_in_its_own_words() {
        let (_dir, helper) = script("echo 'the keychain is locked'; exit 3");
        let text = helper.get("x").unwrap_err().to_string();
        assert!(
            text.starts_with("docker-credential-fake get failed") && text.ends_with("the keychain is locked")
        );
        let (_dir, helper) = script("echo nonsense");
        assert!(matches!(helper.get("x"), Err(HelperError::Answer { .. })));
        let none = Helper::new("that-is-not-there", None).unwrap();
        assert!(matches!(none.get("x"), Err(HelperError::Run { .. })));
    }

    #[test]
    fn a_helper_that_does_not_end_is_killed() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let deadline = Instant::now() + Duration::from_millis(20);
        assert!(wait(&mut child, deadline).unwrap().is_none());
        assert!(child.try_wait().unwrap().is_some(), "the child is reaped");
    }

    #[test]
    fn a_child_of_the_helper_does_not_hold_us_up() {
        let (_dir, mut helper) = script("sleep 5 & exit 0");
        helper.limit = Duration::from_millis(500);
        assert!(matches!(helper.get("x"), Err(HelperError::TimedOut { .. })));
    }
}
