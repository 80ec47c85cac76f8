//! One directory of a stack: the directories of the layers that make it up, the topmost first.

use std::collections::BTreeSet;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, Result};

use crate::beneath;

/// The parts that are merged; never none.
pub(super) struct Merged {
    parts: Vec<OwnedFd>,
}

/// What stands under a name.
pub(super) struct Found {
    pub(super) stat: Stat,
    /// Where it points, if it is a link.
    pub(super) link: Vec<u8>,
}

impl Merged {
    pub(super) fn new(parts: Vec<OwnedFd>) -> Merged {
        assert!(!parts.is_empty(), "a directory exists in some layer");
        Merged { parts }
    }

    /// How many descriptors it holds.
    pub(super) fn depth(&self) -> usize {
        self.parts.len()
    }

    /// The topmost thing of a name.
    pub(super) fn find(&self, name: &[u8]) -> Result<Option<Found>> {
        for part in &self.parts {
            let Some(stat) = stat_in(part, name)? else { continue };
            if beneath::is_whiteout(&stat) {
                return Ok(None);
            }
            let link = match beneath::kind(&stat) {
                FileType::Symlink => rustix::fs::readlinkat(part, name, Vec::new())?.into_bytes(),
                _ => Vec::new(),
            };
            return Ok(Some(Found { stat, link }));
        }
        Ok(None)
    }

    /// The directory of a name, merged.
    pub(super) fn enter(&self, name: &[u8]) -> Result<Option<Merged>> {
        let mut parts = Vec::new();
        for part in &self.parts {
            match beneath::open_dir(part, name) {
                Ok(below) => {
                    let opaque = beneath::is_opaque(&below)?;
                    parts.push(below);
                    if opaque {
                        break;
                    }
                }
                Err(Errno::NOENT) => {}
                // A file, link or whiteout hides what is below it.
                Err(Errno::NOTDIR | Errno::LOOP) => break,
                Err(error) => return Err(error),
            }
        }
        Ok((!parts.is_empty()).then(|| Merged::new(parts)))
    }

    /// All names, sorted.
    pub(super) fn names(&self) -> Result<Vec<Vec<u8>>> {
        let mut present = BTreeSet::new();
        let mut hidden = BTreeSet::new();
        for part in &self.parts {
            for name in beneath::names(part)? {
                let name = name.into_bytes();
                if present.contains(&name) || hidden.contains(&name) {
                    continue;
                }
                let stat = stat_in(part, &name)?;
                match stat.is_some_and(|stat| beneath::is_whiteout(&stat)) {
                    true => hidden.insert(name),
                    false => present.insert(name),
                };
            }
        }
        Ok(present.into_iter().collect())
    }

    /// The state of the directory itself.
    pub(super) fn stat(&self) -> Result<Stat> {
        rustix::fs::fstat(&self.parts[0])
    }

    /// The directory itself, as its topmost layer has it.
    pub(super) fn open_top(&self) -> Result<OwnedFd> {
        beneath::open_dir(&self.parts[0], b".")
    }

    /// Opens the topmost thing of a name, which is no directory.
    pub(super) fn open_file(&self, name: &[u8], flags: OFlags) -> Result<Option<OwnedFd>> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for part in &self.parts {
            let Some(stat) = stat_in(part, name)? else { continue };
            if beneath::is_whiteout(&stat) {
                return Ok(None);
            }
            let fd = rustix::fs::openat(part, name, flags, Mode::empty())?;
            return Ok(Some(fd));
        }
        Ok(None)
    }
}

fn stat_in(part: &OwnedFd, name: &[u8]) -> Result<Option<Stat>> {
    match rustix::fs::statat(part, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}
