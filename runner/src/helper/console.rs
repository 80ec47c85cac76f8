//! The container's terminal: a pair in its own devpts, of which the caller gets the master side.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Gid, OFlags, Uid};
use rustix::io::Errno;
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use super::filesystem;
use super::mount;
use super::target::{self, Created, Links};
use crate::plan::{ConsoleSize, Depth};
use crate::setup::{Cause, SetupError, Step};
use crate::wire::{self, Event};

/// Makes the terminal, sends its master side to the caller, and returns the other side.
pub(super) fn open(
    root: BorrowedFd<'_>,
    (size, uid): (ConsoleSize, u32),
    control: BorrowedFd<'_>,
    created: &mut Vec<Created>,
) -> Result<OwnedFd, SetupError> {
    let ptmx = Path::new("/dev/pts/ptmx");
    let flags = OFlags::RDWR | OFlags::NOCTTY;
    let master = target::open_with(root, ptmx, Links::Refuse, flags).map_err(Step::Terminal.at(ptmx))?;
    let filesystem = rustix::fs::fstatfs(&master).map_err(Step::Terminal.at(ptmx))?;
    if filesystem.f_type != DEVPTS_SUPER_MAGIC {
        return Err(Step::Terminal.failed(ptmx.to_string_lossy(), Cause::Errno(Errno::NOTTY.raw_os_error())));
    }
    let slave = pair(&master, size, uid).map_err(Step::Terminal.at(ptmx))?;
    let console = Path::new("/dev/console");
    let place = mount::file_target(root, console, created).map_err(Step::Terminal.at(console))?;
    mount::copy(slave.as_fd(), Depth::Single)
        .and_then(|tree| filesystem::attach(&tree, place.as_fd()))
        .map_err(Step::Terminal.at(console))?;
    wire::send(control, &Event::Terminal, Some(master.as_fd())).map_err(Step::Terminal.on("socket"))?;
    Ok(slave)
}

/// Makes the terminal the controlling one of this session and its standard streams.
pub(super) fn control(slave: &OwnedFd) -> Result<(), SetupError> {
    rustix::process::ioctl_tiocsctty(slave)
        .and_then(|()| rustix::stdio::dup2_stdin(slave))
        .and_then(|()| rustix::stdio::dup2_stdout(slave))
        .and_then(|()| rustix::stdio::dup2_stderr(slave))
        .map_err(Step::Terminal.on("standard streams"))
}

fn pair(master: &OwnedFd, size: ConsoleSize, uid: u32) -> Result<OwnedFd, Errno> {
    rustix::pty::unlockpt(master)?;
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let slave = rustix::pty::ioctl_tiocgptpeer(master, flags)?;
    let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(master, size)?;
    rustix::fs::fchown(&slave, Some(Uid::from_raw(uid)), None::<Gid>)?;
    Ok(slave)
}

const DEVPTS_SUPER_MAGIC: rustix::fs::FsWord = 0x1cd1;
