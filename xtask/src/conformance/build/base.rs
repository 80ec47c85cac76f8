//! The base image of the corpus, made of this machine's busybox.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use tug_oci::{ContainerConfig, History, ImageConfig, Platform, Reference, RootFs};
use tug_store::layer::Settle;

use super::case::set_time;
use super::tug::Tug;
use crate::Problem;

/// What the base image is.
#[derive(Deserialize)]
pub(super) struct Base {
    names: Vec<String>,
    platform: String,
    config: ContainerConfig,
    created: String,
    mtime: i64,
    entries: Vec<Entry>,
    applet_links: Links,
}

#[derive(Deserialize)]
struct Entry {
    path: String,
    #[serde(rename = "type")]
    kind: String,
    mode: String,
    text: Option<String>,
}

#[derive(Deserialize)]
struct Links {
    #[serde(rename = "in")]
    folder: String,
    to: String,
}

impl Base {
    /// Puts the image into the store, under all its names.
    pub(super) fn install(&self, tug: &Tug) -> Result<(), Problem> {
        let store = tug.store()?;
        let staged = store.layers().stage()?;
        self.fill(staged.fs())?;
        let layer = staged.commit(Settle::default())?;
        let platform: Platform = self.platform.parse()?;
        let history = History {
            created: Some(self.created.clone()),
            created_by: Some("busybox".to_owned()),
            ..History::default()
        };
        let image = store.images().write(&ImageConfig {
            created: Some(self.created.clone()),
            author: None,
            platform,
            config: Some(self.config.clone()),
            rootfs: RootFs::of(vec![layer.diff_id]),
            history: vec![history],
        })?;
        for name in &self.names {
            let name: Reference = name.parse()?;
            store.names().set(&name, &image.descriptor)?;
        }
        Ok(())
    }

    fn fill(&self, root: &Path) -> Result<(), Problem> {
        let mut paths = Vec::new();
        for entry in &self.entries {
            let path = root.join(&entry.path);
            match (entry.kind.as_str(), &entry.text) {
                ("dir", _) => fs::create_dir_all(&path)?,
                (_, Some(text)) => fs::write(&path, text)?,
                (_, None) => drop(fs::copy(BUSYBOX, &path).map_err(|error| format!("{BUSYBOX}: {error}"))?),
            }
            let mode = u32::from_str_radix(entry.mode.trim_start_matches("0o"), 8)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
            paths.push(path);
        }
        let listed = Command::new(BUSYBOX).arg("--list").output()?;
        for name in String::from_utf8(listed.stdout)?.lines().filter(|name| *name != "busybox") {
            let path = root.join(&self.applet_links.folder).join(name);
            symlink(&self.applet_links.to, &path)?;
            set_time(&path, self.mtime)?;
        }
        paths.iter().rev().try_for_each(|path| set_time(path, self.mtime))
    }
}

/// One of the base's names.
pub(super) const NAME: &str = "busybox:latest";
const BUSYBOX: &str = "/bin/busybox";
