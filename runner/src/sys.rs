//! The system calls that no safe wrapper offers. The only module of the crate with `unsafe` code.

#![expect(unsafe_code, reason = "raw system calls, each checked where it is made")]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::libc;

/// Which side of [`clone_process`] this is.
pub(crate) enum Cloned {
    /// The new process.
    Child,
    /// The old process, with the new one's id and descriptor.
    Parent(Process),
}

/// A child process.
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
}

/// Starts a process in the namespaces of `flags` (`CLONE_NEW*`), like a fork.
///
/// Only a single-threaded process may call this: the child goes on to allocate.
pub(crate) fn clone_process(flags: u64) -> io::Result<Cloned> {
    let mut pidfd: RawFd = -1;
    // SAFETY: an all-zero `clone_args` is a valid value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags | libc::CLONE_PIDFD as u64;
    args.pidfd = &raw mut pidfd as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: without CLONE_VM the child runs on a copy of this memory and stack; `args` and `pidfd` outlive the
    // call; the caller is single-threaded, so that no lock is held by a thread that the child lacks.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args)) })?;
    if pid == 0 {
        return Ok(Cloned::Child);
    }
    // SAFETY: the kernel has just made this descriptor for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Cloned::Parent(Process { pid: pid as i32, pidfd }))
}

/// Ends the process at once, without running what is registered for its end.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Takes over a descriptor that was handed down by number, if it is open.
///
/// Only to be called at start-up, for numbers that nobody else owns.
pub(crate) fn take_inherited(fd: RawFd) -> Option<OwnedFd> {
    // SAFETY: F_GETFD only reads; a closed number gives EBADF.
    if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
        return None;
    }
    // SAFETY: it is open, and by contract nobody else owns it.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Closes every descriptor from `first` on.
///
/// Only to be called at start-up, when nobody owns one of them.
pub(crate) fn close_from(first: u32) -> io::Result<()> {
    close_range(first, 0)
}

/// Makes every descriptor from `first` on vanish at the next exec.
pub(crate) fn close_on_exec_from(first: u32) -> io::Result<()> {
    close_range(first, libc::CLOSE_RANGE_CLOEXEC)
}

fn close_range(first: u32, flags: u32) -> io::Result<()> {
    // SAFETY: the callers promise that no owned descriptor is closed.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) }).map(drop)
}

/// Sets and clears attributes and the propagation of the mount that `mount` stands for.
pub(crate) fn mount_setattr(mount: BorrowedFd<'_>, change: MountChange) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: change.set,
        attr_clr: change.clear,
        propagation: change.propagation,
        userns_fd: 0,
    };
    let mut flags = libc::AT_EMPTY_PATH;
    if change.recursive {
        flags |= libc::AT_RECURSIVE;
    }
    // SAFETY: the path is a C string, `attributes` outlives the call and its size is given.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of_val(&attributes),
        )
    })
    .map(drop)
}

/// What [`mount_setattr`] changes.
#[derive(Default)]
pub(crate) struct MountChange {
    pub(crate) set: u64,
    pub(crate) clear: u64,
    pub(crate) propagation: u64,
    pub(crate) recursive: bool,
}

/// Gives every signal its default action and unblocks all.
pub(crate) fn reset_signals() {
    for signal in 1..=SIGNAL_MAX {
        // SAFETY: SIG_DFL is a valid action for each; for KILL, STOP and libc's own the call fails without effect.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: an all-zero set is valid and becomes the empty one.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Sends any signal, real-time ones too.
pub(crate) fn send_signal(process: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null `siginfo` is allowed.
    check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), signal, no_info, 0) })
        .map(drop)
}

/// Loads a classic BPF program, one instruction a word, as a seccomp filter of this process.
pub(crate) fn seccomp_load(program: &[u64], flags: u32) -> io::Result<()> {
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?,
        filter: program.as_ptr().cast_mut().cast(),
    };
    // SAFETY: a `sock_filter` is eight bytes without padding, so `program` holds `len` of them; the kernel only reads.
    check(unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const filter)
    })
    .map(drop)
}

/// Replaces this process. Returns only on failure.
pub(crate) fn execve(path: &CStr, args: &[&CStr], env: &[&CStr]) -> io::Error {
    let list = |strings: &[&CStr]| -> Vec<*const libc::c_char> {
        strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (args, env) = (list(args), list(env));
    // SAFETY: both lists end with null and their strings outlive the call.
    unsafe { libc::execve(path.as_ptr(), args.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// Brings a network interface of this network namespace up.
pub(crate) fn interface_up(socket: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    // SAFETY: an all-zero `ifreq` is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.to_bytes()) {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads one `ifreq`.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as libc::Ioctl, &raw const request) }
        as libc::c_long)
    .map(drop)
}

/// Sets a resource limit by the kernel's number for the resource.
pub(crate) fn set_rlimit(resource: u32, soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
    let old = std::ptr::null_mut::<libc::rlimit64>();
    // SAFETY: `limit` outlives the call; a null place for the old limit is allowed.
    check(unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, &raw const limit, old) }).map(drop)
}

/// Leaves the caller's session keyring for an empty one, where the kernel has keyrings and allows it.
pub(crate) fn new_session_keyring() -> io::Result<()> {
    let unnamed = std::ptr::null::<libc::c_char>();
    // SAFETY: no name is allowed.
    let joined =
        check(unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, unnamed) });
    match joined {
        // Not built in; or a filter around this container keeps all from keyrings.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => Ok(()),
        other => other.map(drop),
    }
}

/// Sets the personality (execution domain) of this process.
pub(crate) fn set_personality(domain: u64) -> io::Result<()> {
    // SAFETY: takes a plain number.
    check(unsafe { libc::personality(domain as libc::c_ulong) }.into()).map(drop)
}

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

const SIGNAL_MAX: i32 = 64;
