//! `tug fsck`: holds the store against its own rules.

use clap::Parser;

use crate::command_error::{Attempt, CommandError};
use crate::context::Context;
use crate::exit::Exit;

/// Check the store: every digest computed anew, every name followed to its layers
#[derive(Debug, Parser)]
#[command(
    after_help = "Example:\n  tug fsck && echo sound\n\nExit code: 0 when the store is sound, 1 when it is not."
)]
pub(crate) struct Args {
    /// Print only what is wrong
    #[arg(short, long)]
    quiet: bool,
}

/// Checks, and lists what is wrong.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let report = context.store()?.fsck().trying(|| "cannot check the store")?;
    for problem in &report.problems {
        context.line(problem)?;
    }
    let sound = report.problems.is_empty();
    if !args.quiet {
        let verdict = match report.problems.len() {
            0 => "sound".to_owned(),
            1 => "1 problem".to_owned(),
            count => format!("{count} problems"),
        };
        let checked =
            format!("{} blobs, {} layers, {} names checked", report.blobs, report.layers, report.names);
        context.line(format!("{checked}: {verdict}"))?;
    }
    Ok(if sound { Exit::SUCCESS } else { Exit::FAILURE })
}
