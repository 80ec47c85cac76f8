//! Who a container's process is: looked up in the image's own files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use tug_oci::user::{self, UserError, UserIds};
use tug_runner::default::User;
use tug_store::view::{EntryKind, Links, View, ViewError};

/// Why the user cannot be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    /// The image's file cannot be found.
    #[error("cannot look into the image's {path}")]
    View {
        /// The file.
        path: &'static str,
        /// Why.
        #[source]
        source: ViewError,
    },
    /// The image's file cannot be read.
    #[error("cannot read the image's {path}")]
    Read {
        /// The file.
        path: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no such user.
    #[error(transparent)]
    User(#[from] UserError),
}

/// The ids that `user[:group]` means in an image.
pub(crate) fn lookup(text: &str, view: &View) -> Result<UserIds, LookupError> {
    let passwd = read(view, "/etc/passwd")?;
    let group = read(view, "/etc/group")?;
    Ok(user::resolve(text, &passwd, &group)?)
}

/// The ids for a process. Its own group is also one of its further groups, so that no file of that group is withheld
/// when the process changes its group.
pub(crate) fn process_user(ids: &UserIds) -> User {
    let others = ids.additional_gids.iter().copied().filter(|gid| *gid != ids.gid);
    User { uid: ids.uid, gid: ids.gid, additional_gids: std::iter::once(ids.gid).chain(others).collect() }
}

/// The text of a small file; empty when there is none.
fn read(view: &View, path: &'static str) -> Result<String, LookupError> {
    let failed = |source| LookupError::View { path, source };
    let entry = view.lookup(Path::new(path), Links::Follow).map_err(failed)?;
    let Some(entry) = entry.filter(|entry| entry.kind == EntryKind::File) else { return Ok(String::new()) };
    let file = File::from(view.open(&entry).map_err(failed)?);
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(|source| LookupError::Read { path, source })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The most that is read of a file of users.
const FILE_BYTES_MAX: u64 = 16 << 20;
