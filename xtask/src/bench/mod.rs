//! `cargo xtask bench`: tug against Debian's peers on the same work, in one run, A B A B. Prints medians, spread, ratio
//! and peak memory; judges nothing.

mod docker;
mod measure;
mod pull;
mod rebuild;
mod start;
mod tug;

use std::path::Path;

use crate::cargo::{self, Profile};
use crate::{Problem, debian};

use docker::Docker;
use measure::Comparison;
use tug::Tug;

/// What every row works with.
struct Bench<'b> {
    tug: Tug,
    docker: Docker,
    /// A folder of this run's own.
    folder: &'b Path,
}

/// A row: its name, what is compared, and how.
struct Row {
    name: &'static str,
    work: &'static str,
    run: fn(&Bench<'_>) -> Result<Vec<Comparison>, Problem>,
}

const ROWS: &[Row] = &[
    Row { name: "noop", work: "build, 22 instructions, 10,000 files, nothing changed", run: rebuild::noop },
    Row { name: "onefile", work: "the same build, one file changed", run: rebuild::onefile },
    Row { name: "start", work: "run `true` without network, start to end", run: start::run },
    Row {
        name: "pull",
        work: "pull and unpack an image of three layers, about 300 MB of gzip",
        run: pull::run,
    },
];

/// Runs the rows named, or all.
pub(crate) fn run(names: &[String]) -> Result<(), Problem> {
    if let Some(unknown) = names.iter().find(|name| ROWS.iter().all(|row| row.name != name.as_str())) {
        let known: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
        return Err(format!("no row {unknown:?}; there are {}", known.join(", ")).into());
    }
    debian::require([&debian::BUSYBOX, &debian::REGISTRY].into_iter().chain(debian::PEERS))?;
    let folder = tempfile::Builder::new().prefix("tug-bench-").tempdir()?;
    let tug = Tug::new(cargo::build_tug(Profile::Release)?, folder.path().join("store"));
    let docker = Docker::start(&folder.path().join("docker"))?;
    let bench = Bench { tug, docker, folder: folder.path() };
    bench.share_base()?;
    for row in ROWS.iter().filter(|row| names.is_empty() || names.iter().any(|name| name == row.name)) {
        println!("{}: {}", row.name, row.work);
        for comparison in (row.run)(&bench)? {
            println!("  {comparison}");
        }
    }
    Ok(())
}

impl Bench<'_> {
    /// Makes the base image with tug and gives it to docker, so that both build on the same bytes.
    fn share_base(&self) -> Result<(), Problem> {
        let base = self.folder.join("base");
        crate::demo::write_base(&base)?;
        self.tug.check(&["build", "-q", "-t", BASE, text(&base)?])?;
        let archive = self.folder.join("base.tar");
        self.tug.check(&["save", "-o", text(&archive)?, BASE])?;
        self.docker.check(&["load", "-q", "-i", text(&archive)?])
    }
}

fn text(path: &Path) -> Result<&str, Problem> {
    path.to_str().ok_or_else(|| format!("{} is not UTF-8", path.display()).into())
}

/// The base image's name, in tug's store and in docker's.
const BASE: &str = "bench/base:1";
