//! Images as archives: docker archives and OCI layouts, as a tar or as a directory, both ways.
//!
//! Knows the store and OCI values and nothing else of this crate.

mod export;
mod import;
mod members;
mod rootfs;
mod sink;

pub(crate) use export::{Export, ExportError, Layout, export};
pub(crate) use import::import;
pub(crate) use members::Members;
pub(crate) use rootfs::{write_directory, write_tar};
pub(crate) use sink::{DirSink, Sink, TarSink};
