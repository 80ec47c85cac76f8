//! The mounts of a spec: fstab's option words become attributes, propagation, and the file system's own options.

use std::path::PathBuf;

use nix::libc;
use oci_spec::runtime::Mount as SpecMount;

use super::{LowerError, absolute};
use crate::plan::{Depth, Mount, MountKind};

pub(super) fn lower(mounts: &[SpecMount]) -> Result<Vec<Mount>, LowerError> {
    mounts.iter().map(lower_one).collect()
}

fn lower_one(spec: &SpecMount) -> Result<Mount, LowerError> {
    if spec.uid_mappings().is_some() || spec.gid_mappings().is_some() {
        return Err(LowerError::Unsupported { field: "mounts.uidMappings" });
    }
    let destination = absolute("mounts.destination", spec.destination())?.to_path_buf();
    let mut mount = Mount {
        destination: destination.clone(),
        kind: MountKind::Cgroup,
        attributes: 0,
        cleared: 0,
        recursive_attributes: 0,
        recursive_cleared: 0,
        propagation: 0,
        propagation_recursive: false,
    };
    let mut bind = None;
    let mut data = Vec::new();
    for option in spec.options().iter().flatten() {
        match option.as_str() {
            "bind" => bind = Some(Depth::Single),
            "rbind" => bind = Some(Depth::Recursive),
            "defaults" | "async" | "rw" | "nomand" | "loud" | "noiversion" => {}
            "tmpcopyup" | "idmap" | "ridmap" => {
                return Err(LowerError::Unsupported { field: "mounts.options" });
            }
            _ if mount.apply(option) => {}
            _ => data.push(match option.split_once('=') {
                Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                None => (option.clone(), None),
            }),
        }
    }
    let filesystem = spec.typ().as_deref().unwrap_or_default();
    mount.kind = match (bind.or((filesystem == "bind").then_some(Depth::Single)), filesystem) {
        (Some(depth), _) => {
            if let Some((option, _)) = data.first() {
                return Err(LowerError::MountOption { destination, option: option.clone() });
            }
            let source = spec.source().as_ref().ok_or(LowerError::Missing { field: "mounts.source" })?;
            MountKind::Bind { source: absolute("mounts.source", source)?.to_path_buf(), depth }
        }
        (None, "") => return Err(LowerError::Missing { field: "mounts.type" }),
        (None, "cgroup" | "cgroup2") => MountKind::Cgroup,
        (None, name) => MountKind::Filesystem {
            name: name.to_owned(),
            source: source_name(spec.source().as_ref(), name),
            options: data,
        },
    };
    Ok(mount)
}

fn source_name(source: Option<&PathBuf>, name: &str) -> String {
    source.map_or_else(|| name.to_owned(), |source| source.to_string_lossy().into_owned())
}

impl Mount {
    /// Takes in an option that is about the mount and not about its file system. False if it is not one.
    fn apply(&mut self, option: &str) -> bool {
        if let Some((_, flag, recursive)) = PROPAGATIONS.iter().find(|(name, ..)| *name == option) {
            self.propagation = *flag;
            self.propagation_recursive = *recursive;
            return true;
        }
        if let Some((_, set, clear)) = ATTRIBUTES.iter().find(|(name, ..)| *name == option) {
            self.attributes = self.attributes & !clear | set;
            self.cleared |= clear;
            return true;
        }
        let recursive = option.strip_prefix('r').unwrap_or_default();
        if let Some((_, set, clear)) = ATTRIBUTES.iter().find(|(name, ..)| *name == recursive) {
            self.recursive_attributes = self.recursive_attributes & !clear | set;
            self.recursive_cleared |= clear;
            return true;
        }
        false
    }
}

/// Name, what it sets, what it clears. With an `r` before the name it goes for all mounts below, too.
const ATTRIBUTES: [(&str, u64, u64); 17] = [
    ("atime", libc::MOUNT_ATTR_RELATIME, libc::MOUNT_ATTR__ATIME),
    ("dev", 0, libc::MOUNT_ATTR_NODEV),
    ("diratime", 0, libc::MOUNT_ATTR_NODIRATIME),
    ("exec", 0, libc::MOUNT_ATTR_NOEXEC),
    ("noatime", libc::MOUNT_ATTR_NOATIME, libc::MOUNT_ATTR__ATIME),
    ("nodev", libc::MOUNT_ATTR_NODEV, 0),
    ("nodiratime", libc::MOUNT_ATTR_NODIRATIME, 0),
    ("noexec", libc::MOUNT_ATTR_NOEXEC, 0),
    ("norelatime", libc::MOUNT_ATTR_STRICTATIME, libc::MOUNT_ATTR__ATIME),
    ("nostrictatime", libc::MOUNT_ATTR_RELATIME, libc::MOUNT_ATTR__ATIME),
    ("nosuid", libc::MOUNT_ATTR_NOSUID, 0),
    ("nosymfollow", libc::MOUNT_ATTR_NOSYMFOLLOW, 0),
    ("relatime", libc::MOUNT_ATTR_RELATIME, libc::MOUNT_ATTR__ATIME),
    ("ro", libc::MOUNT_ATTR_RDONLY, 0),
    ("strictatime", libc::MOUNT_ATTR_STRICTATIME, libc::MOUNT_ATTR__ATIME),
    ("suid", 0, libc::MOUNT_ATTR_NOSUID),
    ("symfollow", 0, libc::MOUNT_ATTR_NOSYMFOLLOW),
];

/// Name, flag, whether it goes for all mounts below, too.
const PROPAGATIONS: [(&str, u64, bool); 8] = [
    ("private", libc::MS_PRIVATE, false),
    ("rprivate", libc::MS_PRIVATE, true),
    ("rshared", libc::MS_SHARED, true),
    ("rslave", libc::MS_SLAVE, true),
    ("runbindable", libc::MS_UNBINDABLE, true),
    ("shared", libc::MS_SHARED, false),
    ("slave", libc::MS_SLAVE, false),
    ("unbindable", libc::MS_UNBINDABLE, false),
];

#[cfg(test)]
mod tests {
    use oci_spec::runtime::{Mount as SpecMount, MountBuilder};

    use super::*;

    fn spec(typ: &str, options: &[&str]) -> SpecMount {
        MountBuilder::default()
            .destination("/there")
            .typ(typ)
            .source("/here")
            .options(options.iter().map(|option| option.to_string()).collect::<Vec<_>>())
            .build()
            .unwrap()
    }

    #[test]
    fn options_find_their_place() {
        let mount = lower_one(&spec("tmpfs", &["ro", "nosuid", "mode=755", "size=1m", "rslave"])).unwrap();
        assert_eq!(mount.attributes, libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID);
        assert_eq!((mount.propagation, mount.propagation_recursive), (libc::MS_SLAVE, true));
        let MountKind::Filesystem { name, options, .. } = mount.kind else { panic!("no file system") };
        assert_eq!(name, "tmpfs");
        assert_eq!(options, [("mode".into(), Some("755".into())), ("size".into(), Some("1m".into()))]);
    }

    #[test]
    fn recursive_attributes_are_apart() {
        let mount = lower_one(&spec("none", &["rbind", "rro", "noexec"])).unwrap();
        assert_eq!(mount.recursive_attributes, libc::MOUNT_ATTR_RDONLY);
        assert_eq!(mount.attributes, libc::MOUNT_ATTR_NOEXEC);
        assert!(matches!(mount.kind, MountKind::Bind { depth: Depth::Recursive, .. }));
    }

    #[test]
    fn a_bind_mount_has_no_options_of_a_file_system() {
        let error = lower_one(&spec("bind", &["size=1m"])).unwrap_err();
        assert_eq!(error.to_string(), "mount on \"/there\": unknown option \"size\"");
    }
}
