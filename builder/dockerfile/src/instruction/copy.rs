//! `COPY` and `ADD`.

use crate::heredoc::Heredoc;
use crate::word::Word;

/// `COPY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// What to copy, in order; at least one.
    pub sources: Vec<CopySource>,
    /// Where to; a folder where it ends with a slash.
    pub destination: Word,
    /// `--from`: a stage, an image or a named context instead of the build context.
    pub from: Option<Word>,
    /// `--chown`: user and group of what is copied.
    pub chown: Option<Word>,
    /// `--chmod`: its mode.
    pub chmod: Option<Word>,
    /// `--link`: into a layer of its own that does not look at what lies below.
    pub link: bool,
    /// `--parents`: keep the sources' folders.
    pub parents: bool,
    /// `--exclude`: patterns of paths to leave out.
    pub exclude: Vec<Word>,
}

/// `ADD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Add {
    /// What to add, in order; at least one. A path may also be a URL or a git reference.
    pub sources: Vec<CopySource>,
    /// Where to; a folder where it ends with a slash.
    pub destination: Word,
    /// `--chown`: user and group of what is added.
    pub chown: Option<Word>,
    /// `--chmod`: its mode.
    pub chmod: Option<Word>,
    /// `--link`: into a layer of its own that does not look at what lies below.
    pub link: bool,
    /// `--exclude`: patterns of paths to leave out.
    pub exclude: Vec<Word>,
    /// `--checksum`: the digest that a remote source must have.
    pub checksum: Option<Word>,
    /// `--unpack`: whether archives are unpacked; when not given, local ones are and remote ones are not.
    pub unpack: Option<bool>,
    /// `--keep-git-dir`: whether `.git` of a git source is kept.
    pub keep_git_dir: Option<bool>,
}

/// A source of `COPY` or `ADD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopySource {
    /// A path with wildcards, or what else the instruction takes.
    Path(Word),
    /// A file given in the Dockerfile itself.
    Heredoc(Heredoc),
}
