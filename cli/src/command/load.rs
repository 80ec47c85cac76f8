//! `tug load`: reads images from an archive.

use std::path::PathBuf;

use clap::Parser;

use crate::command_error::CommandError;
use crate::context::Context;
use crate::exit::Exit;

/// Read images from an archive
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  tug load -i app.tar\n  docker save app:1 | tug load\n\n\
    Takes docker archives, OCI archives (both also packed with gzip or zstd) and OCI layout directories.")]
pub(crate) struct Args {
    /// What to read: a file or a directory [default: standard input]
    #[arg(short, long, value_name = "PATH")]
    input: Option<PathBuf>,
    /// Print nothing but the names
    #[arg(short, long)]
    quiet: bool,
}

/// Reads.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let _ = (&args.input, args.quiet, context);
    Ok(Exit::FAILURE)
}
