//! `tug save`: writes images as an archive.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::command_error::CommandError;
use crate::context::Context;
use crate::exit::Exit;

/// Write images as an archive
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  tug save -o app.tar app:1 app:2\n  tug save app:1 | ssh host docker load\n  \
    tug save --format oci -o layout/ app:1   # a directory"
)]
pub(crate) struct Args {
    /// Names, ids or starts of ids
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    /// Where to write: a file, or a directory where the path is one or ends in `/` [default: standard output]
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// docker: plain layers, read by `docker load` and by OCI tools; oci: an OCI layout with gzip layers
    #[arg(long, value_enum, default_value_t = Format::Docker)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
enum Format {
    Docker,
    Oci,
}

/// Writes.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let _ = (&args.images, &args.output, args.format, context);
    Ok(Exit::FAILURE)
}
