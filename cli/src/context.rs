//! What a command gets from outside: environment, directories, terminals. Read once, here and nowhere else.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use tug_store::Store;

use crate::command_error::{Attempt, CommandError};
use crate::diagnostic::{Colors, Diagnostic};

/// The process's surroundings.
pub(crate) struct Context {
    /// Environment variables that are UTF-8.
    pub(crate) env: BTreeMap<String, String>,
    /// The store's directory.
    pub(crate) root: PathBuf,
    /// Whether diagnostics show all they know.
    pub(crate) debug: bool,
    store: OnceCell<Store>,
}

impl Context {
    /// Reads the environment. `root` is what the command line asks for.
    pub(crate) fn new(root: Option<PathBuf>, debug: bool) -> Context {
        let utf8 =
            |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        let env: BTreeMap<String, String> = std::env::vars_os().filter_map(utf8).collect();
        let root = root.unwrap_or_else(|| default_root(&env, rustix::process::geteuid().is_root()));
        Context { env, root, debug, store: OnceCell::new() }
    }

    /// A variable that is set and not empty.
    pub(crate) fn var(&self, name: &str) -> Option<&str> {
        set(&self.env, name)
    }

    /// The store, opened on first use.
    pub(crate) fn store(&self) -> Result<&Store, CommandError> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let opened = Store::open(&self.root)?;
        Ok(self.store.get_or_init(|| opened))
    }

    /// Where things live that do not outlast the machine's uptime.
    pub(crate) fn runtime_dir(&self) -> PathBuf {
        match self.var("XDG_RUNTIME_DIR") {
            Some(dir) if !rustix::process::geteuid().is_root() => Path::new(dir).join("tug"),
            _ if rustix::process::geteuid().is_root() => PathBuf::from("/run/tug"),
            _ => std::env::temp_dir().join(format!("tug-{}", rustix::process::geteuid().as_raw())),
        }
    }

    /// Docker's directory of settings and credentials.
    pub(crate) fn docker_config_dir(&self) -> Option<PathBuf> {
        match self.var("DOCKER_CONFIG") {
            Some(dir) => Some(PathBuf::from(dir)),
            None => self.var("HOME").map(|home| Path::new(home).join(".docker")),
        }
    }

    /// The directory relative paths start from.
    pub(crate) fn current_dir(&self) -> Result<PathBuf, CommandError> {
        std::env::current_dir().trying(|| "cannot find the current directory")
    }

    /// `SOURCE_DATE_EPOCH`, when set.
    pub(crate) fn source_date_epoch(&self) -> Result<Option<i64>, CommandError> {
        let Some(text) = self.var("SOURCE_DATE_EPOCH") else { return Ok(None) };
        match text.parse() {
            Ok(seconds) => Ok(Some(seconds)),
            Err(_) => {
                Err(Diagnostic::new(format!("SOURCE_DATE_EPOCH is no number of seconds: {text:?}")).into())
            }
        }
    }

    /// Whether what goes to the standard error is painted.
    pub(crate) fn stderr_colors(&self) -> Colors {
        colors(&self.env, io::stderr().is_terminal())
    }

    /// Tells a failure on the standard error.
    pub(crate) fn tell(&self, error: &CommandError) {
        if let CommandError::Failed(diagnostic) = error {
            self.note(&diagnostic.render(self.stderr_colors()));
            if let Some(detail) = diagnostic.detail.as_ref().filter(|_| self.debug) {
                self.note(&format!("{detail}\n"));
            }
        }
    }

    /// Writes a text to the standard error.
    pub(crate) fn note(&self, text: &str) {
        // When even the standard error is gone, there is nobody to tell.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// Writes a text to the standard output.
    pub(crate) fn print(&self, text: &str) -> Result<(), CommandError> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| CommandError::output(&e))
    }

    /// Writes a line to the standard output.
    pub(crate) fn line(&self, text: impl AsRef<str>) -> Result<(), CommandError> {
        self.print(&format!("{}\n", text.as_ref()))
    }
}

fn default_root(env: &BTreeMap<String, String>, root: bool) -> PathBuf {
    match (set(env, "TUG_ROOT"), set(env, "XDG_DATA_HOME"), set(env, "HOME")) {
        (Some(dir), ..) => PathBuf::from(dir),
        _ if root => PathBuf::from("/var/lib/tug"),
        (_, Some(dir), _) => Path::new(dir).join("tug"),
        (.., Some(home)) => Path::new(home).join(".local/share/tug"),
        _ => PathBuf::from("/var/lib/tug"),
    }
}

fn colors(env: &BTreeMap<String, String>, terminal: bool) -> Colors {
    let dumb = set(env, "TERM") == Some("dumb");
    match terminal && !dumb && set(env, "NO_COLOR").is_none() {
        true => Colors::On,
        false => Colors::Off,
    }
}

fn set<'a>(env: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    env.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_store_is_where_the_user_says() {
        let home = [("HOME", "/home/u")];
        assert_eq!(default_root(&env(&home), true), Path::new("/var/lib/tug"));
        assert_eq!(default_root(&env(&home), false), Path::new("/home/u/.local/share/tug"));
        let data = [("HOME", "/home/u"), ("XDG_DATA_HOME", "/data")];
        assert_eq!(default_root(&env(&data), false), Path::new("/data/tug"));
        let own = [("HOME", "/home/u"), ("TUG_ROOT", "/srv/t")];
        assert_eq!(default_root(&env(&own), true), Path::new("/srv/t"));
        assert_eq!(default_root(&env(&[("TUG_ROOT", "")]), true), Path::new("/var/lib/tug"));
    }

    #[test]
    fn colours_obey_no_color_and_the_terminal() {
        assert_eq!(colors(&env(&[]), true), Colors::On);
        assert_eq!(colors(&env(&[]), false), Colors::Off);
        assert_eq!(colors(&env(&[("NO_COLOR", "1")]), true), Colors::Off);
        assert_eq!(colors(&env(&[("TERM", "dumb")]), true), Colors::Off);
    }
}
