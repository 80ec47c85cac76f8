//! `tug load`: reads images from an archive.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Parser;
use tug_store::archive;

use crate::command_error::{Attempt, CommandError};
use crate::context::Context;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::listing;

/// Read images from an archive
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  tug load -i app.tar\n  docker save app:1 | tug load\n\n\
    Takes docker archives, OCI archives (both also packed with gzip or zstd) and OCI layout directories.")]
pub(crate) struct Args {
    /// What to read: a file or a directory [default: standard input]
    #[arg(short, long, value_name = "PATH")]
    input: Option<PathBuf>,
    /// Taken for Docker's sake: there is no progress to keep quiet about
    #[arg(short, long)]
    quiet: bool,
}

/// Reads.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    if args.input.is_none() && io::stdin().is_terminal() {
        let told = Diagnostic::new("the standard input is a terminal, which holds no archive");
        return Err(told.hint("name a file with -i, or redirect the input").into());
    }
    let store = context.store()?;
    let _lease = store.lease()?;
    let shown =
        args.input.as_ref().map_or("the standard input".to_owned(), |path| path.display().to_string());
    let attempt = || format!("cannot load {shown}");
    let loaded = match &args.input {
        Some(path) => archive::read_path(store, path),
        None => archive::read(store, io::stdin()),
    };
    for image in loaded.trying(attempt)? {
        if image.names.is_empty() {
            let read = listing::read(store, &image.descriptor).trying(attempt)?;
            context.line(format!("Loaded image ID: {}", read.id()))?;
        }
        for name in &image.names {
            context.line(format!("Loaded image: {}", name.familiar()))?;
        }
    }
    Ok(Exit::SUCCESS)
}
