//! The process of a spec.

use std::collections::HashSet;

use nix::libc;
use oci_spec::runtime::{Capability, Linux, LinuxPersonalityDomain, PosixRlimitType, Process as SpecProcess};

use super::{LowerError, absolute, refuse_each};
use crate::plan::{Capabilities, ConsoleSize, Credentials, Privileges, Process, Rlimit};

pub(super) fn lower(process: &SpecProcess, linux: &Linux) -> Result<Process, LowerError> {
    refuse_each(&[
        (
            "process.apparmorProfile",
            process.apparmor_profile().as_deref().is_some_and(|name| !name.is_empty()),
        ),
        ("process.execCPUAffinity", process.exec_cpu_affinity().is_some()),
        ("process.ioPriority", process.io_priority().is_some()),
        ("process.scheduler", process.scheduler().is_some()),
        ("process.selinuxLabel", process.selinux_label().as_deref().is_some_and(|label| !label.is_empty())),
    ])?;
    let args = process.args().clone().unwrap_or_default();
    if args.is_empty() {
        return Err(LowerError::Missing { field: "process.args" });
    }
    let size = |size: u64| u16::try_from(size).unwrap_or(u16::MAX);
    let console = process.console_size().map_or_else(ConsoleSize::default, |console| ConsoleSize {
        rows: size(console.height()),
        columns: size(console.width()),
    });
    let user = process.user();
    Ok(Process {
        args,
        env: process.env().clone().unwrap_or_default(),
        cwd: absolute("process.cwd", process.cwd())?.to_path_buf(),
        terminal: process.terminal().unwrap_or(false).then_some(console),
        rlimits: process.rlimits().iter().flatten().map(rlimit).collect(),
        oom_score_adj: process.oom_score_adj(),
        personality: personality(linux)?,
        privileges: match process.no_new_privileges() {
            Some(true) => Privileges::Fixed,
            _ => Privileges::MayGrow,
        },
        credentials: Credentials {
            uid: user.uid(),
            gid: user.gid(),
            groups: user.additional_gids().clone().unwrap_or_default(),
            umask: user.umask().unwrap_or(UMASK),
            capabilities: capabilities(process),
        },
    })
}

fn personality(linux: &Linux) -> Result<Option<u64>, LowerError> {
    let Some(personality) = linux.personality() else { return Ok(None) };
    if personality.flags().as_ref().is_some_and(|flags| !flags.is_empty()) {
        return Err(LowerError::Unsupported { field: "linux.personality.flags" });
    }
    Ok(Some(match personality.domain() {
        LinuxPersonalityDomain::PerLinux => PER_LINUX,
        LinuxPersonalityDomain::PerLinux32 => PER_LINUX32,
    }))
}

fn rlimit(limit: &oci_spec::runtime::PosixRlimit) -> Rlimit {
    let resource = match limit.typ() {
        PosixRlimitType::RlimitAs => libc::RLIMIT_AS,
        PosixRlimitType::RlimitCore => libc::RLIMIT_CORE,
        PosixRlimitType::RlimitCpu => libc::RLIMIT_CPU,
        PosixRlimitType::RlimitData => libc::RLIMIT_DATA,
        PosixRlimitType::RlimitFsize => libc::RLIMIT_FSIZE,
        PosixRlimitType::RlimitLocks => libc::RLIMIT_LOCKS,
        PosixRlimitType::RlimitMemlock => libc::RLIMIT_MEMLOCK,
        PosixRlimitType::RlimitMsgqueue => libc::RLIMIT_MSGQUEUE,
        PosixRlimitType::RlimitNice => libc::RLIMIT_NICE,
        PosixRlimitType::RlimitNofile => libc::RLIMIT_NOFILE,
        PosixRlimitType::RlimitNproc => libc::RLIMIT_NPROC,
        PosixRlimitType::RlimitRss => libc::RLIMIT_RSS,
        PosixRlimitType::RlimitRtprio => libc::RLIMIT_RTPRIO,
        PosixRlimitType::RlimitRttime => libc::RLIMIT_RTTIME,
        PosixRlimitType::RlimitSigpending => libc::RLIMIT_SIGPENDING,
        PosixRlimitType::RlimitStack => libc::RLIMIT_STACK,
    };
    Rlimit { resource, soft: limit.soft(), hard: limit.hard() }
}

fn capabilities(process: &SpecProcess) -> Capabilities {
    let Some(sets) = process.capabilities() else { return Capabilities::default() };
    let bits = |set: &Option<HashSet<Capability>>| {
        set.iter().flatten().fold(0, |bits, capability| bits | 1 << number(*capability))
    };
    Capabilities {
        bounding: bits(sets.bounding()),
        effective: bits(sets.effective()),
        permitted: bits(sets.permitted()),
        inheritable: bits(sets.inheritable()),
        ambient: bits(sets.ambient()),
    }
}

/// The kernel's number of a capability.
fn number(capability: Capability) -> u32 {
    match capability {
        Capability::Chown => 0,
        Capability::DacOverride => 1,
        Capability::DacReadSearch => 2,
        Capability::Fowner => 3,
        Capability::Fsetid => 4,
        Capability::Kill => 5,
        Capability::Setgid => 6,
        Capability::Setuid => 7,
        Capability::Setpcap => 8,
        Capability::LinuxImmutable => 9,
        Capability::NetBindService => 10,
        Capability::NetBroadcast => 11,
        Capability::NetAdmin => 12,
        Capability::NetRaw => 13,
        Capability::IpcLock => 14,
        Capability::IpcOwner => 15,
        Capability::SysModule => 16,
        Capability::SysRawio => 17,
        Capability::SysChroot => 18,
        Capability::SysPtrace => 19,
        Capability::SysPacct => 20,
        Capability::SysAdmin => 21,
        Capability::SysBoot => 22,
        Capability::SysNice => 23,
        Capability::SysResource => 24,
        Capability::SysTime => 25,
        Capability::SysTtyConfig => 26,
        Capability::Mknod => 27,
        Capability::Lease => 28,
        Capability::AuditWrite => 29,
        Capability::AuditControl => 30,
        Capability::Setfcap => 31,
        Capability::MacOverride => 32,
        Capability::MacAdmin => 33,
        Capability::Syslog => 34,
        Capability::WakeAlarm => 35,
        Capability::BlockSuspend => 36,
        Capability::AuditRead => 37,
        Capability::Perfmon => 38,
        Capability::Bpf => 39,
        Capability::CheckpointRestore => 40,
    }
}

const PER_LINUX: u64 = 0;
const PER_LINUX32: u64 = 8;
const UMASK: u32 = 0o022;
