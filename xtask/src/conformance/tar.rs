//! Layer archives, harmless and hostile: each is unpacked on the layer that it comes with, and the result compared;
//! nothing outside may change.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tug_oci::{Descriptor, DiffId, Digest, MediaType};
use tug_store::Store;
use tug_store::view::{Entry, EntryKind, Links, View};

use super::Score;
use super::recipe::archive;
use crate::Problem;

/// Runs the corpus in `folder/tar`.
pub(super) fn run(folder: &Path) -> Result<Score, Problem> {
    let text = fs::read(folder.join("tar/layers.json"))?;
    let corpus: Value = serde_json::from_slice(&text)?;
    let canary = Canary::set_up()?;
    let mut score = Score::default();
    for case in corpus["cases"].as_array().ok_or("the corpus has no cases")? {
        let name = case["name"].as_str().unwrap_or_default().to_owned();
        let outside = tempfile::tempdir()?;
        fs::write(outside.path().join("beside"), "untouched")?;
        let outcome = unpack(case, &outside.path().join("store"));
        let verdict = judge(case, outcome.as_ref()).and_then(|()| canary.check(outside.path()));
        score.add(name, verdict.err());
    }
    Ok(score)
}

/// What the image looks like with the layer unpacked, or why it was refused.
fn unpack(case: &Value, root: &Path) -> Result<Tree, String> {
    let told = |error: &dyn std::error::Error| {
        let mut text = error.to_string();
        let mut below = error.source();
        while let Some(source) = below {
            text = format!("{text}: {source}");
            below = source.source();
        }
        text
    };
    let store = Store::open(root).map_err(|error| told(&error))?;
    let mut layers = Vec::new();
    if let Some(before) = case["before"].as_array() {
        layers.push(receive(&store, &archive(before, &Value::Null)).map_err(|error| told(&*error))?);
    }
    let entries = case["entries"].as_array().cloned().unwrap_or_default();
    layers.push(receive(&store, &archive(&entries, case)).map_err(|error| told(&*error))?);
    let view = store.snapshots().view(&layers).map_err(|error| told(&error))?;
    Tree::of(&view).map_err(|error| told(&*error))
}

fn receive(store: &Store, bytes: &[u8]) -> Result<DiffId, Problem> {
    let blob = Descriptor::of(MediaType::OCI_LAYER, bytes);
    let mut receiver = store.layers().receive(&blob.media_type)?;
    // Small pieces, as they come from a network.
    for piece in bytes.chunks(1000) {
        receiver.write_all(piece)?;
    }
    Ok(receiver.commit(&blob, None)?.diff_id)
}

fn judge(case: &Value, outcome: Result<&Tree, &String>) -> Result<(), String> {
    let outcomes = match case["want"]["one_of"].as_array() {
        Some(several) => several.clone(),
        None => vec![case["want"].clone()],
    };
    let mut differences = Vec::new();
    for want in &outcomes {
        match (want["refused"].as_bool().unwrap_or(false), outcome) {
            (true, Err(_)) => return Ok(()),
            (true, Ok(_)) => differences.push("not refused".to_owned()),
            (false, Err(error)) => differences.push(format!("refused: {error}")),
            (false, Ok(tree)) => match tree.differs(want) {
                None => return Ok(()),
                Some(difference) => differences.push(difference),
            },
        }
    }
    Err(differences.join(" | "))
}

/// The files of an image.
struct Tree {
    entries: BTreeMap<String, Value>,
    /// Names by device and inode.
    names: BTreeMap<(u64, u64), BTreeSet<String>>,
}

impl Tree {
    fn of(view: &View) -> Result<Tree, Problem> {
        let mut tree = Tree { entries: BTreeMap::new(), names: BTreeMap::new() };
        let mut todo = vec![PathBuf::new()];
        while let Some(path) = todo.pop() {
            let directory = view.lookup(&path, Links::Keep)?.ok_or("a folder is gone")?;
            for name in view.read_dir(&directory)? {
                let path = path.join(name);
                let entry = view.lookup(&path, Links::Keep)?.ok_or("a listed entry is gone")?;
                tree.add(view, &entry)?;
                if entry.kind == EntryKind::Dir {
                    todo.push(path);
                }
            }
        }
        Ok(tree)
    }

    fn add(&mut self, view: &View, entry: &Entry) -> Result<(), Problem> {
        let stat = &entry.stat;
        let mut facts = json!({ "uid": stat.st_uid, "gid": stat.st_gid });
        if !matches!(entry.kind, EntryKind::Symlink(_)) {
            facts["mode"] = json!(format!("0o{:o}", stat.st_mode & 0o7777));
        }
        match &entry.kind {
            EntryKind::Dir => facts["type"] = json!("dir"),
            EntryKind::File => {
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut fs::File::from(view.open(entry)?), &mut bytes)?;
                facts["type"] = json!("file");
                facts["size"] = json!(bytes.len());
                facts["sha"] = json!(Digest::of(&bytes).hex()[..16]);
                facts["mtime"] = json!(stat.st_mtime);
            }
            EntryKind::Symlink(to) => {
                facts["type"] = json!("symlink");
                facts["to"] = json!(shown(to.as_os_str().as_bytes()));
            }
            EntryKind::Special => {
                let (kind, device) = match stat.st_mode & 0o170_000 {
                    0o020_000 => ("char", true),
                    0o060_000 => ("block", true),
                    _ => ("fifo", false),
                };
                facts["type"] = json!(kind);
                if device {
                    facts["major"] = json!(rustix::fs::major(stat.st_rdev));
                    facts["minor"] = json!(rustix::fs::minor(stat.st_rdev));
                }
            }
        }
        let xattrs = view.xattrs(entry)?;
        if !xattrs.is_empty() {
            let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            let pairs = xattrs.into_iter().map(|(name, value)| {
                (String::from_utf8_lossy(&name.into_vec()).into_owned(), json!(hex(&value)))
            });
            facts["xattrs_hex"] = Value::Object(pairs.collect());
        }
        let path = shown(entry.path.as_os_str().as_bytes());
        if entry.kind != EntryKind::Dir {
            self.names.entry((stat.st_dev, stat.st_ino)).or_default().insert(path.clone());
        }
        self.entries.insert(path, facts);
        Ok(())
    }

    fn differs(&self, want: &Value) -> Option<String> {
        let empty = serde_json::Map::new();
        let wanted = want["tree"].as_object().unwrap_or(&empty);
        for (path, facts) in wanted {
            let Some(found) = self.entries.get(path) else { return Some(format!("{path} is missing")) };
            let implied = facts["implied"].as_bool().unwrap_or(false);
            let keys: Vec<&str> = match implied {
                true => vec!["type"],
                false => {
                    FACTS.iter().copied().filter(|fact| *fact != "mtime" || facts["type"] == "file").collect()
                }
            };
            for key in keys {
                if facts[key] != found[key] {
                    return Some(format!("{path}: {key} is {}, not {}", found[key], facts[key]));
                }
            }
        }
        if want["partial"].as_bool().unwrap_or(false) {
            let count = want["count"].as_u64().unwrap_or(self.entries.len() as u64);
            return (count != self.entries.len() as u64).then(|| format!("{} entries", self.entries.len()));
        }
        if let Some(extra) = self.entries.keys().find(|path| !wanted.contains_key(*path)) {
            return Some(format!("{extra} should not be there"));
        }
        let groups: BTreeSet<Vec<String>> = self
            .names
            .values()
            .filter(|names| names.len() > 1)
            .map(|names| names.iter().cloned().collect())
            .collect();
        let wanted: Option<BTreeSet<Vec<String>>> = serde_json::from_value(want["links"].clone()).ok();
        match wanted {
            Some(wanted) if wanted != groups => Some(format!("links are {groups:?}, not {wanted:?}")),
            _ => None,
        }
    }
}

fn shown(path: &[u8]) -> String {
    match std::str::from_utf8(path) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("hex:{}", path.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

/// Files outside that an escape would touch.
struct Canary {
    /// Whether this run made the folder and so removes it.
    made: bool,
}

impl Canary {
    fn set_up() -> Result<Canary, Problem> {
        let folder = Path::new(CANARY);
        let made = !folder.exists();
        if made {
            fs::create_dir(folder)?;
            fs::write(folder.join("perm400"), "secret")?;
            fs::set_permissions(folder.join("perm400"), fs::Permissions::from_mode(0o400))?;
        }
        Ok(Canary { made })
    }

    fn check(&self, outside: &Path) -> Result<(), String> {
        let listed = |folder: &Path| -> Vec<String> {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            let mut names: Vec<String> =
                entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            names
        };
        let mode =
            fs::metadata(Path::new(CANARY).join("perm400")).map(|metadata| metadata.permissions().mode());
        if listed(Path::new(CANARY)) != ["perm400"] || mode.ok().is_none_or(|mode| mode & 0o7777 != 0o400) {
            return Err(format!("{CANARY} was touched"));
        }
        for gone in ["/conformance-escape", "/tmp/conformance-canary", "/tmp/conformance-escape"] {
            if fs::symlink_metadata(gone).is_ok() {
                return Err(format!("{gone} was made"));
            }
        }
        if listed(outside) != ["beside", "store"]
            || fs::read(outside.join("beside")).ok().as_deref() != Some(b"untouched")
        {
            return Err("files beside the store were touched".to_owned());
        }
        Ok(())
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        if self.made {
            let _ = fs::remove_dir_all(CANARY);
        }
    }
}

const CANARY: &str = "/conformance-canary";
const FACTS: [&str; 10] = ["type", "mode", "uid", "gid", "size", "sha", "mtime", "to", "major", "xattrs_hex"];
