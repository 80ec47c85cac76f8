//! The program that is started as the helper, in a form that no container can write to.
//!
//! A container that gets hold of `/proc/PID/exe` of the helper could otherwise overwrite the runtime on the host.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, MemfdFlags, SealFlags};
use rustix::mount::OpenTreeFlags;

use crate::sys::{self, MountChange};
use crate::wire;

/// A helper program that nobody can write to through what this stands for.
#[derive(Debug)]
pub(crate) struct Executable(OwnedFd);

impl Executable {
    /// Seals the program at `path`: through a read-only mount that only this descriptor knows, or, where such a
    /// mount is not allowed, as a copy in memory.
    pub(crate) fn seal(path: &Path) -> io::Result<Executable> {
        let sealed = read_only_mount(path).or_else(|_| sealed_copy(path))?;
        // The low numbers get another meaning before the helper is executed.
        Ok(Executable(rustix::io::fcntl_dupfd_cloexec(sealed, wire::PLAN_FD + 1)?))
    }

    /// A path that starts it, for a process that has this one's descriptors.
    pub(crate) fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.as_raw_fd()).into()
    }
}

fn read_only_mount(path: &Path) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mount = rustix::mount::open_tree(CWD, path, flags)?;
    let change = MountChange {
        set: nix::libc::MOUNT_ATTR_RDONLY | nix::libc::MOUNT_ATTR_NOSUID,
        ..MountChange::default()
    };
    sys::mount_setattr(mount.as_fd(), change)?;
    Ok(mount)
}

fn sealed_copy(path: &Path) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let memory = rustix::fs::memfd_create(wire::HELPER_NAME, flags)?;
    let mut copy = File::from(memory);
    io::copy(&mut File::open(path)?, &mut copy)?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    rustix::fs::fcntl_add_seals(&copy, seals)?;
    // Executing is refused while a writable descriptor is open.
    let readable = File::open(format!("/proc/self/fd/{}", copy.as_raw_fd()))?;
    Ok(readable.into())
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::process::Command;

    use super::{Executable, sealed_copy};

    #[test]
    fn sealed_copy_runs_and_cannot_be_written() {
        let sealed = Executable(sealed_copy("/bin/true".as_ref()).unwrap());
        assert!(Command::new(sealed.path()).status().unwrap().success());
        assert!(
            OpenOptions::new()
                .write(true)
                .open(sealed.path())
                .and_then(|mut file| {
                    use std::io::Write;
                    file.write_all(b"x")
                })
                .is_err()
        );
    }
}
