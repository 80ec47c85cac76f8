//! `tug image …`: Docker's other names for the verbs that are about images.

use clap::{Parser, Subcommand};
use tug_store::gc::Policy;

use super::{build, history, images, inspect, load, prune, pull, push, rmi, save, tag};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::exit::Exit;

/// The verbs about images: build, history, inspect, load, ls, prune, pull, push, rm, save, tag
#[derive(Debug, Parser)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Build(Box<build::Args>),
    History(history::Args),
    Inspect(inspect::Args),
    Load(load::Args),
    #[command(alias = "list")]
    Ls(images::Args),
    Prune(PruneArgs),
    Pull(pull::Args),
    Push(push::Args),
    #[command(alias = "remove")]
    Rm(rmi::Args),
    Save(save::Args),
    Tag(tag::Args),
}

/// Remove images without a name
#[derive(Debug, Parser)]
struct PruneArgs {
    /// Remove all images, not only those without a name
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
        Verb::History(args) => history::run(&args, context),
        Verb::Inspect(args) => inspect::run(&args, context),
        Verb::Load(args) => load::run(&args, context),
        Verb::Ls(args) => images::run(&args, context),
        Verb::Prune(args) => {
            let goes = if args.all { "all images" } else { "all images without a name" };
            let policy = Policy { dangling: true, all_images: args.all, ..Policy::default() };
            prune::collect(&policy, &[goes], args.force, context)
        }
        Verb::Pull(args) => pull::run(&args, context),
        Verb::Push(args) => push::run(&args, context),
        Verb::Rm(args) => rmi::run(&args, context),
        Verb::Save(args) => save::run(&args, context),
        Verb::Tag(args) => tag::run(&args, context),
    }
}
