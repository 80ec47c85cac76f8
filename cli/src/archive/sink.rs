//! Where the members of an archive go: into a tar, or into a directory.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Takes the members of an archive, each once.
pub(crate) trait Sink {
    /// Adds a directory; its parents were added before.
    fn directory(&mut self, name: &str) -> io::Result<()>;

    /// Adds a file of `size` bytes.
    fn file(&mut self, name: &str, size: u64, content: &mut dyn Read) -> io::Result<()>;

    /// Ends the archive.
    fn finish(&mut self) -> io::Result<()>;
}

/// A tar, always the same bytes for the same members.
pub(crate) struct TarSink<W: Write> {
    builder: tar::Builder<W>,
}

impl<W: Write> TarSink<W> {
    /// A tar that is written to `out`.
    pub(crate) fn new(out: W) -> TarSink<W> {
        TarSink { builder: tar::Builder::new(out) }
    }
}

impl<W: Write> Sink for TarSink<W> {
    fn directory(&mut self, name: &str) -> io::Result<()> {
        let mut header = header(tar::EntryType::Directory, 0o755, 0);
        self.builder.append_data(&mut header, format!("{name}/"), io::empty())
    }

    fn file(&mut self, name: &str, size: u64, content: &mut dyn Read) -> io::Result<()> {
        let mut header = header(tar::EntryType::Regular, 0o644, size);
        let mut exact = Exact { inner: content, left: size };
        self.builder.append_data(&mut header, name, &mut exact)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.builder.finish()?;
        self.builder.get_mut().flush()
    }
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header
}

/// A directory that is filled.
pub(crate) struct DirSink {
    root: PathBuf,
}

impl DirSink {
    /// Makes the directory, which may be there already if it is empty.
    pub(crate) fn create(root: &Path) -> io::Result<DirSink> {
        fs::create_dir_all(root)?;
        if fs::read_dir(root)?.next().is_some() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        Ok(DirSink { root: root.to_owned() })
    }
}

impl Sink for DirSink {
    fn directory(&mut self, name: &str) -> io::Result<()> {
        fs::create_dir(self.root.join(name))
    }

    fn file(&mut self, name: &str, size: u64, content: &mut dyn Read) -> io::Result<()> {
        let mut file = fs::File::create_new(self.root.join(name))?;
        io::copy(&mut Exact { inner: content, left: size }, &mut file)?;
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads just as many bytes as were announced; fewer are an error, more are not read.
struct Exact<'a> {
    inner: &'a mut dyn Read,
    left: u64,
}

impl Read for Exact<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        match self.inner.read(&mut buffer[..most])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.left -= count as u64;
                Ok(count)
            }
        }
    }
}
