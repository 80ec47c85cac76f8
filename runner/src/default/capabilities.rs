//! What root may do in a container.

use oci_spec::runtime::{Capabilities, Capability};

/// The fourteen capabilities that a container has by default.
pub fn capabilities() -> Capabilities {
    DEFAULT.into_iter().collect()
}

const DEFAULT: [Capability; 14] = [
    Capability::AuditWrite,
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fowner,
    Capability::Fsetid,
    Capability::Kill,
    Capability::Mknod,
    Capability::NetBindService,
    Capability::NetRaw,
    Capability::Setfcap,
    Capability::Setgid,
    Capability::Setpcap,
    Capability::Setuid,
    Capability::SysChroot,
];
