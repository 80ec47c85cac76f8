//! The tar format, as a codec: headers in and out, extended records, nothing of the file system.
//!
//! Reading is strict, because an archive that two readers understand differently is an attack; writing is canonical,
//! because the digest of what is written names a layer.

mod field;
mod pax;
mod read;
mod write;

pub(crate) use read::TarReader;
pub(crate) use write::TarWriter;

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file; its content follows.
    File,
    /// Another name of an earlier member.
    HardLink,
    /// A symbolic link.
    Symlink,
    /// A character device.
    Char,
    /// A block device.
    Block,
    /// A directory.
    Dir,
    /// A named pipe.
    Fifo,
}

/// A point in time: seconds since 1970 and nanoseconds after that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Time {
    pub(crate) secs: i64,
    pub(crate) nanos: u32,
}

/// One member of an archive, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// The name as it stands there.
    pub(crate) path: Vec<u8>,
    pub(crate) kind: Kind,
    /// Permission bits, at most `0o7777`.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: Time,
    /// Bytes of content: 0 for all but files.
    pub(crate) size: u64,
    /// Where a link points.
    pub(crate) link: Vec<u8>,
    /// Major and minor number of a device.
    pub(crate) device: (u32, u32),
    /// Extended attributes, in the order of their names.
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Member {
    /// A member of root's, of no size, from the beginning of time.
    pub(crate) fn new(path: Vec<u8>, kind: Kind, mode: u32) -> Member {
        Member {
            path,
            kind,
            mode,
            uid: 0,
            gid: 0,
            mtime: Time::default(),
            size: 0,
            link: Vec::new(),
            device: (0, 0),
            xattrs: Vec::new(),
        }
    }
}

/// Why bytes are no archive that can be understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TarError {
    /// The bytes could not be had.
    #[error("cannot read the archive")]
    Read(#[source] std::io::Error),
    /// The archive ends where a header or content should be.
    #[error("archive ends in the middle of {0}")]
    Truncated(String),
    /// A header's check sum does not fit.
    #[error("header at byte {0} of the archive has a wrong check sum: not a tar, or damaged")]
    Checksum(u64),
    /// A block of zeros and then more.
    #[error("archive goes on after a single end block at byte {0}")]
    LoneEnd(u64),
    /// A number that cannot be read or does not fit.
    #[error("member {name} has a malformed {field}")]
    Number {
        /// The member.
        name: String,
        /// The field.
        field: &'static str,
    },
    /// An extended record that breaks the format.
    #[error("extended header before byte {offset} of the archive is malformed: {why}")]
    Pax {
        /// Where.
        offset: u64,
        /// What is wrong.
        why: &'static str,
    },
    /// An extended header larger than is read.
    #[error(
        "extended header at byte {offset} of the archive has {size} bytes; at most {HEADER_BYTES_MAX} are read"
    )]
    HeaderTooLarge {
        /// Where.
        offset: u64,
        /// What it claims.
        size: u64,
    },
    /// A global header that would change the members after it.
    #[error("archive has a global header with {0:?}; only comments are taken there")]
    Global(String),
    /// A member of a type that no layer has.
    #[error("member {name} has type {kind:?}, which is not supported")]
    Type {
        /// The member.
        name: String,
        /// The type byte.
        kind: char,
    },
    /// A sparse file.
    #[error("member {0} is a sparse file, which is not supported; archive it without --sparse")]
    Sparse(String),
}

/// A name as it can be shown: what is no UTF-8 or would move the cursor is escaped.
pub(crate) fn shown(path: &[u8]) -> String {
    let cut = &path[..path.len().min(SHOWN_BYTES_MAX)];
    let text: String = String::from_utf8_lossy(cut).chars().flat_map(char::escape_debug).collect();
    if cut.len() < path.len() { format!("{text}…") } else { text }
}

/// A header and the unit that everything is filled up to.
const BLOCK: usize = 512;
/// The largest extended header (pax records, GNU long names). The kernel takes attributes of 64 KiB in all.
const HEADER_BYTES_MAX: u64 = 1 << 20;
const SHOWN_BYTES_MAX: usize = 256;
/// What stands before the name of an attribute in a pax record.
const XATTR_PREFIX: &[u8] = b"SCHILY.xattr.";
