//! Where the members of an image archive are found: an archive read once and kept, or a directory.
//!
//! An archive may come from a pipe, with its table of contents at the end; so all its members are kept as they come,
//! the small ones in memory, the large ones in the content store, where most of them are to go anyway.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use rustix::fd::OwnedFd;
use rustix::fs::OFlags;
use rustix::io::Errno;
use tug_oci::{Descriptor, Digest};

use super::load::LoadError;
use crate::beneath;
use crate::content::ContentStore;
use crate::tarball::{Kind, TarReader, shown};

/// The members of an archive, or the files of a directory.
pub(super) enum Members {
    Archive(HashMap<Vec<u8>, Kept>),
    Directory(OwnedFd),
}

/// A member.
pub(super) enum Kept {
    Bytes(Vec<u8>),
    Blob(Digest, u64),
    /// Another name of a member.
    Alias(Vec<u8>),
}

/// A member that can be read.
struct Opened<'a> {
    input: Box<dyn Read + 'a>,
    size: u64,
}

impl Members {
    /// Reads an archive to its end.
    pub(super) fn of_archive(content: &ContentStore, input: impl BufRead) -> Result<Members, LoadError> {
        let mut reader = TarReader::new(input);
        let mut members = HashMap::new();
        let mut in_memory = 0;
        while let Some(member) = reader.next_member()? {
            let name = shown(&member.path);
            let path =
                beneath::clean(&member.path).ok_or_else(|| LoadError::Climbs { member: name.clone() })?;
            let kept = match member.kind {
                Kind::File if member.size <= SMALL_BYTES_MAX && in_memory < MEMORY_BYTES_MAX => {
                    in_memory += member.size;
                    Kept::Bytes(read_all(&mut reader).map_err(|source| LoadError::Read { name, source })?)
                }
                Kind::File => keep(content, &mut reader, name)?,
                Kind::Symlink => Kept::Alias(alias(beneath::split(&path).0, &member.link, name)?),
                Kind::HardLink => Kept::Alias(alias(&[], &member.link, name)?),
                _ => continue,
            };
            if members.len() >= MEMBERS_MAX {
                return Err(LoadError::TooManyMembers);
            }
            members.insert(path, kept);
        }
        Ok(Members::Archive(members))
    }

    /// Whether there is a member of that name.
    pub(super) fn contains(&self, path: &str) -> Result<bool, LoadError> {
        match self {
            Members::Archive(_) => Ok(self.find(path)?.is_some()),
            Members::Directory(root) => Ok(open(root, path)?.is_some()),
        }
    }

    /// A small member, at most `limit` bytes.
    pub(super) fn bytes(
        &self,
        content: &ContentStore,
        path: &str,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, LoadError> {
        let Some(Opened { input, size }) = self.open(content, path)? else { return Ok(None) };
        if size > limit {
            return Err(LoadError::TooLarge { member: path.to_owned(), size, limit });
        }
        let mut bytes = Vec::new();
        let read = input.take(limit).read_to_end(&mut bytes);
        read.map_err(|source| LoadError::Read { name: path.to_owned(), source })?;
        Ok(Some(bytes))
    }

    /// Puts a member into the content store, as the blob that `wanted` describes.
    pub(super) fn ingest_as(
        &self,
        content: &ContentStore,
        path: &str,
        wanted: &Descriptor,
    ) -> Result<(), LoadError> {
        if let Members::Archive(_) = self
            && let Some(Kept::Blob(digest, size)) = self.find(path)?
            && (digest, *size) == (&wanted.digest, wanted.size)
        {
            return Ok(());
        }
        let opened = self.open(content, path)?;
        let mut input = opened.ok_or_else(|| LoadError::Missing { member: path.to_owned() })?.input;
        let mut ingest = content.ingest_hashed(wanted.digest.algorithm())?;
        let copied = io::copy(&mut (&mut input).take(wanted.size.saturating_add(1)), &mut ingest);
        copied.map_err(|source| LoadError::Read { name: path.to_owned(), source })?;
        Ok(ingest.commit_as(&wanted.digest, wanted.size)?)
    }

    /// Puts a member into the content store, whatever it is.
    pub(super) fn ingest(&self, content: &ContentStore, path: &str) -> Result<(Digest, u64), LoadError> {
        if let Members::Archive(_) = self
            && let Some(Kept::Blob(digest, size)) = self.find(path)?
        {
            return Ok((digest.clone(), *size));
        }
        let opened = self.open(content, path)?;
        let mut input = opened.ok_or_else(|| LoadError::Missing { member: path.to_owned() })?.input;
        let mut ingest = content.ingest()?;
        io::copy(&mut input, &mut ingest)
            .map_err(|source| LoadError::Read { name: path.to_owned(), source })?;
        Ok(ingest.commit()?)
    }

    fn open<'a>(&'a self, content: &ContentStore, path: &str) -> Result<Option<Opened<'a>>, LoadError> {
        match self {
            Members::Archive(_) => match self.find(path)? {
                Some(Kept::Bytes(bytes)) => {
                    Ok(Some(Opened { size: bytes.len() as u64, input: Box::new(&bytes[..]) }))
                }
                Some(Kept::Blob(digest, size)) => {
                    let blob = content.open(digest)?;
                    let blob = blob.ok_or_else(|| LoadError::Missing { member: path.to_owned() })?;
                    Ok(Some(Opened { size: *size, input: Box::new(blob) }))
                }
                Some(Kept::Alias(_)) | None => Ok(None),
            },
            Members::Directory(root) => Ok(open(root, path)?.map(|(file, size)| Opened {
                size,
                input: Box::new(BufReader::with_capacity(READ_BYTES, file)),
            })),
        }
    }

    /// A member of an archive, with aliases followed.
    fn find(&self, path: &str) -> Result<Option<&Kept>, LoadError> {
        let Members::Archive(members) = self else { return Ok(None) };
        let mut at =
            beneath::clean(path.as_bytes()).ok_or_else(|| LoadError::Climbs { member: path.to_owned() })?;
        for _ in 0..ALIASES_MAX {
            match members.get(&at) {
                Some(Kept::Alias(to)) => at.clone_from(to),
                found => return Ok(found),
            }
        }
        Ok(None)
    }
}

/// A file of a layout directory. Links lead nowhere.
fn open(root: &OwnedFd, path: &str) -> Result<Option<(File, u64)>, LoadError> {
    let failed = |source| LoadError::Read { name: path.to_owned(), source };
    let file = match beneath::open(root, path.as_bytes(), OFlags::RDONLY | OFlags::NONBLOCK) {
        Ok(fd) => File::from(fd),
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(errno) => return Err(failed(errno.into())),
    };
    let metadata = file.metadata().map_err(failed)?;
    match metadata.is_file() {
        true => Ok(Some((file, metadata.len()))),
        false => Err(LoadError::NotAFile { member: path.to_owned() }),
    }
}

fn read_all(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn keep<R: BufRead>(
    content: &ContentStore,
    reader: &mut TarReader<R>,
    name: String,
) -> Result<Kept, LoadError> {
    let mut ingest = content.ingest()?;
    loop {
        let bytes = reader.content()?;
        let len = bytes.len();
        if len == 0 {
            break;
        }
        io::Write::write_all(&mut ingest, bytes)
            .map_err(|source| LoadError::Read { name: name.clone(), source })?;
        reader.consume(len);
    }
    let (digest, size) = ingest.commit()?;
    Ok(Kept::Blob(digest, size))
}

fn alias(folder: &[u8], to: &[u8], name: String) -> Result<Vec<u8>, LoadError> {
    let to = if to.starts_with(b"/") { to.to_vec() } else { beneath::join(folder, to) };
    beneath::clean(&to).ok_or(LoadError::Climbs { member: name })
}

const SMALL_BYTES_MAX: u64 = 64 << 10;
const MEMORY_BYTES_MAX: u64 = 64 << 20;
const MEMBERS_MAX: usize = 100_000;
/// Old docker archives link a layer that several images share, never through more than one link.
const ALIASES_MAX: u32 = 8;
const READ_BYTES: usize = 256 << 10;
