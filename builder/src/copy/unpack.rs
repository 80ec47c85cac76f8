//! Archives that `ADD` unpacks: tar, plain or packed with gzip or zstd.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Timespec, makedev};
use tar::{Archive, Entry, EntryType};
use tug_store::view::Links;

use crate::copy::target::{Attributes, Target, TargetError};
use crate::tree::{Xattr, relative};

/// Why an archive is not unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackArchiveError {
    /// Packed in a way that cannot be read here.
    #[error("archives packed with {packer} are not supported; use gzip or zstd")]
    Packer {
        /// How it is packed.
        packer: &'static str,
    },
    /// It cannot be read, or is damaged.
    #[error("the archive cannot be read")]
    Read(#[from] io::Error),
    /// A member of a kind that cannot be made.
    #[error("the member {} is of a kind that is not supported", path.display())]
    Kind {
        /// Which.
        path: PathBuf,
    },
    /// A hard link to nothing.
    #[error("the member {} links to {}, which the archive does not hold", path.display(), link.display())]
    Link {
        /// Which.
        path: PathBuf,
        /// To what.
        link: PathBuf,
    },
    /// The destination.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// More members than any archive that a person adds.
    #[error("the archive has more than {MEMBERS_MAX} members")]
    TooMany,
}

/// An archive to read.
pub(super) type Members = Archive<Box<dyn Read>>;

/// The archive that a file is; `None` when it is none.
pub(super) fn open(mut file: File, name: &Path) -> Result<Option<Members>, UnpackArchiveError> {
    let mut start = Vec::new();
    (&file).take(MAGIC_LEN).read_to_end(&mut start)?;
    file.seek(SeekFrom::Start(0))?;
    let reader: Box<dyn Read> = if start.starts_with(&GZIP) {
        Box::new(flate2::read::MultiGzDecoder::new(file))
    } else if start.starts_with(&ZSTD) {
        Box::new(zstd::stream::read::Decoder::new(file)?)
    } else if let Some(packer) = unsupported(&start, name) {
        return Err(UnpackArchiveError::Packer { packer });
    } else {
        Box::new(file)
    };
    let mut reader = BufReader::with_capacity(BLOCK, reader);
    match reader.fill_buf() {
        Ok(block) if is_header(block) => Ok(Some(Archive::new(Box::new(reader)))),
        // What cannot be unpacked is no archive but a file like others.
        Ok(_) | Err(_) => Ok(None),
    }
}

/// Unpacks an archive into a directory of the target.
pub(super) fn into(
    mut archive: Members,
    target: &mut Target<'_>,
    directory: &Path,
    owner: Option<(u32, u32)>,
) -> Result<(), UnpackArchiveError> {
    for (count, member) in archive.entries()?.enumerate() {
        if count >= MEMBERS_MAX {
            return Err(UnpackArchiveError::TooMany);
        }
        put(member?, target, directory, owner)?;
    }
    Ok(())
}

fn put(
    mut member: Entry<'_, Box<dyn Read>>,
    target: &mut Target<'_>,
    directory: &Path,
    owner: Option<(u32, u32)>,
) -> Result<(), UnpackArchiveError> {
    let name = relative(&member.path()?);
    let header = member.header();
    let kind = header.entry_type();
    let old = header.as_old();
    let seconds = number(&old.mtime, header.mtime())?;
    let modified = Timespec { tv_sec: i64::try_from(seconds).unwrap_or_default(), tv_nsec: 0 };
    let id = |id: u64| u32::try_from(id).unwrap_or_default();
    let (uid, gid) =
        owner.unwrap_or((id(number(&old.uid, header.uid())?), id(number(&old.gid, header.gid())?)));
    let attributes =
        Attributes { mode: id(number(&old.mode, header.mode().map(u64::from))?) & 0o7777, uid, gid };
    let (Some(parent), Some(last)) = (name.parent(), name.file_name()) else {
        return Ok(());
    };
    let (parent, _) = target.resolve(&directory.join(parent), Links::Follow)?;
    let (made_uid, made_gid) = owner.unwrap_or_default();
    target.make_directory(&parent, &Attributes { mode: 0o755, uid: made_uid, gid: made_gid })?;
    let path = parent.join(last);
    match kind {
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            if is_sparse_pax(&mut member)? {
                return Err(UnpackArchiveError::Kind { path: name });
            }
            target.put_stream(&path, &mut member, (&attributes, modified))?;
        }
        EntryType::Directory => target.put_directory_over(&path, &attributes, modified)?,
        EntryType::Symlink => {
            let link = link_name(&member)?;
            target.put_link_at(&path, &link, (&attributes, modified))?;
            return Ok(());
        }
        EntryType::Link => {
            let link = relative(&link_name(&member)?);
            let (first, existing) = target.resolve(&directory.join(&link), Links::Keep)?;
            if existing.is_none() || !target.holds(&first) {
                return Err(UnpackArchiveError::Link { path: name, link });
            }
            if first != path {
                target.put_hard_link(&path, &first)?;
            }
            return Ok(());
        }
        EntryType::Char | EntryType::Block | EntryType::Fifo => {
            let number = |part: io::Result<Option<u32>>| part.map(Option::unwrap_or_default);
            let device =
                makedev(number(member.header().device_major())?, number(member.header().device_minor())?);
            let kind = match kind {
                EntryType::Char => FileType::CharacterDevice,
                EntryType::Block => FileType::BlockDevice,
                _ => FileType::Fifo,
            };
            target.put_node(&path, kind, (&attributes, device, modified))?;
        }
        EntryType::XGlobalHeader => {}
        _ => return Err(UnpackArchiveError::Kind { path: name }),
    }
    put_xattrs(&mut member, target, &path)
}

/// A number of a header; a field of nothing but NULs stands for zero.
fn number(field: &[u8], read: io::Result<u64>) -> io::Result<u64> {
    if field.iter().all(|byte| *byte == 0) { Ok(0) } else { read }
}

fn link_name(member: &Entry<'_, Box<dyn Read>>) -> Result<PathBuf, io::Error> {
    Ok(member.link_name()?.map(|link| link.into_owned()).unwrap_or_default())
}

fn put_xattrs(
    member: &mut Entry<'_, Box<dyn Read>>,
    target: &Target<'_>,
    path: &Path,
) -> Result<(), UnpackArchiveError> {
    let mut xattrs = Vec::new();
    if let Some(extensions) = member.pax_extensions()? {
        for extension in extensions {
            let extension = extension?;
            if let Some(name) = extension.key_bytes().strip_prefix(XATTR.as_bytes()) {
                let name = OsStr::from_bytes(name).to_owned();
                xattrs.push(Xattr { name, value: extension.value_bytes().to_vec() });
            }
        }
    }
    Ok(target.put_xattrs(path, &xattrs)?)
}

/// The sparse form whose content begins with a map, which would end up in the file.
fn is_sparse_pax(member: &mut Entry<'_, Box<dyn Read>>) -> Result<bool, io::Error> {
    let Some(extensions) = member.pax_extensions()? else {
        return Ok(false);
    };
    for extension in extensions {
        if extension?.key_bytes().starts_with(b"GNU.sparse.") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a block is a tar header: its checksum is right.
fn is_header(block: &[u8]) -> bool {
    let Some(header) = block.get(..HEADER_LEN) else {
        return false;
    };
    let field = &header[148..156];
    let digits: String =
        field.iter().map(|byte| char::from(*byte)).filter(|digit| ('0'..='7').contains(digit)).collect();
    let Ok(wanted) = u32::from_str_radix(&digits, 8) else {
        return false;
    };
    let summed =
        |at: usize, byte: u8| if (148..156).contains(&at) { u32::from(b' ') } else { u32::from(byte) };
    wanted == header.iter().enumerate().map(|(at, byte)| summed(at, *byte)).sum::<u32>()
}

/// How an archive is packed that cannot be read here. A lone packed file is copied as it is, in any packing.
fn unsupported(start: &[u8], name: &Path) -> Option<&'static str> {
    let name = name.to_string_lossy().to_lowercase();
    let named = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if start.starts_with(&XZ) && named(&[".tar.xz", ".txz"]) {
        return Some("xz");
    }
    if start.starts_with(b"BZh") && named(&[".tar.bz2", ".tbz2", ".tbz", ".tb2"]) {
        return Some("bzip2");
    }
    None
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const XZ: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];
const MAGIC_LEN: u64 = 8;
const HEADER_LEN: usize = 512;
const BLOCK: usize = 64 << 10;
const XATTR: &str = "SCHILY.xattr.";
const MEMBERS_MAX: usize = 10_000_000;
