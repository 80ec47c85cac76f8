//! The Debian packages that a task needs: found, installed when run as root, or named.

use std::path::Path;
use std::process::Command;

use crate::Problem;

/// A Debian package and a file that is there once it is installed.
pub(crate) struct Package {
    /// Its name in Debian 12.
    pub(crate) name: &'static str,
    /// A file of it.
    pub(crate) file: &'static str,
}

/// The static shell that test images are made of.
pub(crate) const BUSYBOX: Package = Package { name: "busybox-static", file: "/bin/busybox" };
/// A C compiler, for the crates that hold C.
pub(crate) const COMPILER: Package = Package { name: "build-essential", file: "/usr/bin/cc" };
/// A real registry.
pub(crate) const REGISTRY: Package = Package { name: "docker-registry", file: "/usr/bin/docker-registry" };
/// What the tests hold tug against.
pub(crate) const JUDGES: &[Package] = &[
    Package { name: "apache2-utils", file: "/usr/bin/htpasswd" },
    Package { name: "buildah", file: "/usr/bin/buildah" },
    Package { name: "mmdebstrap", file: "/usr/bin/mmdebstrap" },
    Package { name: "mount", file: "/usr/bin/mount" },
    Package { name: "openssl", file: "/usr/bin/openssl" },
    Package { name: "podman", file: "/usr/bin/podman" },
    Package { name: "procps", file: "/usr/bin/kill" },
    Package { name: "runc", file: "/usr/sbin/runc" },
    Package { name: "skopeo", file: "/usr/bin/skopeo" },
    Package { name: "umoci", file: "/usr/bin/umoci" },
];
/// What the benchmarks measure tug against.
pub(crate) const PEERS: &[Package] = &[
    Package { name: "docker.io", file: "/usr/sbin/dockerd" },
    Package { name: "iproute2", file: "/usr/sbin/ip" },
    Package { name: "runc", file: "/usr/sbin/runc" },
    Package { name: "time", file: "/usr/bin/time" },
];

/// Makes sure that `wanted` are installed: root installs them, anybody else is told what to install.
pub(crate) fn require<'p>(wanted: impl IntoIterator<Item = &'p Package>) -> Result<(), Problem> {
    let missing: Vec<&str> = wanted
        .into_iter()
        .filter(|package| !Path::new(package.file).exists())
        .map(|package| package.name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !rustix::process::geteuid().is_root() {
        return Err(
            format!("missing: {list}; install with: apt-get install --no-install-recommends {list}").into()
        );
    }
    println!("installing {list}");
    apt(&["update"])?;
    let mut install = vec!["install", "--no-install-recommends"];
    install.extend(missing);
    apt(&install)
}

fn apt(args: &[&str]) -> Result<(), Problem> {
    let output = Command::new("apt-get")
        .args(["-q", "-y"])
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // An installed package may want to start its service; a test machine should not have it running.
        .env("RUNLEVEL", "1")
        .output()?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("apt-get {} failed: {}", args.join(" "), said.trim_end()).into())
        }
    }
}
