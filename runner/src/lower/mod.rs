//! Spec → plan: decides purely what the helper will do. What this runtime cannot do is an error, never left out.

mod kernel;
mod mounts;
mod process;

use std::path::{Path, PathBuf};

use nix::libc;
use oci_spec::runtime::{Linux, LinuxDevice, LinuxDeviceType, LinuxNamespaceType, Spec};

use crate::bundle::{Bundle, Rootfs};
use crate::plan::{Access, Device, DeviceKind, Namespaces, Plan};
use crate::seccomp::{self, CompileError};

/// A configuration asks for what cannot be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LowerError {
    /// The configuration lacks a part that must be there.
    #[error("configuration lacks {field}")]
    Missing {
        /// The part, as the runtime specification names it.
        field: &'static str,
    },
    /// A mount option means nothing to bind mounts.
    #[error("mount on {destination:?}: unknown option {option:?}")]
    MountOption {
        /// Where the mount goes.
        destination: PathBuf,
        /// The option.
        option: String,
    },
    /// A path is relative.
    #[error("{field}: path {path:?} is not absolute")]
    RelativePath {
        /// The part of the configuration.
        field: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// The seccomp profile has no meaning as a filter.
    #[error("seccomp profile")]
    Seccomp(#[from] CompileError),
    /// The overlay's directories are more than the kernel takes, or none.
    #[error("overlay of {count} lower directories, allowed are 1 to {LOWERS_MAX}")]
    Lowers {
        /// How many there are.
        count: usize,
    },
    /// It would change the host, since the container has no namespace of its own for it.
    #[error("{name} cannot be set: the container shares it with the host")]
    Shared {
        /// The host name, or a kernel parameter.
        name: String,
    },
    /// The configuration asks for something that this runtime does not do.
    #[error("configuration asks for {field}, which is not supported")]
    Unsupported {
        /// The part, as the runtime specification names it.
        field: &'static str,
    },
}

/// Decides what the helper does for a bundle.
pub(crate) fn lower(bundle: &Bundle) -> Result<Plan, LowerError> {
    let spec = &bundle.spec;
    let linux = spec.linux().as_ref().ok_or(LowerError::Missing { field: "linux" })?;
    refuse_unsupported(spec, linux)?;
    let process = spec.process().as_ref().ok_or(LowerError::Missing { field: "process" })?;
    let namespaces = namespaces(linux)?;
    kernel::check(spec, linux, &namespaces)?;
    let readonly = spec.root().as_ref().and_then(|root| root.readonly()).unwrap_or(false);
    let paths = |list: &Option<Vec<String>>| list.iter().flatten().map(PathBuf::from).collect();
    let mut sysctls: Vec<_> =
        linux.sysctl().iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect();
    sysctls.sort();
    Ok(Plan {
        rootfs: rootfs(&bundle.rootfs)?,
        root_access: if readonly { Access::Readonly } else { Access::Writable },
        namespaces,
        mounts: mounts::lower(spec.mounts().as_deref().unwrap_or_default())?,
        devices: devices(linux)?,
        masked_paths: paths(linux.masked_paths()),
        readonly_paths: paths(linux.readonly_paths()),
        hostname: spec.hostname().clone(),
        domainname: spec.domainname().clone(),
        sysctls,
        process: process::lower(process, linux)?,
        seccomp: linux.seccomp().as_ref().map(seccomp::compile).transpose()?,
    })
}

fn refuse_unsupported(spec: &Spec, linux: &Linux) -> Result<(), LowerError> {
    let hooks = spec.hooks().as_ref().is_some_and(|hooks| {
        [
            hooks.create_runtime(),
            hooks.create_container(),
            hooks.start_container(),
            hooks.poststart(),
            hooks.poststop(),
        ]
        .iter()
        .any(|list| list.as_ref().is_some_and(|list| !list.is_empty()))
    });
    let limits = linux.resources().as_ref().is_some_and(|resources| {
        resources.memory().is_some()
            || resources.cpu().is_some()
            || resources.pids().is_some()
            || resources.block_io().is_some()
            || resources.network().is_some()
            || resources.unified().as_ref().is_some_and(|keys| !keys.is_empty())
    });
    let mappings = linux.uid_mappings().as_ref().is_some_and(|mappings| !mappings.is_empty());
    let propagation = linux.rootfs_propagation().as_deref().unwrap_or_default();
    refuse_each(&[
        ("hooks", hooks),
        ("linux.intelRdt", linux.intel_rdt().is_some()),
        ("linux.memoryPolicy", linux.memory_policy().is_some()),
        ("linux.mountLabel", linux.mount_label().is_some()),
        ("linux.netDevices", linux.net_devices().as_ref().is_some_and(|devices| !devices.is_empty())),
        ("linux.resources", limits),
        ("linux.rootfsPropagation", !matches!(propagation, "" | "private" | "rprivate")),
        ("linux.timeOffsets", linux.time_offsets().as_ref().is_some_and(|offsets| !offsets.is_empty())),
        ("linux.uidMappings", mappings),
    ])
}

fn refuse_each(fields: &[(&'static str, bool)]) -> Result<(), LowerError> {
    match fields.iter().find(|(_, asked)| *asked) {
        Some((field, _)) => Err(LowerError::Unsupported { field }),
        None => Ok(()),
    }
}

fn rootfs(rootfs: &Rootfs) -> Result<Rootfs, LowerError> {
    if let Rootfs::Overlay { lowers, .. } = rootfs
        && !(1..=LOWERS_MAX).contains(&lowers.len())
    {
        return Err(LowerError::Lowers { count: lowers.len() });
    }
    let absolute = |path: &Path| absolute("rootfs", path).map(Path::to_path_buf);
    Ok(match rootfs {
        Rootfs::Dir(dir) => Rootfs::Dir(absolute(dir)?),
        Rootfs::Overlay { lowers, upper, work } => Rootfs::Overlay {
            lowers: lowers.iter().map(|lower| absolute(lower)).collect::<Result<_, _>>()?,
            upper: absolute(upper)?,
            work: absolute(work)?,
        },
    })
}

fn absolute<'a>(field: &'static str, path: &'a Path) -> Result<&'a Path, LowerError> {
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(LowerError::RelativePath { field, path: path.to_path_buf() })
    }
}

fn namespaces(linux: &Linux) -> Result<Namespaces, LowerError> {
    let mut namespaces = Namespaces::default();
    for namespace in linux.namespaces().iter().flatten() {
        let (kind, field) = match namespace.typ() {
            LinuxNamespaceType::Cgroup => (libc::CLONE_NEWCGROUP, "linux.namespaces.cgroup"),
            LinuxNamespaceType::Ipc => (libc::CLONE_NEWIPC, "linux.namespaces.ipc"),
            LinuxNamespaceType::Mount => (libc::CLONE_NEWNS, "linux.namespaces.mount"),
            LinuxNamespaceType::Network => (libc::CLONE_NEWNET, "linux.namespaces.network"),
            LinuxNamespaceType::Pid => (libc::CLONE_NEWPID, "linux.namespaces.pid"),
            LinuxNamespaceType::User => (libc::CLONE_NEWUSER, "linux.namespaces.user"),
            LinuxNamespaceType::Uts => (libc::CLONE_NEWUTS, "linux.namespaces.uts"),
            LinuxNamespaceType::Time => {
                return Err(LowerError::Unsupported { field: "linux.namespaces.time" });
            }
        };
        let kind = kind as u32 as u64;
        match namespace.path() {
            Some(path) => {
                namespaces.joined.push((kind, absolute(field, path)?.to_path_buf()));
            }
            None if kind == libc::CLONE_NEWUSER as u64 => return Err(LowerError::Unsupported { field }),
            None => namespaces.new |= kind,
        }
    }
    // Without a mount namespace of its own a container would change the host's mounts.
    if namespaces.new & libc::CLONE_NEWNS as u64 == 0 {
        return Err(LowerError::Missing { field: "linux.namespaces.mount" });
    }
    Ok(namespaces)
}

fn devices(linux: &Linux) -> Result<Vec<Device>, LowerError> {
    let mut devices: Vec<Device> = DEFAULT_DEVICES
        .iter()
        .map(|(path, major, minor)| Device {
            path: PathBuf::from(path),
            kind: DeviceKind::Character,
            major: *major,
            minor: *minor,
            mode: 0o666,
            uid: 0,
            gid: 0,
        })
        .collect();
    for device in linux.devices().iter().flatten() {
        let device = lower_device(device)?;
        devices.retain(|other| other.path != device.path);
        devices.push(device);
    }
    Ok(devices)
}

fn lower_device(device: &LinuxDevice) -> Result<Device, LowerError> {
    let number = |number: i64| {
        u32::try_from(number).map_err(|_| LowerError::Unsupported { field: "linux.devices.major" })
    };
    Ok(Device {
        path: absolute("linux.devices.path", device.path())?.to_path_buf(),
        kind: match device.typ() {
            LinuxDeviceType::B => DeviceKind::Block,
            LinuxDeviceType::C | LinuxDeviceType::U => DeviceKind::Character,
            LinuxDeviceType::P => DeviceKind::Fifo,
            LinuxDeviceType::A => return Err(LowerError::Unsupported { field: "linux.devices.type" }),
        },
        major: number(device.major())?,
        minor: number(device.minor())?,
        mode: device.file_mode().unwrap_or(0o666) & 0o7777,
        uid: device.uid().unwrap_or(0),
        gid: device.gid().unwrap_or(0),
    })
}

/// The devices that every container has.
const DEFAULT_DEVICES: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

/// The kernel takes 500 with the one that this runtime adds.
const LOWERS_MAX: usize = 499;

#[cfg(test)]
mod tests {
    use oci_spec::runtime::Spec;

    use super::*;
    use crate::default::Builder;

    fn lower_with(change: impl FnOnce(&mut serde_json::Value)) -> Result<Plan, LowerError> {
        let mut json = serde_json::to_value(Builder::new(["true"]).build()).unwrap();
        change(&mut json);
        let spec: Spec = serde_json::from_value(json).unwrap();
        lower(&Bundle { rootfs: Rootfs::Dir("/rootfs".into()), spec })
    }

    #[test]
    fn what_is_not_supported_is_an_error() {
        let cases = [
            ("/linux/resources", r#"{"pids": {"limit": 9}}"#, "linux.resources"),
            ("/linux/rootfsPropagation", r#""shared""#, "linux.rootfsPropagation"),
            ("/linux/namespaces/0", r#"{"type": "user"}"#, "linux.namespaces.user"),
            ("/process/apparmorProfile", r#""docker-default""#, "process.apparmorProfile"),
            ("/hooks", r#"{"poststop": [{"path": "/bin/true"}]}"#, "hooks"),
        ];
        for (pointer, value, field) in cases {
            let error = lower_with(|json| {
                let (parent, name) = pointer.rsplit_once('/').unwrap();
                let parent = json.pointer_mut(parent).unwrap();
                let value = serde_json::from_str(value).unwrap();
                match parent.as_array_mut() {
                    Some(list) => list[0] = value,
                    None => parent[name] = value,
                }
            });
            assert!(
                matches!(error, Err(LowerError::Unsupported { field: f }) if f == field),
                "{field}: {error:?}"
            );
        }
    }

    #[test]
    fn a_mount_namespace_is_needed() {
        let error = lower_with(|json| json["linux"]["namespaces"] = serde_json::json!([]));
        assert!(matches!(error, Err(LowerError::Missing { field: "linux.namespaces.mount" })));
    }

    #[test]
    fn the_host_keeps_its_name_and_parameters() {
        let shared = [
            serde_json::json!({"kernel.panic": "1"}),
            serde_json::json!({"net.ipv4.ip_forward": "1"}),
            serde_json::json!({"net/ipv4/ip_forward": "1"}),
        ];
        for sysctl in shared {
            let error = lower_with(|json| {
                json["linux"]["namespaces"] = serde_json::json!([{"type": "mount"}, {"type": "uts"}]);
                json["linux"]["sysctl"] = sysctl;
            });
            assert!(matches!(error, Err(LowerError::Shared { .. })), "{error:?}");
        }
        let error = lower_with(|json| {
            json["linux"]["namespaces"] = serde_json::json!([{"type": "mount"}]);
            json["hostname"] = "box".into();
        });
        assert!(matches!(error, Err(LowerError::Shared { name }) if name == "hostname"));
        let own =
            lower_with(|json| json["linux"]["sysctl"] = serde_json::json!({"net.ipv4.ip_forward": "1"}));
        assert_eq!(own.unwrap().sysctls, [("net.ipv4.ip_forward".into(), "1".into())]);
    }

    #[test]
    fn paths_are_absolute() {
        let error = lower_with(|json| json["process"]["cwd"] = "tmp".into());
        assert!(matches!(error, Err(LowerError::RelativePath { field: "process.cwd", .. })));
    }

    #[test]
    fn the_plan_survives_the_way_to_the_helper() {
        let plan = lower_with(|_| {}).unwrap();
        let bytes = serde_json::to_vec(&plan).unwrap();
        let again: Plan = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(format!("{plan:?}"), format!("{again:?}"));
        assert_eq!(again.process.credentials.capabilities.bounding, 0xa804_25fb);
        assert_eq!(again.mounts.len(), 7);
    }
}
