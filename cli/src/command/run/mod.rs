//! `tug run`: runs a command in a fresh container of an image.

mod volume;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use tug_oci::Platform;

use self::volume::Volume;
use crate::command_error::CommandError;
use crate::context::Context;
use crate::exit::Exit;

/// Run a command in a fresh container of an image
#[derive(Debug, Parser)]
#[command(disable_help_flag = true)]
#[command(after_help = "Examples:\n  tug run --rm -it alpine sh\n  \
    tug run --rm -v \"$PWD:/src\" -w /src --network host golang go test ./...\n\n\
    In this version a container lasts as long as the command: its files are removed at the end, with and without\n\
    --rm, and its name is free again. Containers have no network unless --network host is given.\n\n\
    Exit code: the command's own; 125 when tug fails, 126 when the command cannot be executed, 127 when it is not\n\
    found.")]
pub(crate) struct Args {
    /// The image (a name, an id or the start of one), then a command and its arguments
    #[arg(required = true, num_args = 1.., trailing_var_arg = true, value_names = ["IMAGE", "COMMAND"])]
    words: Vec<String>,
    /// Remove the container at the end (always so in this version)
    #[arg(long)]
    rm: bool,
    /// Keep the standard input open
    #[arg(short, long)]
    interactive: bool,
    /// Give the command a terminal
    #[arg(short, long)]
    tty: bool,
    /// Set an environment variable; without a value, this one's (repeatable)
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Set the variables that a file lists (repeatable)
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Show a directory or file of this machine in the container (repeatable)
    #[arg(short, long, value_name = "SOURCE:TARGET[:ro]", value_parser = Volume::parse)]
    volume: Vec<Volume>,
    /// Mount an empty file system in memory (repeatable)
    #[arg(long, value_name = "TARGET[:OPTIONS]")]
    tmpfs: Vec<String>,
    /// Start in this directory
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// Run as this user: names or numbers
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Run this instead of the image's entry point; empty: none
    #[arg(long, value_name = "COMMAND")]
    entrypoint: Option<String>,
    /// The network
    #[arg(long, visible_alias = "net", value_enum, default_value_t = Network::None)]
    network: Network,
    /// Name the container: no two that run have the same
    #[arg(long)]
    name: Option<String>,
    /// The container's host name [default: its id]
    #[arg(short = 'h', long)]
    hostname: Option<String>,
    /// Make the root file system read-only
    #[arg(long)]
    read_only: bool,
    /// Add a capability, or ALL (repeatable)
    #[arg(long, value_name = "CAPABILITY")]
    cap_add: Vec<String>,
    /// Drop a capability, or ALL (repeatable)
    #[arg(long, value_name = "CAPABILITY")]
    cap_drop: Vec<String>,
    /// Give the container a label (repeatable)
    #[arg(short, long, value_name = "KEY=VALUE")]
    label: Vec<String>,
    /// When to fetch the image
    #[arg(long, value_enum, default_value_t = Pull::Missing)]
    pull: Pull,
    /// Run the image for this platform
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// Do not show the progress of a pull
    #[arg(short, long)]
    quiet: bool,
    /// Show this help
    #[arg(long, action = clap::ArgAction::HelpLong)]
    help: Option<bool>,
}

/// What the container may connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Network {
    /// Nothing but itself
    None,
    /// All that this machine can
    Host,
}

/// When the image is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Pull {
    /// Always
    Always,
    /// When it is not here
    Missing,
    /// Never
    Never,
}

/// Runs.
pub(crate) fn run(args: Args, context: &Context) -> Result<Exit, CommandError> {
    let _ = (&args, context);
    Ok(Exit::FAILURE)
}
