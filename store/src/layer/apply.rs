//! A layer's archive → its directory. The archive is foreign: nothing it says leads out of the directory.

use std::io::BufRead;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;

use super::leaning::Leaning;
use super::target::{Place, Target};
use crate::beneath;
use crate::tarball::{Kind, Member, TarError, TarReader, shown};

/// Why an archive is refused or cannot be unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The archive itself.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// A path that leads out of the layer.
    #[error("layer entry {0} climbs out of its root")]
    Climbs(String),
    /// A path longer than the kernel takes.
    #[error("layer entry {0} has a path longer than {max} bytes", max = beneath::PATH_BYTES_MAX)]
    PathTooLong(String),
    /// Links that lead to links without end.
    #[error("layer entry {0} leads through more than {max} symbolic links", max = beneath::SYMLINKS_MAX)]
    LinkLoop(String),
    /// A file used as a folder.
    #[error("layer entry {path} lies below {file}, which is no folder")]
    NotADirectory {
        /// The entry.
        path: String,
        /// The file.
        file: String,
    },
    /// A hard link that cannot be.
    #[error("layer entry {path} is a hard link to {target}: {why}")]
    HardLink {
        /// The entry.
        path: String,
        /// Its target.
        target: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A symbolic link without a target.
    #[error("layer entry {0} is a symbolic link to nothing")]
    EmptyLink(String),
    /// A whiteout of nothing that can be named.
    #[error("layer entry {0} is a whiteout of `.`, `..` or an empty name")]
    WhiteoutName(String),
    /// A name with the whiteout prefix that is a folder.
    #[error("layer entry {0} lies below a whiteout")]
    BelowWhiteout(String),
    /// A device that the kernel would take for a whiteout.
    #[error("layer entry {0} is the device 0:0, which stands for a removed file in a layer directory")]
    WhiteoutDevice(String),
    /// An extended attribute that cannot be set.
    #[error("cannot set attribute {name} of layer entry {path}")]
    Xattr {
        /// The entry.
        path: String,
        /// The attribute.
        name: String,
        /// What the kernel says.
        #[source]
        source: std::io::Error,
    },
    /// More entries than a layer may have.
    #[error("layer has more than {ENTRIES_MAX} entries")]
    TooManyEntries,
    /// The kernel says no.
    #[error("cannot {doing} layer entry {path}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// The entry.
        path: String,
        /// What the kernel says.
        #[source]
        source: std::io::Error,
    },
}

impl ApplyError {
    pub(super) fn io(doing: &'static str, path: &[u8], errno: Errno) -> ApplyError {
        ApplyError::Io { doing, path: shown(path), source: errno.into() }
    }
}

/// Unpacks an archive into an empty directory, in overlay form, and says how the layer leans on what is below.
/// The whole input is read, also what follows the archive's end.
pub(crate) fn apply(archive: impl BufRead, root: OwnedFd) -> Result<Leaning, ApplyError> {
    let mut reader = TarReader::new(archive);
    let mut target = Target::new(root);
    let mut entries = 0_u64;
    while let Some(member) = reader.next_member()? {
        entries += 1;
        if entries > ENTRIES_MAX {
            return Err(ApplyError::TooManyEntries);
        }
        put(&mut target, member, &mut reader)?;
    }
    target.finish()
}

fn put<R: BufRead>(
    target: &mut Target,
    member: Member,
    content: &mut TarReader<R>,
) -> Result<(), ApplyError> {
    let path = beneath::clean(&member.path).ok_or_else(|| ApplyError::Climbs(shown(&member.path)))?;
    if path.len() > beneath::PATH_BYTES_MAX {
        return Err(ApplyError::PathTooLong(shown(&path)));
    }
    // The root is no entry of a layer: it is the folder that all layers share.
    if path.is_empty() || is_aufs_bookkeeping(&path) {
        return Ok(());
    }
    let (parent, name) = beneath::split(&path);
    if parent.split(|byte| *byte == b'/').any(|part| part.starts_with(WHITEOUT)) {
        return Err(ApplyError::BelowWhiteout(shown(&path)));
    }
    let place = target.place(parent)?;
    if name == OPAQUE_MARK {
        let fd = beneath::open_dir(&place.fd, b".");
        return fd
            .and_then(beneath::set_opaque)
            .map_err(|errno| ApplyError::io("make a folder opaque for", &path, errno));
    }
    match name.strip_prefix(WHITEOUT) {
        Some(b"" | b"." | b"..") => Err(ApplyError::WhiteoutName(shown(&path))),
        Some(hidden) => whiteout(target, &place, hidden, &path),
        None => match member.kind {
            Kind::File => file(target, &place, name, (&member, content)),
            Kind::Dir => target.dir(&place, name, member),
            Kind::HardLink => hard_link(target, &place, name, &member),
            Kind::Symlink if member.link.is_empty() => Err(ApplyError::EmptyLink(shown(&path))),
            Kind::Symlink | Kind::Char | Kind::Block | Kind::Fifo => special(target, &place, name, &member),
        },
    }
}

/// aufs kept its own files under this prefix, and old layers hold them.
fn is_aufs_bookkeeping(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/').any(|part| part.starts_with(AUFS) && part != OPAQUE_MARK)
}

/// A whiteout removes what is below the layer, never what the layer itself holds.
fn whiteout(target: &mut Target, place: &Place, hidden: &[u8], path: &[u8]) -> Result<(), ApplyError> {
    let failed = |errno| ApplyError::io("make the whiteout", path, errno);
    if target.leaning_link(&beneath::join(&place.path, hidden)) {
        return Ok(());
    }
    match rustix::fs::mknodat(&place.fd, hidden, FileType::CharacterDevice, Mode::empty(), 0) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => match beneath::open_dir(&place.fd, hidden) {
            Ok(directory) => beneath::set_opaque(directory).map_err(failed),
            Err(Errno::NOTDIR | Errno::LOOP) => Ok(()),
            Err(errno) => Err(failed(errno)),
        },
        Err(errno) => Err(failed(errno)),
    }
}

fn file<R: BufRead>(
    target: &mut Target,
    place: &Place,
    name: &[u8],
    (member, content): (&Member, &mut TarReader<R>),
) -> Result<(), ApplyError> {
    let failed = |errno| ApplyError::io("make", &member.path, errno);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || rustix::fs::openat(&place.fd, name, flags, Mode::RUSR | Mode::WUSR);
    let fd = match open() {
        Err(Errno::EXIST) => {
            target.clear(place, name, &member.path)?;
            open()
        }
        opened => opened,
    };
    let fd = fd.map_err(failed)?;
    target.forget_link(&beneath::join(&place.path, name));
    loop {
        let bytes = content.content()?;
        if bytes.is_empty() {
            break;
        }
        match rustix::io::write(&fd, bytes) {
            Ok(written) => content.consume(written),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(ApplyError::io("write", &member.path, errno)),
        }
    }
    target.dress(&fd, member)
}

fn special(target: &mut Target, place: &Place, name: &[u8], member: &Member) -> Result<(), ApplyError> {
    let (major, minor) = member.device;
    let device = rustix::fs::makedev(major, minor);
    if member.kind == Kind::Char && device == 0 {
        return Err(ApplyError::WhiteoutDevice(shown(&member.path)));
    }
    let node = |kind, device| rustix::fs::mknodat(&place.fd, name, kind, Mode::RUSR | Mode::WUSR, device);
    let make = || match member.kind {
        Kind::Char => node(FileType::CharacterDevice, device),
        Kind::Block => node(FileType::BlockDevice, device),
        Kind::Fifo => node(FileType::Fifo, 0),
        _ => rustix::fs::symlinkat(&member.link, &place.fd, name),
    };
    let made = match make() {
        Err(Errno::EXIST) => {
            target.clear(place, name, &member.path)?;
            make()
        }
        made => made,
    };
    made.map_err(|errno| ApplyError::io("make", &member.path, errno))?;
    target.forget_link(&beneath::join(&place.path, name));
    target.dress_special(place, name, member)
}

fn hard_link(target: &mut Target, place: &Place, name: &[u8], member: &Member) -> Result<(), ApplyError> {
    let refused = |why| ApplyError::HardLink { path: shown(&member.path), target: shown(&member.link), why };
    let to = beneath::clean(&member.link).ok_or_else(|| refused("it climbs out of the root"))?;
    if to.is_empty() {
        return Err(refused("it has no name"));
    }
    // Folders on the way may be links; the last part is linked as it is.
    let (parent, last) = beneath::split(&to);
    let to = beneath::join(&target.resolve(parent)?, last);
    let path = beneath::join(&place.path, name);
    if to == path {
        return Err(refused("it is the link itself"));
    }
    let Some(source) = target.find(&to, &member.path)? else {
        target.clear(place, name, &member.path)?;
        return target.lean_on(path, to);
    };
    let failed = |errno| ApplyError::io("link", &member.path, errno);
    if beneath::kind(&source.stat) == FileType::Directory {
        return Err(refused("it is a folder"));
    }
    if beneath::is_whiteout(&source.stat) {
        return Err(refused("it is removed in this layer"));
    }
    let link = || rustix::fs::linkat(&source.parent, last, &place.fd, name, AtFlags::empty());
    match link() {
        Err(Errno::EXIST) => {
            target.clear(place, name, &member.path)?;
            link().map_err(failed)?;
        }
        linked => linked.map_err(failed)?,
    }
    target.forget_link(&path);
    dress_linked(place, name, (&source.stat, member))
}

/// A hard link's header speaks of the file that both names have. Most say the same again; then nothing is touched,
/// as a change of owner would cost the file its capabilities.
fn dress_linked(place: &Place, name: &[u8], (stat, member): (&Stat, &Member)) -> Result<(), ApplyError> {
    if beneath::kind(stat) != FileType::RegularFile {
        return Ok(());
    }
    let failed = |errno| ApplyError::io("set owner, mode or time of", &member.path, errno);
    let moved = (stat.st_uid, stat.st_gid) != (member.uid, member.gid);
    if moved {
        let (uid, gid) = (Uid::from_raw(member.uid), Gid::from_raw(member.gid));
        rustix::fs::chownat(&place.fd, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(failed)?;
    }
    if moved || stat.st_mode & 0o7777 != member.mode {
        // A regular file, as was just seen, so nothing is followed here.
        let mode = Mode::from_raw_mode(member.mode);
        rustix::fs::chmodat(&place.fd, name, mode, AtFlags::empty()).map_err(failed)?;
    }
    Ok(())
}

/// What stands before the name of a removed file in a layer's archive.
pub(super) const WHITEOUT: &[u8] = b".wh.";
/// The name that makes its folder opaque.
pub(super) const OPAQUE_MARK: &[u8] = b".wh..wh..opq";
const AUFS: &[u8] = b".wh..wh.";
/// More than any layer that could be used has.
const ENTRIES_MAX: u64 = 50_000_000;
