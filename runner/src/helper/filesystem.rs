//! New file systems, made by the kernel's file system contexts, detached from any place until they are attached to one.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags};

use crate::setup::{Cause, SetupError, Step};

/// A file system that is being configured.
pub(super) struct Context<'a> {
    context: OwnedFd,
    /// What to name in errors.
    failure: (Step, &'a Path),
}

impl<'a> Context<'a> {
    /// Starts with a file system by its kernel name. Errors are of `step` on `subject`.
    pub(super) fn open(name: &str, step: Step, subject: &'a Path) -> Result<Context<'a>, SetupError> {
        let context = rustix::mount::fsopen(name, FsOpenFlags::FSOPEN_CLOEXEC).map_err(step.at(subject))?;
        Ok(Context { context, failure: (step, subject) })
    }

    /// Gives an option, with its value if it has one.
    pub(super) fn set(&self, key: &str, value: Option<&str>) -> Result<(), SetupError> {
        self.try_set(key, value).map_err(|error| self.failed(error))
    }

    /// The same, for who can go on without.
    pub(super) fn try_set(&self, key: &str, value: Option<&str>) -> Result<(), Errno> {
        match value {
            Some(value) => rustix::mount::fsconfig_set_string(&self.context, key, value),
            None => rustix::mount::fsconfig_set_flag(&self.context, key),
        }
    }

    /// Makes it, and a detached mount of it.
    pub(super) fn mount(&self) -> Result<OwnedFd, SetupError> {
        rustix::mount::fsconfig_create(&self.context).map_err(|error| self.failed(error))?;
        let flags = FsMountFlags::FSMOUNT_CLOEXEC;
        rustix::mount::fsmount(&self.context, flags, MountAttrFlags::empty())
            .map_err(|error| self.failed(error))
    }

    /// The error with what the kernel has to say about it.
    fn failed(&self, error: Errno) -> SetupError {
        let (step, subject) = self.failure;
        let mut message = [0; MESSAGE_BYTES_MAX];
        match rustix::io::read(&self.context, &mut message) {
            Ok(length) => {
                let message = String::from_utf8_lossy(&message[..length]);
                // It starts with a letter for its severity.
                let message = message.trim_end().split_once(' ').map_or("", |(_, text)| text).to_owned();
                let cause = Cause::Filesystem { errno: error.raw_os_error(), message };
                step.failed(subject.to_string_lossy(), cause)
            }
            Err(_) => step.at(subject)(error),
        }
    }
}

/// A file system with these options, as a detached mount.
pub(super) fn make(
    (name, source): (&str, &str),
    options: &[(String, Option<String>)],
    (step, subject): (Step, &Path),
) -> Result<OwnedFd, SetupError> {
    let context = Context::open(name, step, subject)?;
    context.set("source", Some(source))?;
    for (key, value) in options {
        context.set(key, value.as_deref())?;
    }
    context.mount()
}

const MESSAGE_BYTES_MAX: usize = 4096;

/// Puts a detached mount on the place that `target` stands for.
pub(super) fn attach(tree: &OwnedFd, target: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(tree, "", target, "", flags)
}
