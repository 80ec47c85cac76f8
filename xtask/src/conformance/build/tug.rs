//! The built `tug`, with a store of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tug_oci::Platform;
use tug_store::Store;
use tug_store::image::Image;

use super::case::Node;
use super::tree;
use crate::Problem;

/// The binary and where it works.
pub(super) struct Tug {
    binary: PathBuf,
    folder: tempfile::TempDir,
}

/// A build to run.
pub(super) struct Build {
    context: PathBuf,
    pub(super) tag: String,
    args: Vec<String>,
}

impl Build {
    pub(super) fn new(context: &Path, tag: &str) -> Build {
        Build { context: context.to_owned(), tag: tag.to_owned(), args: Vec::new() }
    }

    pub(super) fn arg(&mut self, flag: &str, value: &str) {
        self.args.extend([flag.to_owned(), value.to_owned()]);
    }

    pub(super) fn flag(&mut self, flag: &str) {
        self.args.push(flag.to_owned());
    }
}

impl Tug {
    pub(super) fn new(binary: PathBuf) -> Result<Tug, Problem> {
        Ok(Tug { binary, folder: tempfile::tempdir()? })
    }

    /// A folder beside the store.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf, Problem> {
        let path = self.folder.path().join(name.replace('/', "_"));
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    pub(super) fn store(&self) -> Result<Store, Problem> {
        Ok(Store::open(&self.root())?)
    }

    /// Builds; the message when that fails.
    pub(super) fn build(&self, build: &Build) -> Result<Result<(), String>, Problem> {
        let output = Command::new("timeout")
            .args(["--kill-after=5", SECONDS_MAX])
            .arg(&self.binary)
            .arg("--root")
            .arg(self.root())
            .args(["build", "--progress", "plain", "-t", &build.tag])
            .args(&build.args)
            .arg(&build.context)
            .env_remove("SOURCE_DATE_EPOCH")
            .output()?;
        if output.status.success() {
            return Ok(Ok(()));
        }
        let text = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = text.lines().rev().filter(|line| !line.trim().is_empty()).take(LINES).collect();
        let lines: Vec<&str> = last.into_iter().rev().collect();
        Ok(Err(format!("{}: {}", output.status, lines.join(" | "))))
    }

    /// An image by name.
    pub(super) fn result(&self, name: &str) -> Result<Image, Problem> {
        let store = self.store()?;
        let target = store.names().get(&name.parse()?)?.ok_or_else(|| format!("no image {name}"))?;
        Ok(store.images().read(&target, &Platform::host())?)
    }

    /// The files of an image, by path.
    pub(super) fn tree(&self, image: &Image) -> Result<BTreeMap<String, Node>, Problem> {
        match image.diff_ids() {
            [] => Ok(BTreeMap::new()),
            layers => tree::of(&self.store()?.snapshots().view(layers)?),
        }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("store")
    }
}

const SECONDS_MAX: &str = "120";
const LINES: usize = 6;
