//! Runs the OCI bundle in a directory (`config.json` and `rootfs`) in the foreground: `bundle DIRECTORY`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tug_runner::spec::Spec;
use tug_runner::{Bundle, Cancel, Rootfs, RunError, Stdio};

fn main() -> ExitCode {
    tug_runner::helper_entry();
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: bundle DIRECTORY");
        return ExitCode::from(2);
    };
    match run(&directory) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprint!("bundle: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprint!(": {error}");
                cause = error.source();
            }
            eprintln!();
            ExitCode::from(125)
        }
    }
}

fn run(directory: &Path) -> Result<u8, Box<dyn std::error::Error>> {
    let directory = directory.canonicalize()?;
    let spec = Spec::load(directory.join("config.json"))?;
    let rootfs = spec.root().as_ref().map_or_else(|| "rootfs".into(), |root| root.path().clone());
    let bundle = Bundle { rootfs: Rootfs::Dir(directory.join(rootfs)), spec };
    match tug_runner::run(&bundle, Stdio::Inherit, &Cancel::new()) {
        Ok(status) => Ok(status.code()),
        Err(error @ RunError::Setup(_)) => {
            eprintln!("bundle: {error}");
            Ok(error.code())
        }
        Err(error) => Err(error.into()),
    }
}
