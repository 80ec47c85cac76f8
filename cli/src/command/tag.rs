//! `tug tag`: gives an image another name.

use clap::Parser;
use tug_oci::Reference;

use crate::command_error::{Attempt, CommandError};
use crate::context::Context;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::listing;

/// Give an image another name
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  tug tag app:1 registry.example.com/team/app:1")]
pub(crate) struct Args {
    /// The image: a name, an id or the start of one
    #[arg(value_name = "SOURCE_IMAGE[:TAG]")]
    source: String,
    /// Its new name
    #[arg(value_name = "TARGET_IMAGE[:TAG]")]
    target: String,
}

/// Gives an image another name.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let target: Reference = args.target.parse()?;
    if target.digest().is_some() {
        return Err(Diagnostic::new(format!("{} has a digest, which no tag can have", args.target)).into());
    }
    let store = context.store()?;
    let _lease = store.lease()?;
    let found = store.images().find(&args.source).trying(|| format!("cannot find image {}", args.source))?;
    let listed = found.ok_or_else(|| listing::no_such_image(&args.source))?;
    store.names().set(&target, &listed.target).trying(|| format!("cannot set the name {}", args.target))?;
    Ok(Exit::SUCCESS)
}
