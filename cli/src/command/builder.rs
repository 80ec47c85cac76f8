//! `tug builder …`: Docker's other names for building and its cache.

use clap::{Parser, Subcommand};
use tug_store::gc::Policy;

use super::{build, prune};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::exit::Exit;

/// Building and its cache: build, prune
#[derive(Debug, Parser)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Build(Box<build::Args>),
    Prune(PruneArgs),
}

/// Remove the build cache
#[derive(Debug, Parser)]
struct PruneArgs {
    /// Taken for Docker's sake: the whole cache goes
    #[arg(short, long)]
    all: bool,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

/// Does what the verb says.
pub(crate) fn run(args: Args, context: &Context) -> Result<Exit, CommandError> {
    match args.verb {
        Verb::Build(args) => build::run(*args, context),
        Verb::Prune(args) => {
            let policy = Policy { cache: true, ..Policy::default() };
            prune::collect(&policy, &["the build cache"], args.force, context)
        }
    }
}
