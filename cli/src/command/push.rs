//! `tug push`: sends an image to a registry.

use clap::Parser;

use crate::command_error::CommandError;
use crate::context::Context;
use crate::exit::Exit;

/// Send an image to a registry
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  tug push registry.example.com/team/app:1")]
pub(crate) struct Args {
    /// The image, by the name it is to have there
    #[arg(value_name = "NAME[:TAG]")]
    name: String,
    /// Print only the name
    #[arg(short, long)]
    quiet: bool,
}

/// Sends.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let _ = (&args.name, args.quiet, context);
    Ok(Exit::FAILURE)
}
