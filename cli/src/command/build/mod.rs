//! `tug build`: builds an image from a Dockerfile.

mod output;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use tug_oci::Platform;

use self::output::Output;
use crate::command_error::CommandError;
use crate::context::Context;
use crate::exit::Exit;

/// Build an image from a Dockerfile
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  tug build -t app:1 .\n  \
    tug build -t registry.example.com/team/app:1 --push .\n  \
    tug build --target tests -o type=local,dest=out .\n  \
    tug build -t app - < Dockerfile   # without a context\n\n\
    RUN steps reach the network as this machine does; --network none cuts it.")]
pub(crate) struct Args {
    /// The build context: a directory, or `-` for a Dockerfile on the standard input
    #[arg(value_name = "PATH|-")]
    context: PathBuf,
    /// Name the result (repeatable)
    #[arg(short, long, value_name = "NAME[:TAG]")]
    tag: Vec<String>,
    /// The Dockerfile; `-` for the standard input [default: PATH/Dockerfile]
    #[arg(short, long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Set an ARG; without a value, from the environment (repeatable)
    #[arg(long, value_name = "NAME[=VALUE]")]
    build_arg: Vec<String>,
    /// Build this stage, by name or number
    #[arg(long, value_name = "STAGE")]
    target: Option<String>,
    /// Set a label of the image (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    label: Vec<String>,
    /// Build for this platform
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// Do not use what earlier builds left
    #[arg(long)]
    no_cache: bool,
    /// Ask the registry for newer base images
    #[arg(long)]
    pull: bool,
    /// The network of RUN steps
    #[arg(long, value_enum, default_value_t = Network::Default)]
    network: Network,
    /// Push each name of the result
    #[arg(long)]
    push: bool,
    /// Export the result: type=oci|docker|tar|local,dest=PATH (`-` for the standard output; a path alone is a
    /// directory to fill) (repeatable)
    #[arg(short, long, value_name = "OUTPUT", value_parser = Output::parse)]
    output: Vec<Output>,
    /// Write the image's id to a file
    #[arg(long, value_name = "FILE")]
    iidfile: Option<PathBuf>,
    /// How progress is shown
    #[arg(long, value_enum, default_value_t = Progress::Auto)]
    progress: Progress,
    /// Print only the image's id
    #[arg(short, long)]
    quiet: bool,
    /// Taken for Docker's sake: the result is always in the store
    #[arg(long, hide = true)]
    load: bool,
    /// Taken for Docker's sake: nothing is kept of a step but its layer
    #[arg(long, hide = true)]
    rm: bool,
    /// Taken for Docker's sake
    #[arg(long, hide = true)]
    force_rm: bool,
}

/// Where RUN steps may connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Network {
    /// As `host`
    Default,
    /// The machine's own network
    Host,
    /// No network
    None,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Progress {
    /// `tty` on a terminal, else `plain`
    Auto,
    /// Everything, line by line
    Plain,
    /// A line a step, redrawn
    Tty,
    /// Nothing but the result
    Quiet,
    /// Events as JSON lines
    #[value(name = "rawjson")]
    RawJson,
}

/// Builds.
pub(crate) fn run(args: Args, context: &Context) -> Result<Exit, CommandError> {
    let _ = (&args, context);
    Ok(Exit::FAILURE)
}
