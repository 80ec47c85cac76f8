//! What happens below a directory, by descriptor: opening, kinds, extended attributes. A path in here is relative,
//! has no `..`, and no link in it is followed.

use std::ffi::{CStr, CString};
use std::os::fd::AsRawFd as _;
use std::path::Path;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags, Stat, XattrFlags};
use rustix::io::{Errno, Result};

/// Opens what `path` names below `root`. A link in the middle is `ELOOP`; a link at the end too, unless `flags` hold
/// `O_PATH` and `O_NOFOLLOW`.
pub(crate) fn open(root: impl AsFd, path: &[u8], flags: OFlags) -> Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let path = if path.is_empty() { b"." } else { path };
    for _ in 0..RACES_MAX {
        match rustix::fs::openat2(&root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            opened => return opened,
        }
    }
    Err(Errno::AGAIN)
}

/// Opens a directory entry that is itself a directory, for reading.
pub(crate) fn open_dir(parent: impl AsFd, name: &[u8]) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, Mode::empty())
}

/// What the mode says it is.
pub(crate) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// overlayfs' mark for "removed": a character device 0:0.
pub(crate) fn is_whiteout(stat: &Stat) -> bool {
    kind(stat) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// Whether a directory hides what is below it.
pub(crate) fn is_opaque(directory: impl AsFd) -> Result<bool> {
    let mut value = [0_u8; 2];
    match rustix::fs::fgetxattr(directory, OPAQUE, &mut value[..]) {
        Ok(len) => Ok(&value[..len] == b"y"),
        Err(Errno::NODATA | Errno::NOTSUP | Errno::RANGE) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The same for a directory named by path.
pub(crate) fn is_opaque_path(directory: &Path) -> Result<bool> {
    let mut value = [0_u8; 2];
    match rustix::fs::lgetxattr(directory, OPAQUE, &mut value[..]) {
        Ok(len) => Ok(&value[..len] == b"y"),
        Err(Errno::NODATA | Errno::NOTSUP | Errno::RANGE) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a directory hide what is below it.
pub(crate) fn set_opaque(directory: impl AsFd) -> Result<()> {
    rustix::fs::fsetxattr(directory, OPAQUE, b"y", XattrFlags::empty())
}

/// Whether an extended attribute belongs to an image: overlayfs' own and those that a host's security modules put
/// on do not.
pub(crate) fn is_image_xattr(name: &[u8]) -> bool {
    let hosts: [&[u8]; 6] = [
        b"user.overlay.",
        b"trusted.overlay.",
        b"security.selinux",
        b"security.ima",
        b"security.evm",
        b"security.SMACK64",
    ];
    !hosts.iter().any(|prefix| name.starts_with(prefix))
}

/// Extended attributes: name and value.
pub(crate) type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

/// The image's extended attributes of an open file or directory, sorted.
pub(crate) fn xattrs(file: impl AsFd) -> Result<Xattrs> {
    let names = xattr_names(&file)?;
    read_xattrs(&file, &names)
}

/// The names of all attributes, each with a NUL after it.
pub(crate) fn xattr_names(file: impl AsFd) -> Result<Vec<u8>> {
    let mut names = [0_u8; 1024];
    match rustix::fs::flistxattr(&file, &mut names[..]) {
        Ok(len) => Ok(names[..len].to_vec()),
        Err(Errno::NOTSUP) => Ok(Vec::new()),
        Err(Errno::RANGE) => {
            let mut names = vec![0_u8; XATTR_LIST_MAX];
            let len = rustix::fs::flistxattr(&file, &mut names[..])?;
            names.truncate(len);
            Ok(names)
        }
        Err(error) => Err(error),
    }
}

/// Whether names hold one by which overlayfs keeps a part of what a directory shows elsewhere, or in its `trusted`
/// flavour.
pub(crate) fn has_foreign_overlay(names: &[u8]) -> bool {
    let foreign: [&[u8]; 5] = [
        b"trusted.overlay.opaque",
        b"trusted.overlay.redirect",
        b"trusted.overlay.metacopy",
        b"user.overlay.redirect",
        b"user.overlay.metacopy",
    ];
    names.split(|byte| *byte == 0).any(|name| foreign.contains(&name))
}

/// The image's among the attributes named, sorted.
pub(crate) fn read_xattrs(file: impl AsFd, names: &[u8]) -> Result<Xattrs> {
    let mut found = Vec::new();
    let ours = names.split(|byte| *byte == 0).filter(|name| !name.is_empty() && is_image_xattr(name));
    for name in ours {
        let mut value = vec![0_u8; XATTR_VALUE_MAX];
        let len = rustix::fs::fgetxattr(&file, name, &mut value[..])?;
        value.truncate(len);
        found.push((name.to_owned(), value));
    }
    found.sort_unstable();
    Ok(found)
}

/// Sets an attribute on whatever `file` is open on, even where it is `O_PATH` on a link or a device.
pub(crate) fn set_xattr(file: impl AsFd, name: &[u8], value: &[u8]) -> Result<()> {
    match rustix::fs::fsetxattr(&file, name, value, XattrFlags::empty()) {
        Err(Errno::BADF) => {
            // The descriptor's own link in /proc leads to exactly what it holds.
            let link = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
            rustix::fs::setxattr(link, name, value, XattrFlags::empty())
        }
        done => done,
    }
}

/// The names in a directory, sorted by bytes, without `.` and `..`.
pub(crate) fn names(directory: impl AsFd) -> Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name: &CStr = entry.file_name();
        if name != c"." && name != c".." {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// A path without empty parts and `.`, `..` taken back; `None` when it climbs over its root.
pub(crate) fn clean(path: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join(&b'/'))
}

/// The folder and the last part of a cleaned path.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}

/// A path with one more part.
pub(crate) fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    if parent.is_empty() { name.to_owned() } else { [parent, b"/", name].concat() }
}

/// overlayfs with the `userxattr` option.
const OPAQUE: &CStr = c"user.overlay.opaque";
const RACES_MAX: u32 = 128;
const XATTR_LIST_MAX: usize = 64 << 10;
const XATTR_VALUE_MAX: usize = 64 << 10;

/// Links followed in one look-up, as in the kernel.
pub(crate) const SYMLINKS_MAX: u32 = 40;
/// The longest path the kernel takes, without its NUL.
pub(crate) const PATH_BYTES_MAX: usize = 4095;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_paths_stay_inside() {
        for (path, cleaned) in [
            (&b"a/b"[..], Some(&b"a/b"[..])),
            (b".//a/./b//c/", Some(b"a/b/c")),
            (b"/abs", Some(b"abs")),
            (b"a/../b", Some(b"b")),
            (b"", Some(b"")),
            (b"/", Some(b"")),
            (b"..", None),
            (b"a/../../b", None),
            (b"/../b", None),
        ] {
            assert_eq!(clean(path).as_deref(), cleaned);
        }
    }

    #[test]
    fn overlay_and_host_attributes_are_not_the_images() {
        for (name, ours) in [
            (&b"user.note"[..], true),
            (b"security.capability", true),
            (b"user.overlay.opaque", false),
            (b"trusted.overlay.redirect", false),
            (b"security.selinux", false),
        ] {
            assert_eq!(is_image_xattr(name), ours, "{}", String::from_utf8_lossy(name));
        }
    }
}
