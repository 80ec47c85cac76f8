//! The cargo that runs this task, run again.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Problem;

/// How `tug` is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quick to compile; dependencies are optimised.
    Dev,
    /// What users run.
    Release,
}

/// The workspace's folder.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

/// Runs cargo in the workspace.
pub(crate) fn cargo(args: &[&str]) -> Result<(), Problem> {
    let status = Command::new(env!("CARGO")).args(args).current_dir(workspace()).status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("cargo {} failed", args.join(" ")).into()),
    }
}

/// Compiles `tug` and says where it is.
pub(crate) fn build_tug(profile: Profile) -> Result<PathBuf, Problem> {
    let (flags, folder): (&[&str], _) = match profile {
        Profile::Dev => (&["build", "--quiet", "--package", "tug"], "debug"),
        Profile::Release => (&["build", "--quiet", "--package", "tug", "--release"], "release"),
    };
    cargo(flags)?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    Ok(workspace().join(target).join(folder).join("tug"))
}
