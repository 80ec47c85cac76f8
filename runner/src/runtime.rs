//! The caller's side: starts the helper, gives it the plan, hears from it.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use nix::libc;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, posix_spawn};
use rustix::fs::{MemfdFlags, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions};

use crate::bundle::Bundle;
use crate::cancel::{self, Cancel, Registration};
use crate::executable::Executable;
use crate::exit::ExitStatus;
use crate::lower::{self, LowerError};
use crate::plan::Plan;
use crate::setup::{Cause, SetupError, Step};
use crate::stdio::Stdio;
use crate::sys;
use crate::terminal::Terminal;
use crate::wire::{self, CONTROL_FD, Event, HELPER_NAME, PLAN_FD, Received};

/// Runs a container in the foreground, and waits for its end.
pub fn run(bundle: &Bundle, stdio: Stdio, cancel: &Cancel) -> Result<ExitStatus, RunError> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = match RUNTIME.get() {
        Some(runtime) => runtime,
        None => {
            let runtime = Runtime::new(Path::new("/proc/self/exe"))?;
            RUNTIME.get_or_init(|| runtime)
        }
    };
    runtime.start(bundle, stdio, cancel)?.wait()
}

/// Starts containers by way of one helper program.
#[derive(Debug)]
pub struct Runtime {
    helper: Executable,
}

impl Runtime {
    /// A runtime whose helper is the program at this path, which calls [`crate::helper_entry`] in its `main`.
    pub fn new(helper: &Path) -> Result<Runtime, RunError> {
        let helper = Executable::seal(helper).map_err(|source| RunError::Helper { source })?;
        Ok(Runtime { helper })
    }

    /// Starts a container. When this returns, its program runs.
    pub fn start(&self, bundle: &Bundle, stdio: Stdio, cancel: &Cancel) -> Result<Container, RunError> {
        let plan = lower::lower(bundle)?;
        if plan.process.terminal.is_some() != matches!(stdio, Stdio::Terminal(_)) {
            return Err(RunError::TerminalMismatch);
        }
        if cancel.is_killed() {
            return Err(RunError::Cancelled);
        }
        let (control, theirs) = wire::pair().map_err(|source| RunError::Helper { source })?;
        let control = Arc::new(control);
        let helper = self.spawn(&plan, &stdio, theirs).map_err(|source| RunError::Helper { source })?;
        let mut starting = Container {
            pid: 0,
            process: None,
            helper: Some(helper),
            _registration: cancel.register(&control),
            control,
            cancel: cancel.clone(),
        };
        starting.await_start(stdio)?;
        Ok(starting)
    }

    fn spawn(&self, plan: &Plan, stdio: &Stdio, control: OwnedFd) -> io::Result<Pid> {
        let memory = rustix::fs::memfd_create("plan", MemfdFlags::CLOEXEC)?;
        let mut memory = File::from(memory);
        memory.write_all(&serde_json::to_vec(plan)?)?;
        let null = open_null()?;
        let (stdin, stdout, stderr) = match stdio {
            Stdio::Inherit => (None, None, None),
            Stdio::Null | Stdio::Terminal(_) => (Some(&null), Some(&null), Some(&null)),
            Stdio::Piped { stdin, stdout, stderr } => {
                (Some(stdin.as_ref().unwrap_or(&null)), Some(stdout), Some(stderr))
            }
        };
        // All are moved out of the way first, so that no number is taken before it is read.
        let mut moved = Vec::new();
        let mut actions = PosixSpawnFileActions::init()?;
        let plan_fd = OwnedFd::from(memory);
        let numbered: [(Option<&OwnedFd>, RawFd); 5] =
            [(stdin, 0), (stdout, 1), (stderr, 2), (Some(&control), CONTROL_FD), (Some(&plan_fd), PLAN_FD)];
        for (fd, number) in numbered {
            if let Some(fd) = fd {
                let fd = rustix::io::fcntl_dupfd_cloexec(fd, PLAN_FD + 1)?;
                actions.add_dup2(fd.as_raw_fd(), number)?;
                moved.push(fd);
            }
        }
        let path = CString::new(self.helper.path().as_os_str().as_bytes())?;
        let attributes = PosixSpawnAttr::init()?;
        let name = CString::new(HELPER_NAME)?;
        let pid = posix_spawn(path.as_c_str(), &actions, &attributes, &[name], &[] as &[CString])?;
        Pid::from_raw(pid.as_raw()).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

/// A container that runs. Dropping it kills it.
#[derive(Debug)]
pub struct Container {
    pid: i32,
    process: Option<OwnedFd>,
    helper: Option<Pid>,
    _registration: Registration,
    control: Arc<OwnedFd>,
    cancel: Cancel,
}

impl Container {
    /// The process id of the container's first process, as the caller sees it.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends a signal to the container's first process.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        cancel::send_signal(&self.control, signal)
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Result<ExitStatus, RunError> {
        let event = self.next_event()?;
        self.reap();
        match event {
            _ if self.cancel.is_killed() => Err(RunError::Cancelled),
            Some(Received { event: Event::Exited(status), .. }) => Ok(status),
            _ => {
                self.kill();
                Err(RunError::HelperLost)
            }
        }
    }

    fn await_start(&mut self, stdio: Stdio) -> Result<(), RunError> {
        let mut handler = match stdio {
            Stdio::Terminal(handler) => Some(handler),
            _ => None,
        };
        loop {
            match self.next_event()? {
                Some(Received { event: Event::Started { pid }, attached: process }) => {
                    self.pid = pid;
                    self.process = process;
                    return Ok(());
                }
                Some(Received { event: Event::Terminal, attached: Some(master) }) => {
                    if let Some(handler) = handler.take() {
                        handler(Terminal::new(master));
                    }
                }
                Some(Received { event: Event::Failed(error), .. }) => {
                    self.reap();
                    return Err(error.into());
                }
                _ if self.cancel.is_killed() => return Err(RunError::Cancelled),
                _ => return Err(RunError::HelperLost),
            }
        }
    }

    fn next_event(&self) -> Result<Option<Received>, RunError> {
        wire::receive(self.control.as_fd()).map_err(|source| RunError::Control { source })
    }

    /// Kills it without the helper, which may be gone.
    fn kill(&self) {
        if let Some(process) = &self.process {
            // It may have ended already.
            let _ = sys::send_signal(process.as_fd(), libc::SIGKILL);
        }
    }

    /// Waits for the helper's end, so that nothing of the container is left when its exit status is known.
    fn reap(&mut self) {
        if let Some(helper) = self.helper.take() {
            // Somebody who reaps all children of this process may have been first.
            let _ =
                rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(helper), WaitOptions::empty()));
        }
    }
}

/// A container was not started, or what became of it is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// It was killed by way of [`Cancel::kill`].
    #[error("container was cancelled")]
    Cancelled,
    /// The connection with the helper failed.
    #[error("connection with the container's helper")]
    Control {
        /// Why.
        source: io::Error,
    },
    /// The helper could not be started.
    #[error("start the container's helper")]
    Helper {
        /// Why.
        source: io::Error,
    },
    /// The helper ended without a word: it was killed, or its program does not call [`crate::helper_entry`].
    #[error("the container's helper is gone")]
    HelperLost,
    /// The bundle's configuration cannot be carried out.
    #[error("bundle")]
    Lower(#[from] LowerError),
    /// A step of the set-up failed.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// Either the spec or the standard streams ask for a terminal, but not both.
    #[error("process.terminal and the standard streams do not agree")]
    TerminalMismatch,
}

impl RunError {
    /// The exit code that Docker gives for this: 127 for a program that is not there, 126 for one that cannot be
    /// executed, 125 for all else.
    pub fn code(&self) -> u8 {
        match self {
            RunError::Setup(SetupError { step: Step::Exec, cause, .. }) => match cause {
                Cause::NotInSearchPath | Cause::Errno(libc::ENOENT | libc::ENOTDIR) => 127,
                _ => 126,
            },
            _ => 125,
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if self.helper.is_some() {
            let _ = self.signal(libc::SIGKILL);
            self.kill();
            self.reap();
        }
    }
}

fn open_null() -> Result<OwnedFd, Errno> {
    rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
}
