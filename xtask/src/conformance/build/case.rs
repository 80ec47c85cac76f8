//! The rows of the corpus, and contexts written to disk.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use serde::Deserialize;

use crate::Problem;

/// A build.
#[derive(Deserialize)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) dockerfile: String,
    pub(super) file: Option<String>,
    pub(super) context: Vec<Entry>,
    #[serde(default)]
    pub(super) build_args: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    pub(super) target: Option<String>,
    pub(super) platform: Option<String>,
    pub(super) hostname: Option<String>,
    pub(super) shm_size: Option<String>,
    pub(super) ulimit: Option<String>,
    #[serde(default)]
    pub(super) named_contexts: BTreeMap<String, NamedContext>,
    #[serde(default)]
    pub(super) requires: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) loose: Vec<String>,
    pub(super) want: Option<Want>,
    pub(super) want_platforms: Option<Vec<Want>>,
}

/// Another context.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum NamedContext {
    Image(String),
    Entries(Vec<Entry>),
}

/// An entry of a context.
#[derive(Deserialize)]
pub(super) struct Entry {
    pub(super) path: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) mode: Option<String>,
    pub(super) text: Option<String>,
    pub(super) base64: Option<String>,
    pub(super) to: Option<String>,
    pub(super) mtime: Option<i64>,
}

/// The image that was recorded.
#[derive(Deserialize)]
pub(super) struct Want {
    pub(super) config: serde_json::Map<String, serde_json::Value>,
    pub(super) platform: serde_json::Map<String, serde_json::Value>,
    pub(super) fs: BTreeMap<String, Node>,
    pub(super) on_base: bool,
    #[serde(default)]
    pub(super) removed: Vec<String>,
    pub(super) created: Option<String>,
}

/// A file of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Node {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) mode: Option<String>,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) size: Option<u64>,
    pub(super) sha: Option<String>,
    pub(super) mtime: Option<i64>,
    pub(super) to: Option<String>,
    #[serde(default)]
    pub(super) xattrs: BTreeMap<String, String>,
}

/// Builds one after the other.
#[derive(Deserialize)]
pub(super) struct Sequence {
    pub(super) name: String,
    pub(super) steps: Vec<Step>,
    pub(super) compare: Vec<Compare>,
}

/// A build of a sequence.
#[derive(Deserialize)]
pub(super) struct Step {
    pub(super) context: Vec<Entry>,
    #[serde(default)]
    pub(super) build_args: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) no_cache: NoCache,
}

/// What is built anew.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum NoCache {
    All(bool),
    Stages(Vec<String>),
}

impl Default for NoCache {
    fn default() -> NoCache {
        NoCache::All(false)
    }
}

/// Whether a file has the same content in two steps.
#[derive(Deserialize)]
pub(super) struct Compare {
    pub(super) path: String,
    pub(super) steps: [usize; 2],
    pub(super) same: bool,
}

/// Writes a context: files first, then the modes and times of folders.
pub(super) fn write(folder: &Path, entries: &[Entry]) -> Result<(), Problem> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    for entry in entries {
        let path = folder.join(&entry.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        match entry.kind.as_str() {
            "dir" => fs::create_dir_all(&path)?,
            "symlink" => symlink(entry.to.as_deref().unwrap_or_default(), &path)?,
            "socket" => drop(UnixListener::bind(&path)?),
            _ => fs::write(&path, content(entry)?)?,
        }
        if entry.kind != "dir" {
            finish(&path, entry)?;
        }
    }
    let mut folders: Vec<&Entry> = entries.iter().filter(|entry| entry.kind == "dir").collect();
    folders.sort_by_key(|entry| std::cmp::Reverse(entry.path.len()));
    folders.iter().try_for_each(|entry| finish(&folder.join(&entry.path), entry))?;
    set_time(folder, TIME)
}

fn content(entry: &Entry) -> Result<Vec<u8>, Problem> {
    match (&entry.text, &entry.base64) {
        (Some(text), _) => Ok(text.clone().into_bytes()),
        (None, Some(text)) => base64(text),
        (None, None) => Ok(Vec::new()),
    }
}

fn finish(path: &Path, entry: &Entry) -> Result<(), Problem> {
    if entry.kind != "symlink"
        && let Some(mode) = &entry.mode
    {
        let mode = u32::from_str_radix(mode.trim_start_matches("0o"), 8)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    set_time(path, entry.mtime.unwrap_or(TIME))
}

pub(super) fn set_time(path: &Path, seconds: i64) -> Result<(), Problem> {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn base64(text: &str) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let (mut buffer, mut bits) = (0u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return Err("malformed base64".into()),
        };
        buffer = buffer << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits & 0xff) as u8);
        }
    }
    Ok(bytes)
}

pub(super) const TIME: i64 = 1_000_000_000;
