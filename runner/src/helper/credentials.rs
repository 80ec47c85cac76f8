//! Who the process is: user, groups, capabilities.

use rustix::fs::{FileType, Gid, Uid};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::plan::{Capabilities, Credentials, Privileges};
use crate::setup::{SetupError, Step};

/// Takes on user and groups. Capabilities stay what the process still needs, above what it may keep.
pub(super) fn assume(credentials: &Credentials, privileges: Privileges) -> Result<(), SetupError> {
    bound(credentials.capabilities.bounding).map_err(Step::Credentials.on("bounding set"))?;
    rustix::thread::set_keep_capabilities(true).map_err(Step::Credentials.on("capabilities"))?;
    let groups: Vec<Gid> = credentials.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    rustix::thread::set_thread_groups(&groups).map_err(Step::Credentials.on("groups"))?;
    let gid = Gid::from_raw(credentials.gid);
    rustix::thread::set_thread_res_gid(gid, gid, gid).map_err(Step::Credentials.on("group"))?;
    let uid = Uid::from_raw(credentials.uid);
    rustix::thread::set_thread_res_uid(uid, uid, uid).map_err(Step::Credentials.on("user"))?;
    let mut capabilities = credentials.capabilities;
    if privileges == Privileges::MayGrow {
        // Loading the seccomp filter asks for it.
        capabilities.permitted |= CapabilitySet::SYS_ADMIN.bits();
        capabilities.effective |= CapabilitySet::SYS_ADMIN.bits();
    }
    set(capabilities).map_err(Step::Credentials.on("capabilities"))?;
    // The kernel's rule; configurations that ask for more are common, and runc passes over it, too.
    let possible = capabilities.inheritable & capabilities.permitted;
    for capability in bits(credentials.capabilities.ambient & possible) {
        rustix::thread::configure_capability_in_ambient_set(capability, true)
            .map_err(Step::Credentials.on("ambient capabilities"))?;
    }
    Ok(())
}

/// Hands pipes that are standard streams to the user, who could not open `/dev/stdout` else.
pub(super) fn own_streams(uid: u32) -> Result<(), Errno> {
    if uid == 0 {
        return Ok(());
    }
    for stream in [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()] {
        let stat = rustix::fs::fstat(stream)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Fifo && stat.st_uid != uid {
            rustix::fs::fchown(stream, Some(Uid::from_raw(uid)), None::<Gid>)?;
        }
    }
    Ok(())
}

/// Gives up what only the set-up needed.
pub(super) fn settle(credentials: &Credentials) -> Result<(), SetupError> {
    set(credentials.capabilities).map_err(Step::Credentials.on("capabilities"))
}

fn bound(keep: u64) -> Result<(), Errno> {
    for capability in bits(!keep) {
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            // The kernel knows no more of them.
            Err(Errno::INVAL) => return Ok(()),
            result => result?,
        }
    }
    Ok(())
}

fn set(capabilities: Capabilities) -> Result<(), Errno> {
    let sets = CapabilitySets {
        effective: CapabilitySet::from_bits_retain(capabilities.effective),
        permitted: CapabilitySet::from_bits_retain(capabilities.permitted),
        inheritable: CapabilitySet::from_bits_retain(capabilities.inheritable),
    };
    rustix::thread::set_capabilities(None, sets)
}

fn bits(set: u64) -> impl Iterator<Item = CapabilitySet> {
    (0..u64::BITS).map(|bit| 1 << bit).filter(move |bit| set & bit != 0).map(CapabilitySet::from_bits_retain)
}
