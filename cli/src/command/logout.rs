//! `tug logout`: forgets the credentials for a registry.

use clap::Parser;

use crate::command_error::CommandError;
use crate::context::Context;
use crate::exit::Exit;

/// Log out of a registry
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  tug logout registry.example.com")]
pub(crate) struct Args {
    /// Host, and port if any [default: Docker Hub]
    server: Option<String>,
}

/// Forgets.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let _ = (&args.server, context);
    Ok(Exit::FAILURE)
}
