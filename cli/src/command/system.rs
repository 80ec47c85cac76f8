//! `tug system …`: Docker's other names for the verbs about the store.

use clap::{Parser, Subcommand};

use super::{df, prune};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::exit::Exit;

/// The verbs about the store: df, prune
#[derive(Debug, Parser)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Df(df::Args),
    Prune(prune::Args),
}

/// Does what the verb says.
pub(crate) fn run(args: Args, context: &Context) -> Result<Exit, CommandError> {
    match args.verb {
        Verb::Df(args) => df::run(&args, context),
        Verb::Prune(args) => prune::run(&args, context),
    }
}
