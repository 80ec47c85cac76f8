//! *pull*: an image of three layers, 300 MB of gzip together, from a local registry into an empty store.

use std::fs;
use std::path::Path;

use super::measure::{Comparison, Side, compare};
use super::{Bench, text};
use crate::Problem;
use crate::registry::Registry;

pub(super) fn run(bench: &Bench<'_>) -> Result<Vec<Comparison>, Problem> {
    let registry = Registry::start(&bench.folder.join("registry"))?;
    let name = format!("{}/bench/pull:1", registry.host());
    publish(bench, &name)?;
    println!("  {} MB packed", stored_bytes(&bench.folder.join("registry"))? / 1_000_000);
    let root = bench.folder.join("pull-store");
    let tug = bench.tug.on(&root);
    let empty_store = || match fs::remove_dir_all(&root) {
        Err(problem) if problem.kind() != std::io::ErrorKind::NotFound => Err(problem.into()),
        _ => Ok(()),
    };
    let empty_docker = || {
        // Not there before the first pull.
        let _ = bench.docker.check(&["rmi", &name]);
        Ok(())
    };
    let args = ["pull", "-q", &name];
    let ours = Side { name: "tug", prepare: &empty_store, command: &|| tug.command(&args) };
    let theirs = Side { name: "docker", prepare: &empty_docker, command: &|| bench.docker.command(&args) };
    let comparison = compare(RUNS, &ours, &theirs)?;
    check_equal(bench, &tug, &name)?;
    Ok(vec![comparison])
}

/// Builds the image of files that this machine has, and pushes it.
fn publish(bench: &Bench<'_>, name: &str) -> Result<(), Problem> {
    let context = bench.folder.join("pull");
    let mut files = library_files();
    for layer in 0..LAYERS {
        fill(&context.join(format!("layer{layer}")), &mut files, UNPACKED_BYTES / LAYERS)?;
    }
    fs::write(
        context.join("Dockerfile"),
        "FROM bench/base:1\nCOPY layer0 /data/0\nCOPY layer1 /data/1\nCOPY layer2 /data/2\n",
    )?;
    bench.tug.check(&["build", "-q", "-t", name, text(&context)?])?;
    fs::remove_dir_all(&context)?;
    bench.tug.check(&["push", "-q", name])
}

/// What the registry keeps: nearly all of it is the image's layers.
fn stored_bytes(folder: &Path) -> Result<u64, Problem> {
    let mut bytes = 0;
    for entry in walkdir::WalkDir::new(folder) {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

/// The machine's own libraries and programs, in order.
fn library_files() -> impl Iterator<Item = walkdir::DirEntry> {
    let sources = SOURCES.iter().filter(|source| Path::new(source).is_dir());
    let entries = sources.flat_map(|source| walkdir::WalkDir::new(source).sort_by_file_name());
    entries.flatten().filter(|entry| entry.file_type().is_file())
}

/// Copies files until `bytes` are there.
fn fill(
    folder: &Path,
    files: &mut dyn Iterator<Item = walkdir::DirEntry>,
    bytes: u64,
) -> Result<(), Problem> {
    let mut copied = 0;
    for (number, file) in files.enumerate() {
        let folder = folder.join(format!("{:03}", number / 100));
        fs::create_dir_all(&folder)?;
        copied += fs::copy(file.path(), folder.join(number.to_string()))?;
        if copied >= bytes {
            return Ok(());
        }
    }
    Err("too few files below /usr to make an image of".into())
}

fn check_equal(bench: &Bench<'_>, tug: &super::Tug, name: &str) -> Result<(), Problem> {
    let script = "find /data /bin -type f | sort | xargs sha256sum | sha256sum; find /data | wc -l";
    let args = ["run", "--rm", "--network", "none", name, "sh", "-c", script];
    let (ours, theirs) = (tug.output(&args)?, bench.docker.output(&args)?);
    match ours == theirs {
        true => Ok(()),
        false => Err(format!("the pulled images differ:\ntug\n{ours}\ndocker\n{theirs}").into()),
    }
}

const RUNS: usize = 5;
const LAYERS: u64 = 3;
/// Programs and libraries pack to about a third.
const UNPACKED_BYTES: u64 = 750 << 20;
const SOURCES: &[&str] = &["/usr/bin", "/usr/lib", "/usr/share"];
