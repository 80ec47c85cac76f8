//! Files of a container that are about its machine: `resolv.conf`, `hosts`, `hostname`. Written outside of the image
//! and shown in it, so that none of them stays in a layer.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tug_runner::default::Builder;
use tug_runner::network;

/// Why they cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}")]
pub(crate) struct HostFilesError {
    path: PathBuf,
    source: io::Error,
}

/// Which of them a container gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// All.
    All,
    /// All but `hostname`: a build step's host name is no property of the machine.
    Network,
}

/// Writes the files into a directory and mounts them.
pub(crate) fn provide(
    builder: Builder,
    directory: &Path,
    which: Which,
    hostname: &str,
    extra_hosts: &[(String, String)],
) -> Result<Builder, HostFilesError> {
    // Without the machine's own there is nothing to say: the resolver falls back to localhost.
    let resolv_conf = fs::read_to_string(RESOLV_CONF).unwrap_or_default();
    let mut files = vec![
        (RESOLV_CONF, network::resolv_conf(&resolv_conf)),
        ("/etc/hosts", network::hosts(hostname, extra_hosts)),
    ];
    if which == Which::All {
        files.push(("/etc/hostname", format!("{hostname}\n")));
    }
    let mut builder = builder;
    for (target, content) in files {
        let path = directory.join(target.trim_start_matches("/etc/"));
        fs::write(&path, content).map_err(|source| HostFilesError { path: path.clone(), source })?;
        builder = builder.bind(&path, Path::new(target), &[]);
    }
    Ok(builder)
}

const RESOLV_CONF: &str = "/etc/resolv.conf";
