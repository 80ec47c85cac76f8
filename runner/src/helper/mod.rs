//! The single-threaded process between the caller and the container: starts it, passes signals on, reaps it.
//!
//! It is the caller's own program, started anew from a sealed executable. When the caller dies, it kills the container.

mod cgroup;
mod cleanup;
mod console;
mod credentials;
mod device;
mod exec;
mod filesystem;
mod init;
mod mask;
mod mount;
mod namespace;
mod rootfs;
mod target;

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};
use rustix::io::FdFlags;
use rustix::net::RecvFlags;
use rustix::process::{WaitId, WaitIdOptions};

use crate::exit::ExitStatus;
use crate::plan::Plan;
use crate::sys::{self, Cloned, Process};
use crate::wire::{self, CONTROL_FD, Event, HELPER_NAME, PLAN_FD};
use target::Created;

/// Becomes the helper, and does not return, when this process was started as one.
///
/// The program whose process calls [`crate::run`] has to call this first thing in `main`, before it starts a thread.
pub fn helper_entry() {
    if std::env::args_os().next().is_some_and(|name| name == HELPER_NAME) {
        let code = if help().is_ok() { 0 } else { 1 };
        sys::exit_now(code);
    }
}

fn help() -> io::Result<()> {
    let missing = || io::Error::from(io::ErrorKind::NotConnected);
    let control = sys::take_inherited(CONTROL_FD).ok_or_else(missing)?;
    let plan = sys::take_inherited(PLAN_FD).ok_or_else(missing)?;
    sys::close_from(PLAN_FD as u32 + 1)?;
    rustix::io::fcntl_setfd(&control, FdFlags::CLOEXEC)?;
    rustix::thread::set_name(c"tug-init")?;
    // Keys that are typed at the caller's terminal are the caller's to pass on.
    rustix::process::setsid()?;
    let plan = read_plan(plan)?;
    if let Err(error) = namespace::join(&plan.namespaces) {
        return wire::send(control.as_fd(), &Event::Failed(error), None);
    }
    let (report_in, report_out) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    match sys::clone_process(plan.namespaces.new) {
        Ok(Cloned::Child) => {
            drop(report_in);
            init::run(&plan, &control, report_out)
        }
        Ok(Cloned::Parent(process)) => {
            drop(report_out);
            release_streams()?;
            supervise(&control, &process, report_in, &plan)
        }
        Err(error) => {
            let error = crate::setup::Step::Namespace.on("clone")(error);
            wire::send(control.as_fd(), &Event::Failed(error), None)
        }
    }
}

/// Lets go of the container's standard streams, so that whoever is at their other ends sees it close them.
fn release_streams() -> io::Result<()> {
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(rustix::stdio::dup2_stderr(&null)?)
}

fn read_plan(plan: OwnedFd) -> io::Result<Plan> {
    let mut plan = File::from(plan);
    plan.rewind()?;
    let mut bytes = Vec::new();
    plan.read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// Stays until the container has ended.
fn supervise(control: &OwnedFd, process: &Process, report: OwnedFd, plan: &Plan) -> io::Result<()> {
    let mut caller = Some(control);
    let mut setup = Some(report);
    let mut created = Vec::new();
    let mut started = false;
    loop {
        let mut watched = vec![PollFd::new(&process.pidfd, PollFlags::IN)];
        watched.extend(setup.as_ref().map(|report| PollFd::new(report, PollFlags::IN)));
        watched.extend(caller.map(|control| PollFd::new(control, PollFlags::IN)));
        rustix::io::retry_on_intr(|| rustix::event::poll(&mut watched, None))?;
        let ready: Vec<bool> = watched.iter().map(|fd| !fd.revents().is_empty()).collect();
        let (ended, reported) = (ready[0], setup.is_some() && (ready[1] || ready[0]));
        let called = caller.is_some() && ready.last() == Some(&true);
        if reported && let Some(report) = setup.take() {
            let outcome = init::read_report(report)?;
            created = outcome.created;
            started = !outcome.failed;
            if started {
                let event = Event::Started { pid: process.pid };
                // A caller that is gone is noticed below.
                let _ = wire::send(control.as_fd(), &event, Some(process.pidfd.as_fd()));
            }
        }
        if called && !pass_signal(control.as_fd(), process) {
            caller = None;
        }
        if ended {
            return finish(control, process, started, (plan, &created));
        }
    }
}

/// Sends on what the caller asks for. False when the caller is gone; the container is killed then.
fn pass_signal(control: BorrowedFd<'_>, process: &Process) -> bool {
    let mut signal = [0; 4];
    let received = rustix::io::retry_on_intr(|| rustix::net::recv(control, &mut signal, RecvFlags::DONTWAIT));
    match received {
        Ok((4, _)) => {
            // It may have ended just now.
            let _ = sys::send_signal(process.pidfd.as_fd(), i32::from_le_bytes(signal));
            true
        }
        Err(rustix::io::Errno::AGAIN) => true,
        _ => {
            let _ = sys::send_signal(process.pidfd.as_fd(), nix::libc::SIGKILL);
            false
        }
    }
}

fn finish(
    control: &OwnedFd,
    process: &Process,
    started: bool,
    (plan, created): (&Plan, &[Created]),
) -> io::Result<()> {
    let waited = rustix::io::retry_on_intr(|| {
        rustix::process::waitid(WaitId::PidFd(process.pidfd.as_fd()), WaitIdOptions::EXITED)
    })?;
    cleanup::remove(&plan.rootfs, created);
    if !started {
        return Ok(());
    }
    let status = waited.map(|status| match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => ExitStatus::Exited(code as u8),
        (None, Some(signal)) => ExitStatus::Signaled(signal as u8),
        (None, None) => ExitStatus::Signaled(nix::libc::SIGKILL as u8),
    });
    let status = status.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    wire::send(control.as_fd(), &Event::Exited(status), None)
}
