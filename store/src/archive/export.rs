//! A file system out: the layers merged, as one tar or as files in a directory.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;
use tug_oci::DiffId;

use crate::snapshot::PrepareError;
use crate::tarball::{Kind, Member, TarWriter};
use crate::view::{Entry, EntryKind, View, ViewError};
use crate::{Store, beneath};

/// Why a file system cannot be written out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The layers.
    #[error("cannot put the layers together")]
    Prepare(#[from] PrepareError),
    /// A file in them.
    #[error("cannot read the image's files")]
    View(#[from] ViewError),
    /// A file of the image, or the tar it goes to.
    #[error("cannot copy {path} of the image")]
    Copy {
        /// The file, from the image's root.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// A file that is made.
    #[error("cannot {doing} {path}")]
    Write {
        /// What was attempted.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
}

/// Writes the merged file system as one tar, in the same canonical form as a layer's. Gives its size.
pub fn flatten(store: &Store, layers: &[DiffId], out: impl Write) -> Result<u64, ExportError> {
    let view = store.snapshots().view(layers)?;
    let mut tar = TarWriter::new(io::BufWriter::with_capacity(BUFFER_BYTES, out));
    let mut names: HashMap<(u64, u64), Vec<u8>> = HashMap::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    for entry in view.entries() {
        let entry = entry?;
        let failed = |source| ExportError::Copy { path: entry.path.clone(), source };
        let Some(mut member) = member(&view, &entry)? else { continue };
        if member.kind != Kind::Dir && entry.stat.st_nlink > 1 {
            let file = (entry.stat.st_dev, entry.stat.st_ino);
            if let Some(first) = names.get(&file) {
                let link = Member { kind: Kind::HardLink, link: first.clone(), size: 0, ..member };
                tar.whole(&Member { xattrs: Vec::new(), ..link }, &[]).map_err(failed)?;
                continue;
            }
            names.insert(file, member.path.clone());
        }
        if member.kind != Kind::File {
            tar.whole(&member, &[]).map_err(failed)?;
            continue;
        }
        let mut file = File::from(view.open(&entry)?);
        member.size = file.metadata().map_err(failed)?.len();
        tar.member(&member).map_err(failed)?;
        loop {
            let len = file.read(&mut buffer).map_err(failed)?;
            if len == 0 {
                break;
            }
            tar.content(&buffer[..len]).map_err(failed)?;
        }
        tar.end_content(&member).map_err(failed)?;
    }
    tar.finish().map_err(|source| ExportError::Copy { path: PathBuf::from("/"), source })
}

fn member(view: &View, entry: &Entry) -> Result<Option<Member>, ExportError> {
    let stat = &entry.stat;
    let kind = match beneath::kind(stat) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Dir,
        FileType::Symlink => Kind::Symlink,
        FileType::CharacterDevice => Kind::Char,
        FileType::BlockDevice => Kind::Block,
        FileType::Fifo => Kind::Fifo,
        FileType::Socket | FileType::Unknown => return Ok(None),
    };
    let mut path = entry.path.as_os_str().as_bytes().to_vec();
    if kind == Kind::Dir {
        path.push(b'/');
    }
    let mut member = Member::new(path, kind, stat.st_mode & 0o7777);
    (member.uid, member.gid) = (stat.st_uid, stat.st_gid);
    member.mtime.secs = stat.st_mtime;
    if let EntryKind::Symlink(target) = &entry.kind {
        member.link = target.as_os_str().as_bytes().to_vec();
    }
    if matches!(kind, Kind::Char | Kind::Block) {
        member.device = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    }
    let xattrs = view.xattrs(entry)?.into_iter();
    member.xattrs = xattrs.map(|(name, value)| (name.into_vec(), value)).collect();
    Ok(Some(member))
}

/// Writes the merged file system into a directory, which is made where it is not there. Files that are there already
/// are replaced, folders are filled. What is made belongs to who runs this; devices are left out.
pub fn export_dir(store: &Store, layers: &[DiffId], directory: &Path) -> Result<(), ExportError> {
    let view = store.snapshots().view(layers)?;
    let failed = |source| ExportError::Write { doing: "make", path: directory.to_owned(), source };
    std::fs::create_dir_all(directory).map_err(failed)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(directory, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
    let mut export = Export { view: &view, root, directory, names: HashMap::new() };
    let mut folders = Vec::new();
    for entry in view.entries() {
        let entry = entry?;
        export.put(&entry)?;
        if entry.kind == EntryKind::Dir {
            folders.push(entry);
        }
    }
    // What is put into a folder changes its time, and its mode may keep out even its owner.
    folders.iter().rev().try_for_each(|folder| export.dress(folder))
}

struct Export<'a> {
    view: &'a View,
    root: OwnedFd,
    directory: &'a Path,
    /// Files with several names: the first.
    names: HashMap<(u64, u64), Vec<u8>>,
}

impl Export<'_> {
    fn put(&mut self, entry: &Entry) -> Result<(), ExportError> {
        let path = entry.path.as_os_str().as_bytes();
        let (folder, name) = beneath::split(path);
        let failed = |errno: Errno| self.error("make", &entry.path, errno.into());
        let parent = beneath::open(&self.root, folder, OFlags::PATH | OFlags::DIRECTORY).map_err(failed)?;
        if entry.kind == EntryKind::Dir {
            return match rustix::fs::mkdirat(&parent, name, Mode::RWXU) {
                Err(Errno::EXIST) => beneath::open_dir(&parent, name).map(drop).map_err(failed),
                made => made.map_err(failed),
            };
        }
        match rustix::fs::unlinkat(&parent, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(self.error("replace", &entry.path, errno.into())),
        }
        let file = (entry.stat.st_dev, entry.stat.st_ino);
        if entry.stat.st_nlink > 1
            && let Some(first) = self.names.get(&file)
        {
            return rustix::fs::linkat(&self.root, first, &parent, name, AtFlags::empty()).map_err(failed);
        }
        match &entry.kind {
            EntryKind::Symlink(target) => {
                rustix::fs::symlinkat(target, &parent, name).map_err(failed)?;
                let times = times(entry);
                rustix::fs::utimensat(&parent, name, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
            }
            EntryKind::File => self.file(entry, &parent, name)?,
            _ => return Ok(()),
        }
        if entry.stat.st_nlink > 1 {
            self.names.insert(file, path.to_vec());
        }
        Ok(())
    }

    fn file(&self, entry: &Entry, parent: &OwnedFd, name: &[u8]) -> Result<(), ExportError> {
        let failed = |errno: Errno| self.error("write", &entry.path, errno.into());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
        let (mut from, mut to) = (File::from(self.view.open(entry)?), File::from(fd));
        // Between files this asks the kernel to share or copy the bytes itself.
        io::copy(&mut from, &mut to).map_err(|source| self.error("write", &entry.path, source))?;
        rustix::fs::fchmod(&to, Mode::from_raw_mode(entry.stat.st_mode & 0o7777)).map_err(failed)?;
        rustix::fs::futimens(&to, &times(entry)).map_err(failed)
    }

    fn dress(&self, folder: &Entry) -> Result<(), ExportError> {
        let failed = |errno: Errno| self.error("set mode and time of", &folder.path, errno.into());
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let fd = beneath::open(&self.root, folder.path.as_os_str().as_bytes(), flags).map_err(failed)?;
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(folder.stat.st_mode & 0o7777)).map_err(failed)?;
        rustix::fs::futimens(&fd, &times(folder)).map_err(failed)
    }

    fn error(&self, doing: &'static str, path: &Path, source: io::Error) -> ExportError {
        ExportError::Write { doing, path: self.directory.join(path), source }
    }
}

fn times(entry: &Entry) -> Timestamps {
    let time = Timespec { tv_sec: entry.stat.st_mtime, tv_nsec: entry.stat.st_mtime_nsec.cast_signed() };
    Timestamps { last_access: time, last_modification: time }
}

const BUFFER_BYTES: usize = 256 << 10;
