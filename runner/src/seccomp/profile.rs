//! Docker's default profile: what it allows, by topic. What is not named gets `EPERM`.

use oci_spec::runtime::{
    Arch, Capabilities, Capability, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg,
    LinuxSeccompArgBuilder, LinuxSeccompFilterFlag, LinuxSeccompOperator, LinuxSyscall,
};

/// The profile for a container whose root has these capabilities.
pub(crate) fn default_profile(capabilities: &Capabilities) -> LinuxSeccomp {
    let mut rules = vec![allow(&ALLOWED.concat())];
    for (capability, names) in BY_CAPABILITY {
        if capabilities.contains(capability) {
            rules.push(allow(names));
        }
    }
    if !capabilities.contains(&Capability::SysAdmin) {
        rules.push(allow_if(&["clone"], argument(0, LinuxSeccompOperator::ScmpCmpMaskedEq, NAMESPACE_FLAGS)));
        // Its flags lie in memory where no filter can see them. libc then takes clone.
        rules.push(no_such_call(&["clone3"]));
    }
    // Sockets of virtual machines know no network namespaces.
    rules.push(allow_if(&["socket"], argument(0, LinuxSeccompOperator::ScmpCmpNe, AF_VSOCK)));
    for persona in PERSONALITIES {
        rules.push(allow_if(&["personality"], argument(0, LinuxSeccompOperator::ScmpCmpEq, persona)));
    }
    rules.push(no_such_call(&TOO_NEW));
    let mut profile = LinuxSeccomp::default();
    profile
        .set_default_action(LinuxSeccompAction::ScmpActErrno)
        .set_default_errno_ret(Some(nix::libc::EPERM as u32))
        .set_architectures(Some(if cfg!(target_arch = "x86_64") {
            vec![Arch::ScmpArchX86_64, Arch::ScmpArchX86]
        } else {
            vec![Arch::ScmpArchAarch64]
        }))
        .set_flags(Some(vec![LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow]))
        .set_syscalls(Some(rules));
    profile
}

fn rule(names: &[&str], action: LinuxSeccompAction) -> LinuxSyscall {
    let mut rule = LinuxSyscall::default();
    rule.set_names(names.iter().map(|name| name.to_string()).collect()).set_action(action);
    rule
}

fn allow(names: &[&str]) -> LinuxSyscall {
    rule(names, LinuxSeccompAction::ScmpActAllow)
}

fn allow_if(names: &[&str], argument: LinuxSeccompArg) -> LinuxSyscall {
    let mut rule = allow(names);
    rule.set_args(Some(vec![argument]));
    rule
}

fn no_such_call(names: &[&str]) -> LinuxSyscall {
    let mut rule = rule(names, LinuxSeccompAction::ScmpActErrno);
    rule.set_errno_ret(Some(nix::libc::ENOSYS as u32));
    rule
}

fn argument(index: usize, op: LinuxSeccompOperator, value: u64) -> LinuxSeccompArg {
    LinuxSeccompArgBuilder::default()
        .index(index)
        .op(op)
        .value(value)
        .value_two(0_u64)
        .build()
        .expect("all fields are given")
}

/// `CLONE_NEWNS`, `NEWCGROUP`, `NEWUTS`, `NEWIPC`, `NEWUSER`, `NEWPID` and `NEWNET`.
const NAMESPACE_FLAGS: u64 = 0x7e02_0000;

const AF_VSOCK: u64 = 40;

/// Linux, Linux with 32 bit addresses, either without address randomisation... and the question which it is.
const PERSONALITIES: [u64; 5] = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Calls that programs ask for and have an older way for, if they hear that it does not exist.
const TOO_NEW: [&str; 6] = [
    "listmount",
    "lsm_get_self_attr",
    "lsm_list_modules",
    "lsm_set_self_attr",
    "open_tree_attr",
    "statmount",
];

const BY_CAPABILITY: &[(&Capability, &[&str])] = &[
    (&Capability::Bpf, &["bpf"]),
    (&Capability::DacReadSearch, &["open_by_handle_at"]),
    (&Capability::Perfmon, &["perf_event_open"]),
    (
        &Capability::SysAdmin,
        &[
            "bpf",
            "clone",
            "clone3",
            "fanotify_init",
            "fsconfig",
            "fsmount",
            "fsopen",
            "fspick",
            "listmount",
            "lookup_dcookie",
            "lsm_get_self_attr",
            "lsm_list_modules",
            "lsm_set_self_attr",
            "mount",
            "mount_setattr",
            "move_mount",
            "open_tree",
            "open_tree_attr",
            "perf_event_open",
            "pivot_root",
            "quotactl",
            "quotactl_fd",
            "setdomainname",
            "sethostname",
            "setns",
            "statmount",
            "syslog",
            "umount",
            "umount2",
            "unshare",
        ],
    ),
    (&Capability::SysBoot, &["reboot"]),
    (&Capability::SysChroot, &["chroot"]),
    (&Capability::SysModule, &["delete_module", "finit_module", "init_module"]),
    (&Capability::SysNice, &["get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node"]),
    (&Capability::SysPacct, &["acct"]),
    (&Capability::SysPtrace, &["kcmp", "pidfd_getfd", "process_madvise"]),
    (&Capability::SysRawio, &["ioperm", "iopl"]),
    (&Capability::SysTime, &["clock_settime", "clock_settime64", "settimeofday", "stime"]),
    (&Capability::SysTtyConfig, &["vhangup"]),
    (&Capability::Syslog, &["syslog"]),
];

const ALLOWED: [&[&str]; 9] =
    [FILES, DESCRIPTORS, ATTRIBUTES, MEMORY, PROCESSES, IDENTITY, TIME, SIGNALS, COMMUNICATION];

#[rustfmt::skip]
const FILES: &[&str] = &[
    "access", "chdir", "chmod", "chown", "chown32", "creat", "faccessat", "faccessat2",
    "fanotify_mark", "fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchown32", "fchownat",
    "futimesat", "getcwd", "inotify_add_watch", "inotify_init", "inotify_init1",
    "inotify_rm_watch", "lchown", "lchown32", "link", "linkat", "mkdir", "mkdirat", "mknod",
    "mknodat", "name_to_handle_at", "newfstatat", "fstatat64", "fstat", "fstat64", "lstat",
    "lstat64", "stat", "stat64", "statx", "fstatfs", "fstatfs64", "statfs", "statfs64", "open",
    "openat", "openat2", "readlink", "readlinkat", "rename", "renameat", "renameat2", "rmdir",
    "symlink", "symlinkat", "sync", "syncfs", "truncate", "truncate64", "umask", "unlink",
    "unlinkat", "utime", "utimensat", "utimensat_time64", "utimes",
];

#[rustfmt::skip]
const DESCRIPTORS: &[&str] = &[
    "_llseek", "_newselect", "cachestat", "close", "close_range", "copy_file_range", "dup", "dup2",
    "dup3", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait",
    "epoll_pwait2", "epoll_wait", "epoll_wait_old", "eventfd", "eventfd2", "fadvise64",
    "fadvise64_64", "fallocate", "fcntl", "fcntl64", "fdatasync", "flock", "fsync", "ftruncate",
    "ftruncate64", "getdents", "getdents64", "io_cancel", "io_destroy", "io_getevents",
    "io_pgetevents", "io_pgetevents_time64", "io_setup", "io_submit", "ioctl", "lseek", "pipe",
    "pipe2", "poll", "ppoll", "ppoll_time64", "pread64", "preadv", "preadv2", "pselect6",
    "pselect6_time64", "pwrite64", "pwritev", "pwritev2", "read", "readahead", "readdir", "readv",
    "select", "sendfile", "sendfile64", "splice", "sync_file_range", "tee",
    "vmsplice", "write", "writev",
];

#[rustfmt::skip]
const ATTRIBUTES: &[&str] = &[
    "fgetxattr", "file_getattr", "file_setattr", "flistxattr", "fremovexattr", "fsetxattr",
    "getxattr", "getxattrat", "lgetxattr", "listxattr", "listxattrat", "llistxattr",
    "lremovexattr", "lsetxattr", "removexattr", "removexattrat", "setxattr", "setxattrat",
];

#[rustfmt::skip]
const MEMORY: &[&str] = &[
    "brk", "madvise", "map_shadow_stack", "membarrier", "memfd_create", "memfd_secret", "mincore",
    "mlock", "mlock2", "mlockall", "mmap", "mmap2", "mprotect", "mremap", "mseal", "msync",
    "munlock", "munlockall", "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect",
    "remap_file_pages",
];

#[rustfmt::skip]
const PROCESSES: &[&str] = &[
    "arch_prctl", "capget", "capset", "execve", "execveat", "exit", "exit_group", "fork", "futex",
    "futex_requeue", "futex_time64", "futex_wait", "futex_waitv", "futex_wake", "get_robust_list",
    "get_thread_area", "getcpu", "getpgid", "getpgrp", "getpid", "getppid", "getpriority",
    "getrlimit", "getrusage", "getsid", "gettid", "ioprio_get", "ioprio_set",
    "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "modify_ldt",
    "pidfd_open", "prctl", "prlimit64", "process_mrelease", "process_vm_readv",
    "process_vm_writev", "ptrace", "restart_syscall", "rseq", "sched_get_priority_max",
    "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
    "sched_getscheduler", "sched_rr_get_interval", "sched_rr_get_interval_time64",
    "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler", "sched_yield",
    "seccomp", "set_robust_list", "set_thread_area", "set_tid_address", "setpgid", "setpriority",
    "setrlimit", "setsid", "sysinfo", "ugetrlimit", "uname", "uretprobe", "vfork", "wait4",
    "waitid", "waitpid",
];

#[rustfmt::skip]
const IDENTITY: &[&str] = &[
    "getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getgroups",
    "getgroups32", "getresgid", "getresgid32", "getresuid", "getresuid32", "getuid", "getuid32",
    "setfsgid", "setfsgid32", "setfsuid", "setfsuid32", "setgid", "setgid32", "setgroups",
    "setgroups32", "setregid", "setregid32", "setresgid", "setresgid32", "setresuid",
    "setresuid32", "setreuid", "setreuid32", "setuid", "setuid32",
];

#[rustfmt::skip]
const TIME: &[&str] = &[
    "adjtimex", "alarm", "clock_adjtime", "clock_adjtime64", "clock_getres", "clock_getres_time64",
    "clock_gettime", "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64", "getitimer",
    "gettimeofday", "nanosleep", "setitimer", "time", "timer_create", "timer_delete",
    "timer_getoverrun", "timer_gettime", "timer_gettime64", "timer_settime", "timer_settime64",
    "timerfd_create", "timerfd_gettime", "timerfd_gettime64", "timerfd_settime",
    "timerfd_settime64", "times",
];

#[rustfmt::skip]
const SIGNALS: &[&str] = &[
    "kill", "pause", "pidfd_send_signal", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
    "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait",
    "rt_sigtimedwait_time64", "rt_tgsigqueueinfo", "sigaction", "sigaltstack", "signal",
    "signalfd", "signalfd4", "sigpending", "sigprocmask", "sigreturn", "sigsuspend", "tgkill",
    "tkill",
];

#[rustfmt::skip]
const COMMUNICATION: &[&str] = &[
    "accept", "accept4", "bind", "connect", "getpeername", "getrandom", "getsockname",
    "getsockopt", "ipc", "listen", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive",
    "mq_timedreceive_time64", "mq_timedsend", "mq_timedsend_time64", "mq_unlink", "msgctl",
    "msgget", "msgrcv", "msgsnd", "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg",
    "semctl", "semget", "semop", "semtimedop", "semtimedop_time64", "sendmmsg", "sendmsg",
    "sendto", "setsockopt", "shmat", "shmctl", "shmdt", "shmget", "shutdown", "socketcall",
    "socketpair",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seccomp::table::Architecture;

    #[test]
    fn every_name_is_known() {
        let known = [Architecture::X86_64, Architecture::X86, Architecture::Aarch64];
        let by_capability = BY_CAPABILITY.iter().flat_map(|(_, names)| names.iter());
        let all = ALLOWED.iter().flat_map(|names| names.iter()).chain(by_capability).chain(&TOO_NEW);
        for name in all {
            assert!(known.iter().any(|machine| machine.number(name).is_some()), "{name} in no table");
        }
    }

    #[test]
    fn io_uring_is_not_allowed() {
        for name in ["io_uring_setup", "io_uring_enter", "io_uring_register"] {
            assert!(!ALLOWED.concat().contains(&name));
        }
    }
}
