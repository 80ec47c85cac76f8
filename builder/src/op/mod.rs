//! Ops: what the vertices of a build's graph do, as plain values.

mod copy;
mod exec;
mod print;

use std::sync::Arc;

use tug_oci::Reference;
use tug_solver::{KeyBuilder, Nature};
use tug_store::image::Image;

pub use copy::{Chmod, ChmodError, CopyFile, CopyOp, Unpack};
pub use exec::{CacheMount, CacheStart, ExecOp, OpMount, OpMountSource, SecretMount, SecretTarget};

/// What a vertex does.
#[derive(Clone, Debug)]
pub enum Op {
    /// The files of an image. No inputs.
    Image(ImageOp),
    /// A directory that people edit. No inputs.
    Context(ContextOp),
    /// No files at all. No inputs.
    Scratch,
    /// Runs a process. Inputs: the root, then what its mounts say.
    Exec(Box<ExecOp>),
    /// Copies files. Inputs: what to copy onto, and, unless all sources are in the op, what to copy from.
    Copy(Box<CopyOp>),
    /// Makes a directory, where it is not. Input: the root.
    Directory(DirectoryOp),
}

/// The files of an image.
#[derive(Clone, Debug)]
pub struct ImageOp {
    /// What it was asked for as.
    pub reference: Reference,
    /// The image.
    pub image: Arc<Image>,
}

/// A directory that people edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextOp {
    /// Its name: empty for the build context, else that of a named one.
    pub name: String,
}

/// Makes a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryOp {
    /// Its absolute path.
    pub path: String,
    /// Whose it is when it has to be made; root's when `None`.
    pub user: Option<String>,
    /// Later times become this one.
    pub epoch: Option<i64>,
}

impl tug_solver::Op for Op {
    fn define(&self, key: &mut KeyBuilder) {
        match self {
            Op::Image(op) => {
                key.text("image").texts(op.image.diff_ids().iter().map(ToString::to_string));
            }
            Op::Context(op) => {
                key.text("context").text(&op.name);
            }
            Op::Scratch => {
                key.text("scratch");
            }
            Op::Exec(op) => op.define(key.text("exec 1")),
            Op::Copy(op) => op.define(key.text("copy 1")),
            Op::Directory(op) => {
                key.text("directory 1").text(&op.path);
                option(key, op.user.as_deref());
                epoch(key, op.epoch);
            }
        }
    }

    fn nature(&self) -> Nature {
        match self {
            Op::Image(_) | Op::Scratch => Nature::Pinned,
            Op::Context(_) => Nature::Volatile,
            Op::Exec(_) | Op::Copy(_) | Op::Directory(_) => Nature::Step,
        }
    }
}

fn option(key: &mut KeyBuilder, text: Option<&str>) {
    match text {
        Some(text) => key.number(1).text(text),
        None => key.number(0),
    };
}

fn epoch(key: &mut KeyBuilder, epoch: Option<i64>) {
    option(key, epoch.map(|epoch| epoch.to_string()).as_deref());
}
