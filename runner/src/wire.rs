//! The messages between the caller's process and the helper, over one local socket that keeps their borders.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::{Deserialize, Serialize};

use crate::exit::ExitStatus;
use crate::setup::SetupError;

/// What the helper, or the container's process before its exec, tells the caller.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum Event {
    /// The program runs; comes with its process descriptor.
    Started { pid: i32 },
    /// Comes with the terminal's master side, before `Started`.
    Terminal,
    /// It could not be started.
    Failed(SetupError),
    /// It ended.
    Exited(ExitStatus),
}

/// An event with the descriptor that came with it.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) event: Event,
    pub(crate) attached: Option<OwnedFd>,
}

/// The helper's end has this number there.
pub(crate) const CONTROL_FD: i32 = 3;

/// The plan has this number in the helper.
pub(crate) const PLAN_FD: i32 = 4;

/// The name under which the helper is started.
pub(crate) const HELPER_NAME: &str = "tug-init";

/// Makes the two ends.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Sends one event, with a descriptor if need be.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    event: &Event,
    attached: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let bytes = serde_json::to_vec(event)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let attached: Vec<_> = attached.into_iter().collect();
    if !attached.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(&attached));
    }
    sendmsg(socket, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Waits for one event; `None` when the other side is gone.
pub(crate) fn receive(socket: BorrowedFd<'_>) -> io::Result<Option<Received>> {
    let mut bytes = vec![0; EVENT_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::io::retry_on_intr(|| {
        recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    });
    let length = match received {
        Ok(message) => message.bytes,
        Err(rustix::io::Errno::CONNRESET) => 0,
        Err(error) => return Err(error.into()),
    };
    if length == 0 {
        return Ok(None);
    }
    let attached = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    Ok(Some(Received { event: serde_json::from_slice(&bytes[..length])?, attached }))
}

const EVENT_BYTES_MAX: usize = 64 * 1024;
