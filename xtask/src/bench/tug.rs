//! tug, as it is measured: the release binary on a store of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Problem;

pub(super) struct Tug {
    binary: PathBuf,
    root: PathBuf,
}

impl Tug {
    pub(super) fn new(binary: PathBuf, root: PathBuf) -> Tug {
        Tug { binary, root }
    }

    /// The same binary on another store.
    pub(super) fn on(&self, root: &Path) -> Tug {
        Tug { binary: self.binary.clone(), root: root.to_owned() }
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("--root").arg(&self.root).args(args);
        command
    }

    /// Runs a command that must succeed, and gives its standard output.
    pub(super) fn output(&self, args: &[&str]) -> Result<String, Problem> {
        super::docker::output(self.command(args))
    }

    pub(super) fn check(&self, args: &[&str]) -> Result<(), Problem> {
        self.output(args).map(drop)
    }
}
