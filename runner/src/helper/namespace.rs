//! Namespaces that exist already and are joined. New ones are made by the clone itself.

use std::os::fd::AsFd;

use nix::libc;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::plan::Namespaces;
use crate::setup::{SetupError, Step};

/// Joins the namespaces that the plan names by path.
pub(super) fn join(namespaces: &Namespaces) -> Result<(), SetupError> {
    // All are opened first: the paths are those of the namespaces that this process is in now.
    let mut opened = Vec::new();
    for (kind, path) in &namespaces.joined {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(Step::Namespace.at(path))?;
        opened.push((*kind, file, path));
    }
    opened.sort_by_key(|(kind, ..)| order(*kind));
    for (kind, file, path) in opened {
        move_into_link_name_space(file.as_fd(), link_type(kind)).map_err(Step::Namespace.at(path))?;
    }
    Ok(())
}

/// The user namespace comes first, since it may be what allows the others; the mount namespace last, for the paths.
fn order(kind: u64) -> u8 {
    match kind as i32 {
        libc::CLONE_NEWUSER => 0,
        libc::CLONE_NEWNS => 2,
        _ => 1,
    }
}

fn link_type(kind: u64) -> Option<LinkNameSpaceType> {
    Some(match kind as i32 {
        libc::CLONE_NEWCGROUP => LinkNameSpaceType::ControlGroup,
        libc::CLONE_NEWIPC => LinkNameSpaceType::InterProcessCommunication,
        libc::CLONE_NEWNET => LinkNameSpaceType::Network,
        libc::CLONE_NEWNS => LinkNameSpaceType::Mount,
        libc::CLONE_NEWPID => LinkNameSpaceType::ProcessID,
        libc::CLONE_NEWUSER => LinkNameSpaceType::User,
        libc::CLONE_NEWUTS => LinkNameSpaceType::HostNameAndNISDomainName,
        _ => return None,
    })
}
