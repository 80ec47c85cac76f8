//! `tug build`: builds an image from a Dockerfile.

mod failure;
mod finish;
mod flag;
mod interrupt;
mod output;
mod request;

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use tug_builder::{NamedContext, Ports};
use tug_oci::{Platform, Reference};
use tug_store::image::Image;

use self::finish::Finish;
use self::interrupt::Interrupt;
use self::output::{Output, OutputKind};
use super::save;
use crate::command_error::{Attempt, CommandError};
use crate::context::Context;
use crate::diagnostic::Diagnostic;
use crate::executor::Sandbox;
use crate::exit::Exit;
use crate::image_source::Source;
use crate::progress::{Progress, Style};
use crate::registries;

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
    /// Do not use what earlier builds left of these stages (repeatable)
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    no_cache_filter: Vec<String>,
    /// Ask the registry for newer base images
    #[arg(long)]
    pull: bool,
    /// The network of RUN steps
    #[arg(long, value_enum, default_value_t = Network::Default)]
    network: Network,
    /// Show a file or variable to RUN --mount=type=secret (repeatable)
    #[arg(long, value_name = "id=ID[,src=FILE|,env=NAME]", value_parser = flag::secret)]
    secret: Vec<flag::SecretSource>,
    /// Another source of files or a base image, under a name (repeatable)
    #[arg(long, value_name = "NAME=DIRECTORY|docker-image://IMAGE", value_parser = flag::build_context)]
    build_context: Vec<(String, NamedContext)>,
    /// Add a line to /etc/hosts of RUN steps (repeatable)
    #[arg(long, value_name = "NAME:ADDRESS", value_parser = flag::add_host)]
    add_host: Vec<(String, String)>,
    /// The host name of RUN steps
    #[arg(long)]
    hostname: Option<String>,
    /// The size of /dev/shm of RUN steps
    #[arg(long, value_name = "BYTES[k|m|g]", value_parser = flag::bytes)]
    shm_size: Option<u64>,
    /// Set a limit of RUN steps (repeatable)
    #[arg(long, value_name = "NAME=SOFT[:HARD]", value_parser = flag::ulimit)]
    ulimit: Vec<(String, u64, u64)>,
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
    #[arg(long, value_enum, default_value_t = ProgressStyle::Auto)]
    progress: ProgressStyle,
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
enum ProgressStyle {
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

/// Builds, names, pushes and exports.
pub(crate) fn run(args: Args, context: &Context) -> Result<Exit, CommandError> {
    let names = names(&args.tag)?;
    let push = args.push || args.output.iter().any(|output| output.kind == OutputKind::Registry);
    if push && names.is_empty() {
        let told = Diagnostic::new("there is no name to push the result to");
        return Err(told.hint("-t gives it one, such as registry.example.com/app:1").into());
    }
    if args.output.iter().any(|output| output.dest.is_none() && output.kind.writes()) {
        save::refuse_terminal()?;
    }
    let interrupt = Interrupt::watch();
    let prepared = request::prepare(&args, context)?;
    let store = context.store()?;
    // Taken before the build's own, so that what it made stays until it has its names.
    let _lease = store.lease()?;
    let progress = Progress::start(style(&args, context), context.stderr_colors());
    let executor = Sandbox::new(context.runtime_dir().join("build"));
    let images = Source::new(store, registries::options(context), &progress);
    let ports = Ports { store, executor: &executor, images: &images, events: &progress };
    let built = match tug_builder::build(&prepared.request, &ports, &interrupt.cancel) {
        Ok(built) => built,
        Err(error) => {
            let failure = progress.finish();
            interrupt.check()?;
            return Err(failure::explain(error, failure, context.stderr_colors()));
        }
    };
    let finished = Finish { image: &built.image, names: &names, store, progress: &progress };
    let result = finished.name().and_then(|()| finished.deliver(&args, push, context));
    progress.finish();
    interrupt.check()?;
    result?;
    report(&args, &built.image, context)?;
    Ok(Exit::SUCCESS)
}

fn names(tags: &[String]) -> Result<Vec<Reference>, CommandError> {
    let mut names: Vec<Reference> = Vec::new();
    for tag in tags {
        let name: Reference = tag.parse()?;
        if name.digest().is_some() {
            return Err(Diagnostic::new(format!("{tag} has a digest, which no tag can have")).into());
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

fn style(args: &Args, context: &Context) -> Style {
    let asked = match (args.progress, context.var("BUILDKIT_PROGRESS")) {
        (ProgressStyle::Auto, Some(text)) => {
            ProgressStyle::from_str(text, true).unwrap_or(ProgressStyle::Auto)
        }
        (asked, _) => asked,
    };
    match asked {
        _ if args.quiet => Style::Quiet,
        ProgressStyle::Auto if io::stderr().is_terminal() => Style::Tty,
        ProgressStyle::Auto | ProgressStyle::Plain => Style::Plain,
        ProgressStyle::Tty => Style::Tty,
        ProgressStyle::Quiet => Style::Quiet,
        ProgressStyle::RawJson => Style::RawJson,
    }
}

/// The id goes where it was asked for.
fn report(args: &Args, image: &Image, context: &Context) -> Result<(), CommandError> {
    let id = image.id().to_string();
    if let Some(path) = &args.iidfile {
        std::fs::write(path, &id).trying(|| format!("cannot write {}", path.display()))?;
    }
    if args.quiet || args.progress == ProgressStyle::Quiet {
        context.line(&id)?;
    }
    Ok(())
}
