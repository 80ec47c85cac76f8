//! What lies in `/dev`: device nodes and the usual links.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Gid, Mode, Uid};
use rustix::io::Errno;

use super::filesystem;
use super::mount;
use super::target::{self, Created, Kind, Links};
use crate::plan::{Device, DeviceKind};
use crate::setup::{SetupError, Step};

/// Makes the devices and the links.
pub(super) fn make_all(
    root: BorrowedFd<'_>,
    devices: &[Device],
    created: &mut Vec<Created>,
) -> Result<(), SetupError> {
    for device in devices {
        make(root, device, created).map_err(Step::Device.at(&device.path))?;
    }
    let dev = directory(root, Path::new("/dev"), created).map_err(Step::Device.on("/dev"))?;
    for (name, to) in LINKS {
        match rustix::fs::symlinkat(to, &dev, name) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(Step::Device.on(name)(error)),
        }
    }
    Ok(())
}

fn make(root: BorrowedFd<'_>, device: &Device, created: &mut Vec<Created>) -> Result<(), Errno> {
    let path = target::clean(&device.path);
    let name = path.file_name().ok_or(Errno::INVAL)?;
    let parent = directory(root, path.parent().unwrap_or(Path::new("/")), created)?;
    let (kind, number) = match device.kind {
        DeviceKind::Block => (FileType::BlockDevice, rustix::fs::makedev(device.major, device.minor)),
        DeviceKind::Character => (FileType::CharacterDevice, rustix::fs::makedev(device.major, device.minor)),
        DeviceKind::Fifo => (FileType::Fifo, 0),
    };
    let mode = Mode::from_raw_mode(device.mode);
    match rustix::fs::mknodat(&parent, name, kind, mode, number) {
        Err(Errno::EXIST) => {
            let stat = rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let same = FileType::from_raw_mode(stat.st_mode) == kind && stat.st_rdev == number;
            return if same { Ok(()) } else { Err(Errno::EXIST) };
        }
        Err(Errno::PERM) => {
            let tree = mount::host_device(&path, device.major, device.minor)?;
            let place = mount::file_target(root, &path, created)?;
            return filesystem::attach(&tree, place.as_fd());
        }
        result => result?,
    }
    let (uid, gid) = (Uid::from_raw(device.uid), Gid::from_raw(device.gid));
    if (device.uid, device.gid) != (0, 0) {
        rustix::fs::chownat(&parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    }
    Ok(())
}

fn directory(root: BorrowedFd<'_>, path: &Path, created: &mut Vec<Created>) -> Result<OwnedFd, Errno> {
    target::open_or_create(root, path, (Kind::Directory, Links::Refuse), created)
}

const LINKS: [(&str, &str); 6] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
    ("ptmx", "pts/ptmx"),
];
