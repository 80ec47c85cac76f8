//! The members of an archive that is read: of a tar (also a compressed one) or of a directory.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// The members of an archive, in no order.
pub(crate) enum Members {
    /// Of a tar.
    Tar(TarMembers),
    /// Of a directory.
    Directory(File),
}

/// Why an archive cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum MembersError {
    /// The system says so.
    #[error("cannot read the archive")]
    Io(#[source] io::Error),
    /// Packed in a way that is not known here.
    #[error("archive is packed with {0}, which tug does not read; unpack it first")]
    Packed(&'static str),
    /// More members than any image has.
    #[error("archive has more than {MEMBERS_MAX} members")]
    TooMany,
    /// Bytes that are no tar.
    #[error("not a tar archive")]
    NotATar(#[source] io::Error),
    /// A member that cannot be read.
    #[error("cannot read {member} of the archive")]
    Member {
        /// Its name.
        member: String,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
}

/// A member that is being read.
pub(crate) struct Member {
    /// Its size in bytes.
    pub(crate) size: u64,
    reader: Box<dyn Read>,
}

impl Read for Member {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl Members {
    /// The members of a file or directory. `scratch` is where a compressed archive is unpacked to, in a file
    /// without a name.
    pub(crate) fn of_path(path: &Path, scratch: &Path) -> Result<Members, MembersError> {
        let file = File::open(path).map_err(MembersError::Io)?;
        match file.metadata().map_err(MembersError::Io)? {
            metadata if metadata.is_dir() => Ok(Members::Directory(file)),
            metadata if metadata.is_file() => Members::of_file(file, scratch),
            _ => Members::of_stream(file, scratch),
        }
    }

    /// The members of a tar that comes as a stream.
    pub(crate) fn of_stream(stream: impl Read, scratch: &Path) -> Result<Members, MembersError> {
        let mut stream = BufReader::with_capacity(BUFFER, stream);
        let spooled = spool(&mut stream, scratch)?;
        Members::of_file(spooled, scratch)
    }

    fn of_file(mut file: File, scratch: &Path) -> Result<Members, MembersError> {
        let mut magic = [0; 6];
        let count = file.read_at(&mut magic, 0).map_err(MembersError::Io)?;
        let reader: Box<dyn Read> = match &magic[..count] {
            [0x1f, 0x8b, ..] => {
                Box::new(flate2::read::MultiGzDecoder::new(BufReader::with_capacity(BUFFER, file)))
            }
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::new(file).map_err(MembersError::Io)?),
            [b'B', b'Z', b'h', ..] => return Err(MembersError::Packed("bzip2")),
            [0xfd, b'7', b'z', b'X', b'Z', ..] => return Err(MembersError::Packed("xz")),
            _ => {
                file.seek(SeekFrom::Start(0)).map_err(MembersError::Io)?;
                return Ok(Members::Tar(TarMembers::read(file)?));
            }
        };
        Ok(Members::Tar(TarMembers::read(spool(reader, scratch)?)?))
    }

    /// Opens a member; `None` when there is none of this name.
    pub(crate) fn open(&self, name: &str) -> Result<Option<Member>, MembersError> {
        match self {
            Members::Tar(tar) => Ok(tar.open(name)),
            Members::Directory(directory) => open_beneath(directory, name),
        }
    }

    /// Reads a whole small member.
    pub(crate) fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, MembersError> {
        let Some(member) = self.open(name)? else { return Ok(None) };
        let failed = |source| MembersError::Member { member: name.to_owned(), source };
        if member.size > limit {
            return Err(failed(io::ErrorKind::FileTooLarge.into()));
        }
        let mut bytes = Vec::new();
        member.take(limit).read_to_end(&mut bytes).map_err(failed)?;
        Ok(Some(bytes))
    }
}

/// The stream in a file without a name, which goes with its descriptor.
fn spool(mut stream: impl Read, scratch: &Path) -> Result<File, MembersError> {
    let mut file = tempfile::tempfile_in(scratch).map_err(MembersError::Io)?;
    io::copy(&mut stream, &mut file).map_err(MembersError::Io)?;
    file.seek(SeekFrom::Start(0)).map_err(MembersError::Io)?;
    Ok(file)
}

fn open_beneath(directory: &File, name: &str) -> Result<Option<Member>, MembersError> {
    let failed = |source| MembersError::Member { member: name.to_owned(), source };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match rustix::fs::openat2(directory, name, flags, Mode::empty(), resolve) {
        Ok(descriptor) => File::from(descriptor),
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(error) => return Err(failed(error.into())),
    };
    let metadata = file.metadata().map_err(failed)?;
    match metadata.is_file() {
        true => Ok(Some(Member { size: metadata.len(), reader: Box::new(file) })),
        false => Ok(None),
    }
}

/// A tar whose members were found in one pass.
pub(crate) struct TarMembers {
    file: Arc<File>,
    places: HashMap<String, Place>,
}

enum Place {
    File {
        offset: u64,
        size: u64,
    },
    /// The name of the member meant.
    Link(String),
}

impl TarMembers {
    fn read(file: File) -> Result<TarMembers, MembersError> {
        let mut places = HashMap::new();
        let mut archive = tar::Archive::new(&file);
        let mut count = 0;
        for entry in archive.entries_with_seek().map_err(MembersError::NotATar)? {
            let entry = entry.map_err(MembersError::NotATar)?;
            count += 1;
            if count > MEMBERS_MAX {
                return Err(MembersError::TooMany);
            }
            let name = normal(&String::from_utf8_lossy(&entry.path_bytes()));
            let link = entry.link_name_bytes().map(|link| String::from_utf8_lossy(&link).into_owned());
            let place = match (entry.header().entry_type(), link) {
                (tar::EntryType::Regular | tar::EntryType::Continuous, _) => {
                    Place::File { offset: entry.raw_file_position(), size: entry.size() }
                }
                (tar::EntryType::Link, Some(link)) => Place::Link(normal(&link)),
                (tar::EntryType::Symlink, Some(link)) => {
                    let directory = name.rsplit_once('/').map_or("", |(directory, _)| directory);
                    Place::Link(normal(&format!("{directory}/{link}")))
                }
                _ => continue,
            };
            places.insert(name, place);
        }
        drop(archive);
        Ok(TarMembers { file: Arc::new(file), places })
    }

    fn open(&self, name: &str) -> Option<Member> {
        let mut name = name;
        for _ in 0..LINKS_MAX {
            match self.places.get(name)? {
                Place::File { offset, size } => {
                    let section = Section { file: Arc::clone(&self.file), offset: *offset, left: *size };
                    return Some(Member { size: *size, reader: Box::new(section) });
                }
                Place::Link(target) => name = target,
            }
        }
        None
    }
}

/// Some bytes in the middle of a file.
struct Section {
    file: Arc<File>,
    offset: u64,
    left: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.read_at(&mut buffer[..most], self.offset)?;
        if count == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.offset += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

/// The name without `.`, `..` and doubled slashes.
fn normal(name: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The most members that an archive may have.
const MEMBERS_MAX: usize = 100_000;
/// The longest chain of links between members.
const LINKS_MAX: usize = 8;
const BUFFER: usize = 1 << 17;

#[cfg(test)]
mod tests {
    use super::*;

    fn archive() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(5);
        header.set_mode(0o644);
        builder.append_data(&mut header, "a/layer.tar", &b"hello"[..]).unwrap();
        let mut link = tar::Header::new_gnu();
        link.set_entry_type(tar::EntryType::Symlink);
        link.set_size(0);
        builder.append_link(&mut link, "b/layer.tar", "../a/layer.tar").unwrap();
        builder.append_link(&mut link, "c", "c").unwrap();
        builder.into_inner().unwrap()
    }

    fn check(stream: &[u8]) {
        let scratch = tempfile::tempdir().unwrap();
        let members = Members::of_stream(stream, scratch.path()).unwrap();
        for name in ["a/layer.tar", "b/layer.tar"] {
            assert_eq!(members.read(name, 10).unwrap().unwrap(), b"hello", "{name}");
        }
        assert!(members.open("none").unwrap().is_none());
        assert!(members.open("c").unwrap().is_none(), "a link to itself leads nowhere");
        assert!(members.read("a/layer.tar", 4).is_err(), "larger than the limit");
    }

    #[test]
    fn members_of_plain_and_packed_tars() {
        use std::io::Write;
        check(&archive());
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&archive()).unwrap();
        check(&gzip.finish().unwrap());
        check(&zstd::encode_all(&archive()[..], 1).unwrap());
    }

    #[test]
    fn what_is_no_tar_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let garbage = vec![b'x'; 2048];
        assert!(matches!(Members::of_stream(&garbage[..], scratch.path()), Err(MembersError::NotATar(_))));
        let xz = [0xfd, b'7', b'z', b'X', b'Z', 0];
        assert!(matches!(Members::of_stream(&xz[..], scratch.path()), Err(MembersError::Packed("xz"))));
    }

    #[test]
    fn a_directory_is_not_left() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        let inside = outside.path().join("layout");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(inside.join("x"), "hello").unwrap();
        std::os::unix::fs::symlink("../secret", inside.join("link")).unwrap();
        let members = Members::of_path(&inside, outside.path()).unwrap();
        assert_eq!(members.read("x", 10).unwrap().unwrap(), b"hello");
        assert!(members.open("../secret").is_err());
        assert!(members.open("link").is_err());
    }
}
