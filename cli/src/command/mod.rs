//! The verbs: a file each, with its arguments and what it does.

pub(crate) mod build;
mod builder;
mod df;
mod fsck;
mod history;
mod image;
mod images;
mod inspect;
mod load;
mod login;
mod logout;
mod prune;
mod pull;
mod push;
mod rmi;
pub(crate) mod run;
mod save;
mod system;
mod tag;
mod version;

use clap::Subcommand;

use crate::command_error::CommandError;
use crate::context::Context;
use crate::exit::Exit;

/// A verb and its arguments.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Build(build::Args),
    Run(run::Args),
    Pull(pull::Args),
    Push(push::Args),
    #[command(visible_alias = "ls")]
    Images(images::Args),
    Tag(tag::Args),
    Rmi(rmi::Args),
    Inspect(inspect::Args),
    History(history::Args),
    Save(save::Args),
    Load(load::Args),
    Login(login::Args),
    Logout(logout::Args),
    Df(df::Args),
    Prune(prune::Args),
    Fsck(fsck::Args),
    Version(version::Args),
    Image(image::Args),
    #[command(alias = "buildx")]
    Builder(builder::Args),
    System(system::Args),
}

impl Command {
    /// Does what the verb says.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, CommandError> {
        match self {
            Command::Build(args) => build::run(args, context),
            Command::Run(args) => run::run(args, context),
            Command::Pull(args) => pull::run(&args, context),
            Command::Push(args) => push::run(&args, context),
            Command::Images(args) => images::run(&args, context),
            Command::Tag(args) => tag::run(&args, context),
            Command::Rmi(args) => rmi::run(&args, context),
            Command::Inspect(args) => inspect::run(&args, context),
            Command::History(args) => history::run(&args, context),
            Command::Save(args) => save::run(&args, context),
            Command::Load(args) => load::run(&args, context),
            Command::Login(args) => login::run(args, context),
            Command::Logout(args) => logout::run(&args, context),
            Command::Df(args) => df::run(&args, context),
            Command::Prune(args) => prune::run(&args, context),
            Command::Fsck(args) => fsck::run(&args, context),
            Command::Version(args) => version::run(&args, context),
            Command::Image(args) => image::run(args, context),
            Command::Builder(args) => builder::run(args, context),
            Command::System(args) => system::run(args, context),
        }
    }

    /// What a failure that has no exit code of its own ends with.
    pub(crate) fn failure_exit(&self) -> Exit {
        match self {
            Command::Run(_) => Exit::USAGE,
            _ => Exit::FAILURE,
        }
    }
}
