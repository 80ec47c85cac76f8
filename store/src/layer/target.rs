//! The directory that a layer is unpacked into. Links that the layer itself makes are followed inside it only, by
//! descriptor; what is made here stays below it.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid};
use rustix::io::Errno;

use super::apply::ApplyError;
use super::leaning::Leaning;
use crate::beneath;
use crate::tarball::{Member, Time, shown};

/// A layer's directory while it is filled.
pub(super) struct Target {
    root: OwnedFd,
    /// Directories by their real path; `None` for one that has no entry of its own (so far).
    dirs: BTreeMap<Vec<u8>, Option<Member>>,
    /// Hard links to files that are not in this layer: real path and target.
    links: Vec<(Vec<u8>, Vec<u8>)>,
    /// Where the last member went: archives hold the members of a directory side by side.
    last: Option<(Vec<u8>, Rc<Place>)>,
    uid: u32,
    gid: u32,
}

/// A directory within the target.
pub(super) struct Place {
    /// Its path from the root, without links.
    pub(super) path: Vec<u8>,
    pub(super) fd: OwnedFd,
}

/// A file of the layer: the directory that it is in, and its state.
pub(super) struct Found {
    pub(super) parent: OwnedFd,
    pub(super) stat: Stat,
}

impl Target {
    pub(super) fn new(root: OwnedFd) -> Target {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Target { root, dirs: BTreeMap::new(), links: Vec::new(), last: None, uid, gid }
    }

    /// The directory that a cleaned path leads to, links followed inside the root; made where it is not there.
    pub(super) fn place(&mut self, path: &[u8]) -> Result<Rc<Place>, ApplyError> {
        if let Some((known, place)) = &self.last
            && known == path
        {
            return Ok(Rc::clone(place));
        }
        let place = Rc::new(match beneath::open(&self.root, path, DIRECTORY) {
            Ok(fd) => Place { path: path.to_owned(), fd },
            Err(Errno::LOOP | Errno::NOENT | Errno::NOTDIR) => {
                let real = self.resolve(path)?;
                self.make_dirs(real, path)?
            }
            Err(errno) => return Err(ApplyError::io("open the folder of", path, errno)),
        });
        self.last = Some((path.to_owned(), Rc::clone(&place)));
        Ok(place)
    }

    /// Where a cleaned path leads, its last part included, as far as links of this layer decide it.
    pub(super) fn resolve(&self, path: &[u8]) -> Result<Vec<u8>, ApplyError> {
        let mut rest: VecDeque<Vec<u8>> = parts(path).map(<[u8]>::to_vec).collect();
        let mut real: Vec<u8> = Vec::new();
        let mut links = 0;
        while let Some(part) = rest.pop_front() {
            match part.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    real.truncate(beneath::split(&real).0.len());
                    continue;
                }
                _ => {}
            }
            let next = beneath::join(&real, &part);
            let Some(target) = self.read_link(&next, path)? else {
                real = next;
                continue;
            };
            links += 1;
            if links > beneath::SYMLINKS_MAX {
                return Err(ApplyError::LinkLoop(shown(path)));
            }
            if target.starts_with(b"/") {
                real.clear();
            }
            for part in target.split(|byte| *byte == b'/').rev() {
                rest.push_front(part.to_vec());
            }
            if rest.len() > PARTS_MAX {
                return Err(ApplyError::LinkLoop(shown(path)));
            }
        }
        Ok(real)
    }

    /// The target of the link at `real`; `None` when it is no link or not there.
    fn read_link(&self, real: &[u8], path: &[u8]) -> Result<Option<Vec<u8>>, ApplyError> {
        let fd = match beneath::open(&self.root, real, OFlags::PATH | OFlags::NOFOLLOW) {
            Ok(fd) => fd,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(errno) => return Err(ApplyError::io("look up", path, errno)),
        };
        let stat = rustix::fs::fstat(&fd).map_err(|errno| ApplyError::io("look up", path, errno))?;
        if beneath::kind(&stat) != FileType::Symlink {
            return Ok(None);
        }
        let target = rustix::fs::readlinkat(&fd, "", Vec::new());
        target
            .map(|target| Some(target.into_bytes()))
            .map_err(|errno| ApplyError::io("read the link", path, errno))
    }

    /// Makes what is missing of a path without links.
    fn make_dirs(&mut self, real: Vec<u8>, path: &[u8]) -> Result<Place, ApplyError> {
        if real.len() > beneath::PATH_BYTES_MAX {
            return Err(ApplyError::PathTooLong(shown(path)));
        }
        let mut fd = rustix::fs::openat(&self.root, ".", DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| ApplyError::io("open the folder of", path, errno))?;
        let mut end = 0;
        for part in parts(&real) {
            end += part.len() + usize::from(end > 0);
            fd = self.enter(fd.as_fd(), part, &real[..end], path)?;
        }
        Ok(Place { path: real, fd })
    }

    fn enter(
        &mut self,
        parent: rustix::fd::BorrowedFd<'_>,
        part: &[u8],
        real: &[u8],
        path: &[u8],
    ) -> Result<OwnedFd, ApplyError> {
        let failed = |errno| ApplyError::io("make a folder for", path, errno);
        let flags = DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || rustix::fs::openat(parent, part, flags, Mode::empty());
        match open() {
            Ok(fd) => return Ok(fd),
            Err(Errno::NOENT) => {
                rustix::fs::mkdirat(parent, part, Mode::RWXU).map_err(failed)?;
                self.dirs.insert(real.to_owned(), None);
                self.forget_link(real);
            }
            Err(Errno::NOTDIR | Errno::LOOP) => {
                let stat = rustix::fs::statat(parent, part, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
                if !beneath::is_whiteout(&stat) {
                    return Err(ApplyError::NotADirectory { path: shown(path), file: shown(real) });
                }
                self.replace_by_dir(parent, part, path)?;
                self.dirs.insert(real.to_owned(), None);
            }
            Err(errno) => return Err(failed(errno)),
        }
        open().map_err(failed)
    }

    /// A directory where this layer had something else, which hid what is below it: so must the directory.
    fn replace_by_dir(
        &mut self,
        parent: rustix::fd::BorrowedFd<'_>,
        name: &[u8],
        path: &[u8],
    ) -> Result<(), ApplyError> {
        let failed = |errno| ApplyError::io("make the folder", path, errno);
        rustix::fs::unlinkat(parent, name, AtFlags::empty()).map_err(failed)?;
        rustix::fs::mkdirat(parent, name, Mode::RWXU).map_err(failed)?;
        let fd = beneath::open_dir(parent, name).map_err(failed)?;
        self.last = None;
        beneath::set_opaque(fd).map_err(failed)
    }

    /// A directory with an entry of its own. One that is there keeps its content.
    pub(super) fn dir(&mut self, place: &Place, name: &[u8], member: Member) -> Result<(), ApplyError> {
        let real = beneath::join(&place.path, name);
        let failed = |errno| ApplyError::io("make the folder", &member.path, errno);
        match rustix::fs::mkdirat(&place.fd, name, Mode::RWXU) {
            Ok(()) => self.forget_link(&real),
            Err(Errno::EXIST) => {
                let stat = rustix::fs::statat(&place.fd, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
                if beneath::kind(&stat) != FileType::Directory {
                    self.replace_by_dir(place.fd.as_fd(), name, &member.path)?;
                }
            }
            Err(errno) => return Err(failed(errno)),
        }
        self.dirs.insert(real, Some(member));
        Ok(())
    }

    /// Removes what this layer put at a place so far.
    pub(super) fn clear(&mut self, place: &Place, name: &[u8], member: &[u8]) -> Result<(), ApplyError> {
        let real = beneath::join(&place.path, name);
        let c_name =
            std::ffi::CString::new(name).map_err(|_| ApplyError::io("replace", member, Errno::INVAL))?;
        crate::tree::remove_at(place.fd.as_fd(), &c_name).map_err(|error| {
            let errno = error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error);
            ApplyError::io("replace", member, errno)
        })?;
        let below = [&real[..], b"/"].concat();
        let after = [&real[..], b"0"].concat(); // the byte after the slash: past all that is below
        self.dirs.remove(&real);
        let gone: Vec<Vec<u8>> =
            self.dirs.range(below.clone()..after).map(|(path, _)| path.clone()).collect();
        for path in gone {
            self.dirs.remove(&path);
        }
        self.links.retain(|(link, _)| *link != real && !link.starts_with(&below));
        self.last = None;
        Ok(())
    }

    /// A link to a file of a layer below.
    pub(super) fn lean_on(&mut self, path: Vec<u8>, target: Vec<u8>) -> Result<(), ApplyError> {
        if self.links.len() >= LEANING_LINKS_MAX {
            return Err(ApplyError::TooManyEntries);
        }
        self.forget_link(&path);
        self.links.push((path, target));
        Ok(())
    }

    /// What is made at a place takes the place of a link to below that was meant to be there.
    pub(super) fn forget_link(&mut self, path: &[u8]) {
        if !self.links.is_empty() {
            self.links.retain(|(link, _)| link != path);
        }
    }

    /// Whether a path is such a link, and to what.
    pub(super) fn leaning_link(&self, path: &[u8]) -> bool {
        self.links.iter().any(|(link, _)| link == path)
    }

    /// The file at a real path; `None` when it is not in this layer.
    pub(super) fn find(&self, real: &[u8], member: &[u8]) -> Result<Option<Found>, ApplyError> {
        let (folder, name) = beneath::split(real);
        let found = beneath::open(&self.root, folder, DIRECTORY).and_then(|parent| {
            let stat = rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
            Ok(Found { parent, stat })
        });
        match found {
            Ok(found) => Ok(Some(found)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(errno) => Err(ApplyError::io("look up the target of", member, errno)),
        }
    }

    /// Gives an open file its owner, mode, attributes and time, in the order that loses none of them.
    pub(super) fn dress(&self, fd: impl AsFd, member: &Member) -> Result<(), ApplyError> {
        let failed = |errno| ApplyError::io("set owner, mode or time of", &member.path, errno);
        if (member.uid, member.gid) != (self.uid, self.gid) {
            let (uid, gid) = (Uid::from_raw(member.uid), Gid::from_raw(member.gid));
            rustix::fs::fchown(&fd, Some(uid), Some(gid)).map_err(failed)?;
        }
        // The kernel takes the right to write from who may not, also for attributes: the mode comes after them,
        // and after the owner, whose change clears the bits that set ids.
        set_xattrs(&fd, member)?;
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(member.mode)).map_err(failed)?;
        rustix::fs::futimens(&fd, &times(member.mtime)).map_err(failed)
    }

    /// The same for what cannot be opened: links, devices, pipes.
    pub(super) fn dress_special(
        &self,
        place: &Place,
        name: &[u8],
        member: &Member,
    ) -> Result<(), ApplyError> {
        let failed = |errno| ApplyError::io("set owner, mode or time of", &member.path, errno);
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        if (member.uid, member.gid) != (self.uid, self.gid) {
            let (uid, gid) = (Uid::from_raw(member.uid), Gid::from_raw(member.gid));
            rustix::fs::chownat(&place.fd, name, Some(uid), Some(gid), nofollow).map_err(failed)?;
        }
        if !member.xattrs.is_empty() {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let fd = rustix::fs::openat(&place.fd, name, flags, Mode::empty()).map_err(failed)?;
            set_xattrs(&fd, member)?;
        }
        if member.kind != crate::tarball::Kind::Symlink {
            // Just made and no link, so nothing is followed here.
            let mode = Mode::from_raw_mode(member.mode);
            rustix::fs::chmodat(&place.fd, name, mode, AtFlags::empty()).map_err(failed)?;
        }
        rustix::fs::utimensat(&place.fd, name, &times(member.mtime), nofollow).map_err(failed)
    }

    /// A link comes after its target: one whose target came later meant another file, or none.
    fn check_links(&self) -> Result<(), ApplyError> {
        for (path, target) in &self.links {
            let found = self.find(target, path)?;
            if found.is_some_and(|found| !beneath::is_whiteout(&found.stat)) {
                let why = "it comes later in the layer";
                return Err(ApplyError::HardLink { path: shown(path), target: shown(target), why });
            }
        }
        Ok(())
    }

    /// Dresses the directories, the deepest first, and says how the layer leans on what is below.
    pub(super) fn finish(self) -> Result<Leaning, ApplyError> {
        // Root's, where the process is root (of its own user namespace); nobody else can give files away.
        let mut implied_member = Member::new(Vec::new(), crate::tarball::Kind::Dir, 0o755);
        (implied_member.uid, implied_member.gid) = (self.uid, self.gid);
        let mut implied = Vec::new();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        for (path, member) in self.dirs.iter().rev() {
            let fd = beneath::open(&self.root, path, flags)
                .map_err(|errno| ApplyError::io("open the folder", path, errno))?;
            if member.is_none() {
                implied.push(path.clone());
            }
            self.dress(fd, member.as_ref().unwrap_or(&implied_member))?;
        }
        self.dress(&self.root, &implied_member)?;
        self.check_links()?;
        implied.reverse();
        Ok(Leaning { implied, links: self.links })
    }
}

fn set_xattrs(fd: impl AsFd, member: &Member) -> Result<(), ApplyError> {
    for (name, value) in member.xattrs.iter().filter(|(name, _)| beneath::is_image_xattr(name)) {
        match beneath::set_xattr(&fd, name, value) {
            Ok(()) => {}
            // What the kernel allows on files and directories only says nothing on others.
            Err(Errno::PERM | Errno::NOTSUP) if !has_xattrs(member) => {}
            Err(errno) => {
                let (path, name) = (shown(&member.path), shown(name));
                return Err(ApplyError::Xattr { path, name, source: errno.into() });
            }
        }
    }
    Ok(())
}

fn has_xattrs(member: &Member) -> bool {
    use crate::tarball::Kind;
    matches!(member.kind, Kind::File | Kind::Dir)
}

fn times(mtime: Time) -> Timestamps {
    let time = Timespec { tv_sec: mtime.secs, tv_nsec: i64::from(mtime.nanos) };
    Timestamps { last_access: time, last_modification: time }
}

fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty())
}

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);
/// Parts of a path while links in it are followed.
const PARTS_MAX: usize = 16 << 10;
const LEANING_LINKS_MAX: usize = 100_000;
