//! `tug login`: keeps the credentials for a registry.

use clap::Parser;

use crate::command_error::CommandError;
use crate::context::Context;
use crate::exit::Exit;

/// Log in to a registry
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  tug login registry.example.com\n  \
    echo \"$TOKEN\" | tug login -u ci --password-stdin registry.example.com\n\n\
    Credentials are kept where Docker keeps them: $DOCKER_CONFIG/config.json or ~/.docker/config.json,\n\
    or in the credential helper that this file names.")]
pub(crate) struct Args {
    /// Host, and port if any [default: Docker Hub]
    server: Option<String>,
    /// Who
    #[arg(short, long)]
    username: Option<String>,
    /// The password or token (seen by others in the list of processes: prefer --password-stdin)
    #[arg(short, long, conflicts_with = "password_stdin")]
    password: Option<String>,
    /// Read the password from the standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
}

/// Checks the credentials with the registry and keeps them.
pub(crate) fn run(args: Args, context: &Context) -> Result<Exit, CommandError> {
    let _ = (args.server, args.username, args.password, args.password_stdin, context);
    Ok(Exit::FAILURE)
}
