//! *start*: a container that does nothing, from the command to its end.

use std::fs;
use std::process::Command;

use super::measure::{Comparison, Side, compare};
use super::{BASE, Bench, text};
use crate::Problem;

pub(super) fn run(bench: &Bench<'_>) -> Result<Vec<Comparison>, Problem> {
    let bundle = bench.folder.join("bundle");
    write_bundle(bench)?;
    let args = ["run", "--rm", "--network", "none", BASE, "true"];
    let ready = || Ok(());
    let ours = Side { name: "tug", prepare: &ready, command: &|| bench.tug.command(&args) };
    let docker = Side { name: "docker", prepare: &ready, command: &|| bench.docker.command(&args) };
    let runc = Side {
        name: "runc",
        prepare: &ready,
        command: &|| {
            let mut command = Command::new("runc");
            command.arg("run").arg("--bundle").arg(&bundle).arg(format!("bench{}", std::process::id()));
            command
        },
    };
    Ok(vec![compare(RUNS, &ours, &docker)?, compare(RUNS, &ours, &runc)?])
}

/// A bundle for runc with the base image's files, its own default spec, and `true` to run.
fn write_bundle(bench: &Bench<'_>) -> Result<(), Problem> {
    let bundle = bench.folder.join("bundle");
    let rootfs = bundle.join("rootfs");
    fs::create_dir_all(&rootfs)?;
    let empty = bench.folder.join("bundle-context");
    fs::create_dir_all(&empty)?;
    fs::write(empty.join("Dockerfile"), format!("FROM {BASE}\n"))?;
    bench.tug.check(&["build", "-q", "-o", &format!("type=local,dest={}", text(&rootfs)?), text(&empty)?])?;
    let mut spec = Command::new("runc");
    spec.args(["spec", "--bundle"]).arg(&bundle);
    super::docker::output(spec)?;
    let path = bundle.join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path)?)?;
    config["process"]["args"] = serde_json::json!(["true"]);
    config["process"]["terminal"] = serde_json::json!(false);
    Ok(fs::write(&path, config.to_string())?)
}

const RUNS: usize = 11;
