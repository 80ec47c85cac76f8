//! The files of an image, all layers applied, as a tar or as a directory.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;
use tug_store::view::{Entry, EntryKind, Links, View, ViewError};

/// Why the files cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RootfsError {
    /// The image cannot be read.
    #[error("cannot read {path} of the image")]
    Read {
        /// The entry.
        path: PathBuf,
        /// Why.
        #[source]
        source: ViewError,
    },
    /// An entry cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The entry.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Writes the files as a tar.
pub(crate) fn write_tar(view: &View, out: &mut dyn Write) -> Result<(), RootfsError> {
    let mut builder = tar::Builder::new(out);
    let mut linked: HashMap<(u64, u64), PathBuf> = HashMap::new();
    walk(view, &mut |entry| append(view, entry, &mut builder, &mut linked))?;
    let failed = |source| RootfsError::Write { path: PathBuf::new(), source };
    builder.finish().map_err(failed)
}

/// Writes the files into a directory, which is made. They belong to the user who runs this; devices are left out.
pub(crate) fn write_directory(view: &View, destination: &Path) -> Result<(), RootfsError> {
    let failed = |source| RootfsError::Write { path: destination.to_owned(), source };
    std::fs::create_dir_all(destination).map_err(failed)?;
    let root = OwnedFd::from(File::open(destination).map_err(failed)?);
    let mut directories = Vec::new();
    walk(view, &mut |entry| {
        if entry.kind == EntryKind::Dir {
            directories.push((relative(&entry.path).to_owned(), entry.stat));
        }
        place(view, entry, &root)
    })?;
    // What a directory may do and when it was changed is set when nothing more goes into it.
    for (path, stat) in directories.iter().rev() {
        let failed = |error: Errno| RootfsError::Write { path: path.clone(), source: error.into() };
        let directory = open_beneath(&root, path).map_err(failed)?;
        rustix::fs::fchmod(&directory, Mode::from_raw_mode(stat.st_mode & MODE_BITS)).map_err(failed)?;
        rustix::fs::futimens(&directory, &times(stat)).map_err(failed)?;
    }
    Ok(())
}

type Visit<'a> = dyn FnMut(&Entry) -> Result<(), RootfsError> + 'a;

/// Visits all entries, directories before what is in them, sorted; the root first.
fn walk(view: &View, visit: &mut Visit<'_>) -> Result<(), RootfsError> {
    let mut todo = vec![PathBuf::from("/")];
    while let Some(path) = todo.pop() {
        let failed = |source| RootfsError::Read { path: path.clone(), source };
        let Some(entry) = view.lookup(&path, Links::Keep).map_err(failed)? else { continue };
        visit(&entry)?;
        if entry.kind == EntryKind::Dir {
            let names = view.read_dir(&entry).map_err(failed)?;
            todo.extend(names.into_iter().rev().map(|name| path.join(name)));
        }
    }
    Ok(())
}

fn append(
    view: &View,
    entry: &Entry,
    builder: &mut tar::Builder<&mut dyn Write>,
    linked: &mut HashMap<(u64, u64), PathBuf>,
) -> Result<(), RootfsError> {
    let path = relative(&entry.path);
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    let failed = |source: io::Error| RootfsError::Write { path: path.to_owned(), source };
    let read = |source| RootfsError::Read { path: entry.path.clone(), source };
    let mut header = header(entry);
    if entry.kind == EntryKind::File && entry.stat.st_nlink > 1 {
        let inode = (entry.stat.st_dev, entry.stat.st_ino);
        if let Some(first) = linked.get(&inode) {
            header.set_entry_type(tar::EntryType::Link);
            header.set_size(0);
            return builder.append_link(&mut header, path, first).map_err(failed);
        }
        linked.insert(inode, path.to_owned());
    }
    let xattrs = view.xattrs(entry).map_err(read)?;
    let names: Vec<String> =
        xattrs.iter().map(|(name, _)| format!("SCHILY.xattr.{}", name.to_string_lossy())).collect();
    let records = names.iter().zip(&xattrs).map(|(name, (_, value))| (name.as_str(), value.as_slice()));
    builder.append_pax_extensions(records).map_err(failed)?;
    match &entry.kind {
        EntryKind::Symlink(target) => builder.append_link(&mut header, path, target).map_err(failed),
        EntryKind::File => {
            let file = File::from(view.open(entry).map_err(read)?);
            builder.append_data(&mut header, path, file).map_err(failed)
        }
        EntryKind::Dir => builder.append_data(&mut header, path.join(""), io::empty()).map_err(failed),
        EntryKind::Special => match FileType::from_raw_mode(entry.stat.st_mode) {
            // A socket means nothing without the process behind it.
            FileType::Socket => Ok(()),
            _ => builder.append_data(&mut header, path, io::empty()).map_err(failed),
        },
    }
}

fn header(entry: &Entry) -> tar::Header {
    let stat = &entry.stat;
    let mut header = tar::Header::new_gnu();
    header.set_mode(stat.st_mode & MODE_BITS);
    header.set_uid(stat.st_uid.into());
    header.set_gid(stat.st_gid.into());
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
    header.set_size(0);
    let kind = match (&entry.kind, FileType::from_raw_mode(stat.st_mode)) {
        (EntryKind::File, _) => {
            header.set_size(u64::try_from(stat.st_size).unwrap_or(0));
            tar::EntryType::Regular
        }
        (EntryKind::Dir, _) => tar::EntryType::Directory,
        (EntryKind::Symlink(_), _) => tar::EntryType::Symlink,
        (_, FileType::Fifo) => tar::EntryType::Fifo,
        (_, FileType::BlockDevice) => tar::EntryType::Block,
        _ => tar::EntryType::Char,
    };
    header.set_entry_type(kind);
    if matches!(kind, tar::EntryType::Block | tar::EntryType::Char) {
        // A GNU header has room for both numbers.
        let _ = header.set_device_major(rustix::fs::major(stat.st_rdev));
        let _ = header.set_device_minor(rustix::fs::minor(stat.st_rdev));
    }
    header
}

fn place(view: &View, entry: &Entry, root: &OwnedFd) -> Result<(), RootfsError> {
    let path = relative(&entry.path);
    let Some(name) = path.file_name() else { return Ok(()) };
    let failed = |error: Errno| RootfsError::Write { path: path.to_owned(), source: error.into() };
    let parent = open_beneath(root, path.parent().unwrap_or(Path::new(""))).map_err(failed)?;
    if entry.kind != EntryKind::Dir {
        match rustix::fs::unlinkat(&parent, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    match &entry.kind {
        EntryKind::Dir => match rustix::fs::mkdirat(&parent, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(failed(error)),
        },
        EntryKind::Symlink(target) => {
            rustix::fs::symlinkat(target, &parent, name).map_err(failed)?;
            rustix::fs::utimensat(&parent, name, &times(&entry.stat), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(failed)
        }
        EntryKind::File => copy(view, entry, &parent, name),
        EntryKind::Special => Ok(()),
    }
}

fn copy(view: &View, entry: &Entry, parent: &OwnedFd, name: &OsStr) -> Result<(), RootfsError> {
    let failed = |source: io::Error| RootfsError::Write { path: relative(&entry.path).to_owned(), source };
    let read = |source| RootfsError::Read { path: entry.path.clone(), source };
    let mut from = File::from(view.open(entry).map_err(read)?);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let to =
        rustix::fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR).map_err(|e| failed(e.into()))?;
    let mut to = File::from(to);
    io::copy(&mut from, &mut to).map_err(failed)?;
    let mode = Mode::from_raw_mode(entry.stat.st_mode & MODE_BITS);
    rustix::fs::fchmod(&to, mode).map_err(|error| failed(error.into()))?;
    rustix::fs::futimens(&to, &times(&entry.stat)).map_err(|error| failed(error.into()))
}

/// A directory of the destination, no link followed on the way.
fn open_beneath(root: &OwnedFd, path: &Path) -> Result<OwnedFd, Errno> {
    let path = if path.as_os_str().is_empty() { OsStr::from_bytes(b".") } else { path.as_os_str() };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(root, path, flags, Mode::empty(), resolve)
}

fn times(stat: &rustix::fs::Stat) -> Timestamps {
    #[expect(clippy::cast_possible_wrap, clippy::allow_attributes, reason = "nanoseconds are below 2^30")]
    let nanoseconds = stat.st_mtime_nsec as i64;
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: stat.st_mtime, tv_nsec: nanoseconds },
    }
}

fn relative(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

/// Permissions, set-id bits and the sticky bit.
const MODE_BITS: u32 = 0o7777;
