//! A file's bytes from one descriptor to another, by the cheapest way there is.

use std::fs::File;
use std::io;

use rustix::io::Errno;

/// Copies all of `from` into the empty file `to`: shared blocks where the file system has them, then a copy within
/// the kernel, then a plain one.
pub(super) fn copy(from: &File, to: &File) -> io::Result<()> {
    if rustix::fs::ioctl_ficlone(to, from).is_ok() {
        return Ok(());
    }
    loop {
        match rustix::fs::copy_file_range(from, None, to, None, CHUNK) {
            Ok(0) => return plain(from, to),
            Ok(_) => {}
            Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL | Errno::PERM | Errno::BADF) => {
                return plain(from, to);
            }
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// From where both files stand. After a whole copy there is nothing left, but some file systems report an end where
/// there is none, so that the end is always read here.
fn plain(mut from: &File, mut to: &File) -> io::Result<()> {
    io::copy(&mut from, &mut to).map(drop)
}

const CHUNK: usize = 1 << 30;
