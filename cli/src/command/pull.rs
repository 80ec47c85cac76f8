//! `tug pull`: fetches an image from a registry.

use clap::Parser;
use tug_oci::Platform;

use crate::command_error::CommandError;
use crate::context::Context;
use crate::exit::Exit;

/// Fetch an image from a registry
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  tug pull registry.example.com/team/app:1\n  tug pull --platform linux/arm64 alpine"
)]
pub(crate) struct Args {
    /// What to fetch; without tag and digest, `latest`
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    name: String,
    /// Print only the name
    #[arg(short, long)]
    quiet: bool,
    /// Fetch for this platform, where there are several [default: this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
}

/// Fetches.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let _ = (&args.name, args.quiet, &args.platform, context);
    Ok(Exit::FAILURE)
}
