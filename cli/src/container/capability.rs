//! `--cap-add` and `--cap-drop`.

use std::collections::HashSet;

use tug_runner::spec::{Capability, LinuxCapabilities};

/// A capability by its name (with or without `CAP_`, in any case), or `ALL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// Every one there is.
    All,
    /// This one.
    One(Capability),
}

impl Named {
    /// Reads a name.
    pub(crate) fn parse(text: &str) -> Result<Named, String> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
        match (name, name.parse()) {
            ("ALL", _) => Ok(Named::All),
            (_, Ok(capability)) => Ok(Named::One(capability)),
            _ => Err(format!("no capability is called {text:?}; capabilities(7) lists them")),
        }
    }
}

/// The default capabilities with some more and some less. A name in both is had; `ALL` counts first.
pub(crate) fn change(defaults: HashSet<Capability>, add: &[Named], drop: &[Named]) -> HashSet<Capability> {
    let mut set = match (add.contains(&Named::All), drop.contains(&Named::All)) {
        (true, _) => all(),
        (false, true) => HashSet::new(),
        (false, false) => defaults,
    };
    for named in drop {
        if let Named::One(capability) = named {
            set.remove(capability);
        }
    }
    for named in add {
        if let Named::One(capability) = named {
            set.insert(*capability);
        }
    }
    set
}

/// The sets of a process that has these capabilities and no way to more.
pub(crate) fn sets(capabilities: &HashSet<Capability>) -> LinuxCapabilities {
    let mut sets = LinuxCapabilities::default();
    sets.set_bounding(Some(capabilities.clone()))
        .set_permitted(Some(capabilities.clone()))
        .set_effective(Some(capabilities.clone()))
        .set_inheritable(None)
        .set_ambient(None);
    sets
}

/// Every capability.
pub(crate) fn all() -> HashSet<Capability> {
    NAMES.iter().filter_map(|name| name.parse().ok()).collect()
}

const NAMES: [&str; 41] = [
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_people_write_them() {
        assert_eq!(Named::parse("net_admin"), Ok(Named::One(Capability::NetAdmin)));
        assert_eq!(Named::parse("CAP_SYS_ADMIN"), Ok(Named::One(Capability::SysAdmin)));
        assert_eq!(Named::parse("all"), Ok(Named::All));
        assert!(Named::parse("NET_ADMINISTRATOR").is_err());
        assert_eq!(all().len(), NAMES.len(), "every name is one");
    }

    #[test]
    fn added_and_dropped() {
        let defaults = HashSet::from([Capability::Chown, Capability::Kill]);
        let chown = [Named::One(Capability::Chown)];
        assert_eq!(change(defaults.clone(), &[], &chown), HashSet::from([Capability::Kill]));
        assert_eq!(change(defaults.clone(), &chown, &[Named::All]), HashSet::from([Capability::Chown]));
        assert_eq!(change(defaults, &[Named::All], &chown).len(), NAMES.len() - 1);
    }
}
