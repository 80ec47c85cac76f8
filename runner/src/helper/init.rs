//! The container's first process, from the clone to the exec.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{DumpableBehavior, Signal};
use serde::{Deserialize, Serialize};

use super::exec::Program;
use super::target::{Created, Kind, Links};
use super::{console, credentials, device, mask, mount, rootfs, target};
use crate::plan::{MountKind, Plan, Privileges};
use crate::setup::{Cause, SetupError, Step};
use crate::sys;
use crate::wire::{self, Event};

/// What the first process leaves to the helper.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Report {
    /// The program could not be started; the caller knows why.
    pub(super) failed: bool,
    /// What the helper has to remove at the end.
    pub(super) created: Vec<Created>,
}

/// Sets the container up and becomes its program.
pub(super) fn run(plan: &Plan, control: &OwnedFd, report: OwnedFd) -> ! {
    let mut created = Vec::new();
    let Err(error) = start(plan, control.as_fd(), &report, &mut created);
    let _ = wire::send(control.as_fd(), &Event::Failed(error), None);
    let _ = write_report(&report, &Report { failed: true, created });
    sys::exit_now(1)
}

/// Reads what the first process reports, until it executes its program or ends.
pub(super) fn read_report(report: OwnedFd) -> io::Result<Report> {
    let mut bytes = Vec::new();
    File::from(report).read_to_end(&mut bytes)?;
    let mut whole = Report::default();
    for part in serde_json::Deserializer::from_slice(&bytes).into_iter::<Report>() {
        let part = part?;
        whole.failed |= part.failed;
        whole.created.extend(part.created);
    }
    Ok(whole)
}

fn write_report(pipe: &OwnedFd, report: &Report) -> io::Result<()> {
    use std::io::Write;
    File::from(pipe.try_clone()?).write_all(&serde_json::to_vec(report)?)
}

fn start(
    plan: &Plan,
    control: BorrowedFd<'_>,
    report: &OwnedFd,
    created: &mut Vec<Created>,
) -> Result<Infallible, SetupError> {
    sys::reset_signals();
    let program = Program::new(&plan.process)?;
    // Other processes of a shared pid namespace must not look into this one.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(Step::Credentials.on("dumpable"))?;
    rustix::process::setsid().map_err(Step::Terminal.on("session"))?;
    // Without keys of its own it would share the caller's.
    sys::new_session_keyring().map_err(Step::Credentials.on("session keyring"))?;
    rustix::process::umask(Mode::empty());
    if plan.namespaces.new & nix::libc::CLONE_NEWNET as u64 != 0 {
        bring_loopback_up().map_err(Step::Network.on("lo"))?;
    }

    let root = rootfs::make(plan)?;
    mount::mount_all(root.as_fd(), &plan.mounts, created)?;
    if !is_dev_bound(plan) {
        device::make_all(root.as_fd(), &plan.devices, created)?;
    }
    let uid = plan.process.credentials.uid;
    let terminal =
        plan.process.terminal.map(|size| console::open(root.as_fd(), (size, uid), control, created));
    if let Some(slave) = terminal.transpose()? {
        console::control(&slave)?;
    }
    set_kernel_parameters(root.as_fd(), plan)?;
    mask::make_readonly(root.as_fd(), &plan.readonly_paths)?;
    mask::hide(root.as_fd(), &plan.masked_paths)?;
    make_cwd(root.as_fd(), &plan.process.cwd)?;
    if !created.is_empty() {
        let left = Report { failed: false, created: std::mem::take(created) };
        write_report(report, &left).map_err(Step::Mount.on("report"))?;
    }
    set_limits(plan)?;
    rootfs::enter(&root, plan.root_access)?;
    become_user(plan, report)?;
    program.execute()
}

/// Everything from here on happens inside of the new root.
fn become_user(plan: &Plan, report: &OwnedFd) -> Result<(), SetupError> {
    let process = &plan.process;
    if process.terminal.is_none() {
        credentials::own_streams(process.credentials.uid)
            .map_err(Step::Credentials.on("standard streams"))?;
    }
    sys::close_on_exec_from(3).map_err(Step::Exec.on("close_range"))?;
    // Either of the two users may be the one that can enter it.
    let entered = rustix::process::chdir(&process.cwd);
    credentials::assume(&process.credentials, process.privileges)?;
    if entered.is_err() {
        rustix::process::chdir(&process.cwd).map_err(Step::WorkingDirectory.at(&process.cwd))?;
    }
    let cwd = rustix::process::getcwd(Vec::new()).map_err(Step::WorkingDirectory.at(&process.cwd))?;
    if !cwd.to_bytes().starts_with(b"/") {
        return Err(Step::WorkingDirectory.failed(process.cwd.to_string_lossy(), Cause::OutsideRoot));
    }
    die_with_helper(report).map_err(Step::Exec.on("parent death signal"))?;
    rustix::process::umask(Mode::from_raw_mode(process.credentials.umask));
    if process.privileges == Privileges::Fixed {
        rustix::thread::set_no_new_privs(true).map_err(Step::Credentials.on("no_new_privs"))?;
        credentials::settle(&process.credentials)?;
    }
    if let Some(filter) = &plan.seccomp {
        sys::seccomp_load(&filter.program, filter.flags).map_err(Step::Seccomp.on("filter"))?;
    }
    if process.privileges == Privileges::MayGrow {
        credentials::settle(&process.credentials)?;
    }
    Ok(())
}

/// Asks the kernel to kill this process when the helper dies; and does it here, if that has already happened.
fn die_with_helper(report: &OwnedFd) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut reader = [PollFd::new(report, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::io::retry_on_intr(|| rustix::event::poll(&mut reader, Some(&now)))?;
    if reader[0].revents().contains(PollFlags::ERR) {
        sys::exit_now(1);
    }
    Ok(())
}

fn bring_loopback_up() -> io::Result<()> {
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    sys::interface_up(socket.as_fd(), c"lo")
}

fn set_limits(plan: &Plan) -> Result<(), SetupError> {
    let process = &plan.process;
    for limit in &process.rlimits {
        sys::set_rlimit(limit.resource, limit.soft, limit.hard)
            .map_err(Step::Limit.on(&format!("resource {}", limit.resource)))?;
    }
    if let Some(adjustment) = process.oom_score_adj {
        std::fs::write("/proc/self/oom_score_adj", adjustment.to_string())
            .map_err(Step::Limit.on("oom_score_adj"))?;
    }
    if let Some(domain) = process.personality {
        sys::set_personality(domain).map_err(Step::Limit.on("personality"))?;
    }
    Ok(())
}

fn set_kernel_parameters(root: BorrowedFd<'_>, plan: &Plan) -> Result<(), SetupError> {
    if let Some(name) = &plan.hostname {
        rustix::system::sethostname(name.as_bytes()).map_err(Step::Hostname.on(name))?;
    }
    if let Some(name) = &plan.domainname {
        rustix::system::setdomainname(name.as_bytes()).map_err(Step::Hostname.on(name))?;
    }
    if plan.sysctls.is_empty() {
        return Ok(());
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let parameters = target::open_with(root, Path::new("/proc/sys"), Links::Refuse, flags)
        .map_err(Step::Sysctl.on("/proc/sys"))?;
    let filesystem = rustix::fs::fstatfs(&parameters).map_err(Step::Sysctl.on("/proc/sys"))?;
    if filesystem.f_type != rustix::fs::PROC_SUPER_MAGIC {
        return Err(Step::Sysctl.failed("/proc/sys", Cause::Procfs));
    }
    for (name, value) in &plan.sysctls {
        let path = name.replace('.', "/");
        target::write_beneath(parameters.as_fd(), Path::new(&path), value).map_err(Step::Sysctl.on(name))?;
    }
    Ok(())
}

/// A `/dev` that belongs to somebody else is left alone.
fn is_dev_bound(plan: &Plan) -> bool {
    let is_dev = |path: &Path| target::clean(path) == Path::new("/dev");
    plan.mounts.iter().any(|mount| is_dev(&mount.destination) && matches!(mount.kind, MountKind::Bind { .. }))
}

/// A working directory that is missing is made, to stay.
fn make_cwd(root: BorrowedFd<'_>, cwd: &Path) -> Result<(), SetupError> {
    let wanted = (Kind::Directory, Links::Follow);
    target::open_or_create(root, &target::clean(cwd), wanted, &mut Vec::new())
        .map(drop)
        .map_err(Step::WorkingDirectory.at(cwd))
}
