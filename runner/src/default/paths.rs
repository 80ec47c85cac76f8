//! What is mounted in a container, and which of the kernel's files it may not see or change.

use std::path::PathBuf;

use oci_spec::runtime::Mount;

/// The file systems of the kernel that a container has.
pub fn mounts() -> Vec<Mount> {
    MOUNTS.iter().map(|(name, destination, options)| mount(name, destination, options)).collect()
}

/// What a container may not see.
pub fn masked_paths() -> Vec<String> {
    MASKED.map(str::to_owned).to_vec()
}

/// What a container may not change.
pub fn readonly_paths() -> Vec<String> {
    READONLY.map(str::to_owned).to_vec()
}

pub(super) fn mount(name: &str, destination: &str, options: &[&str]) -> Mount {
    let mut mount = Mount::default();
    mount
        .set_destination(PathBuf::from(destination))
        .set_typ(Some(name.to_owned()))
        .set_source(Some(PathBuf::from(name)))
        .set_options(Some(options.iter().map(|option| option.to_string()).collect()));
    mount
}

const MOUNTS: [(&str, &str, &[&str]); 7] = [
    ("proc", "/proc", &["nosuid", "noexec", "nodev"]),
    ("tmpfs", "/dev", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
    ("devpts", "/dev/pts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
    ("sysfs", "/sys", &["nosuid", "noexec", "nodev", "ro"]),
    ("cgroup", "/sys/fs/cgroup", &["ro", "nosuid", "noexec", "nodev"]),
    ("mqueue", "/dev/mqueue", &["nosuid", "noexec", "nodev"]),
    ("tmpfs", "/dev/shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
];

const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

const READONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
