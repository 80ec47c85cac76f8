//! Kernel parameters and names: only those that belong to a namespace of the container's own.

use nix::libc;
use oci_spec::runtime::{Linux, Spec};

use super::LowerError;
use crate::plan::Namespaces;

/// Checks that host name, domain name and parameters would not change the host.
pub(super) fn check(spec: &Spec, linux: &Linux, namespaces: &Namespaces) -> Result<(), LowerError> {
    let own = |kind: i32| {
        let kind = kind as u32 as u64;
        namespaces.new & kind != 0 || namespaces.joined.iter().any(|(joined, _)| *joined == kind)
    };
    let named = spec.hostname().is_some() || spec.domainname().is_some();
    if named && !own(libc::CLONE_NEWUTS) {
        return Err(LowerError::Shared { name: "hostname".into() });
    }
    for name in linux.sysctl().iter().flatten().map(|(name, _)| name) {
        let name = name.replace('/', ".");
        let allowed = match name.as_str() {
            "kernel.domainname" | "kernel.hostname" => own(libc::CLONE_NEWUTS),
            _ if name.starts_with("net.") => own(libc::CLONE_NEWNET),
            _ if name.starts_with("fs.mqueue.") || IPC.contains(&name.as_str()) => own(libc::CLONE_NEWIPC),
            _ => false,
        };
        if !allowed {
            return Err(LowerError::Shared { name });
        }
    }
    Ok(())
}

const IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shm_rmid_forced",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
];
