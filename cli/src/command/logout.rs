//! `tug logout`: forgets the credentials for a registry.

use clap::Parser;

use super::login;
use crate::command_error::{Attempt, CommandError};
use crate::context::Context;
use crate::exit::Exit;
use crate::registries;

/// Log out of a registry
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  tug logout registry.example.com")]
pub(crate) struct Args {
    /// Host, and port if any [default: Docker Hub]
    server: Option<String>,
}

/// Forgets.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let registry = login::registry(args.server.as_deref());
    let file = registries::credential_file(context)?;
    match file.erase(&registry).trying(|| format!("cannot log out of {registry}"))? {
        true => context.line(format!("Removing login credentials for {registry}"))?,
        false => context.line(format!("Not logged in to {registry}"))?,
    }
    Ok(Exit::SUCCESS)
}
