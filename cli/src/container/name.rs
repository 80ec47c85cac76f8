//! Names and ids of running containers. A name is held by a locked file, so a killed process holds none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

/// Why a name cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NameError {
    /// Characters that no name may have.
    #[error(
        "container name {0:?} is malformed: letters, digits, `_`, `.` and `-`, the first a letter or digit, at least 2"
    )]
    Malformed(String),
    /// Somebody has it.
    #[error("container name {0:?} is in use by a running container")]
    Taken(String),
    /// The file cannot be made.
    #[error("cannot lock {path}")]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No random number is to be had.
    #[error("cannot read random numbers")]
    Random(#[source] io::Error),
}

/// A name that no other running container has, until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    path: PathBuf,
    _lock: File,
}

impl Drop for Held {
    fn drop(&mut self) {
        // A file that is left behind does no harm: it is not locked.
        let _ = fs::remove_file(&self.path);
    }
}

/// Takes a name.
pub(crate) fn hold(name: &str, runtime_dir: &Path) -> Result<Held, NameError> {
    if !is_name(name) {
        return Err(NameError::Malformed(name.to_owned()));
    }
    let directory = runtime_dir.join("names");
    let path = directory.join(name);
    let failed = |source| NameError::Lock { path: path.clone(), source };
    fs::create_dir_all(&directory).map_err(failed)?;
    for _ in 0..ATTEMPTS_MAX {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(NameError::Taken(name.to_owned())),
            Err(error) => return Err(failed(error.into())),
        }
        // Its last owner may have removed the file between our two calls: then the lock is on nothing.
        let same = |there: &fs::Metadata| {
            use std::os::unix::fs::MetadataExt;
            file.metadata().is_ok_and(|ours| ours.ino() == there.ino() && ours.dev() == there.dev())
        };
        if fs::metadata(&path).is_ok_and(|there| same(&there)) {
            return Ok(Held { path, _lock: file });
        }
    }
    Err(NameError::Taken(name.to_owned()))
}

/// A new container id: 64 hex digits.
pub(crate) fn new_id() -> Result<String, NameError> {
    let mut bytes = [0; 32];
    let mut random = File::open("/dev/urandom").map_err(NameError::Random)?;
    random.read_exact(&mut bytes).map_err(NameError::Random)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() >= 2
        && bytes.len() <= NAME_LEN_MAX
        && bytes[0].is_ascii_alphanumeric()
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(b))
}

const NAME_LEN_MAX: usize = 128;
const ATTEMPTS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_had_once() {
        let directory = tempfile::tempdir().unwrap();
        let held = hold("web", directory.path()).unwrap();
        assert!(matches!(hold("web", directory.path()), Err(NameError::Taken(_))));
        assert!(hold("web2", directory.path()).is_ok());
        drop(held);
        assert!(hold("web", directory.path()).is_ok());
    }

    #[test]
    fn a_name_is_no_path() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["", "a", "../x", "a/b", ".hidden", "a b"] {
            assert!(matches!(hold(name, directory.path()), Err(NameError::Malformed(_))), "{name:?}");
        }
    }

    #[test]
    fn ids_differ() {
        let (one, other) = (new_id().unwrap(), new_id().unwrap());
        assert_eq!(one.len(), 64);
        assert_ne!(one, other);
    }
}
