//! `tug run`: runs a command in a fresh container of an image.

mod image;
mod plan;
mod relay;
mod volume;

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use nix::sys::signal::Signal;
use tug_oci::Platform;
use tug_runner::{Bundle, ExitStatus, Rootfs, RunError, Stdio};
use tug_store::snapshot::Active;

use self::plan::Plan;
use self::relay::Relay;
use self::volume::Volume;
use crate::command_error::{Attempt, CommandError};
use crate::container::{self, capability};
use crate::context::Context;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::scratch::Scratch;
use crate::terminal::{self, Tie, Typing};

/// Run a command in a fresh container of an image
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  tug run --rm -it alpine sh\n  \
    tug run --rm -v \"$PWD:/src\" -w /src --network host golang go test ./...\n\n\
    In this version a container lasts as long as the command: its files are removed at the end, with and without \
    --rm, and its name is free again. Containers have no network unless --network host is given.\n\n\
    Exit code: the command's own; 125 when tug fails, 126 when the command cannot be executed, 127 when it is not \
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
    /// The container's host name [default: its id; with --network host, this machine's]
    #[arg(short = 'h', long)]
    hostname: Option<String>,
    /// Make the root file system read-only
    #[arg(long)]
    read_only: bool,
    /// Add a capability, or ALL (repeatable)
    #[arg(long, value_name = "CAPABILITY", value_parser = capability::Named::parse)]
    cap_add: Vec<capability::Named>,
    /// Drop a capability, or ALL (repeatable)
    #[arg(long, value_name = "CAPABILITY", value_parser = capability::Named::parse)]
    cap_drop: Vec<capability::Named>,
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
    /// Not there yet
    #[arg(short, long, hide = true)]
    detach: bool,
    /// Not there yet
    #[arg(short, long, hide = true)]
    publish: Vec<String>,
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

/// Runs, and ends as the command does.
pub(crate) fn run(args: Args, context: &Context) -> Result<Exit, CommandError> {
    refuse_what_comes_later(&args)?;
    let relay = Relay::start();
    let store = context.store()?;
    let _lease = store.lease()?;
    let (name, arguments) = args.words.split_first().expect("clap asks for at least one");
    let image = image::find(name, &args, context)?;
    let id = container::name::new_id()?;
    let runtime_dir = context.runtime_dir();
    let name = args.name.clone().unwrap_or_else(|| id[..12].to_owned());
    let _name = container::name::hold(&name, &runtime_dir)?;
    let active =
        store.snapshots().prepare(image.diff_ids()).trying(|| "cannot prepare the root file system")?;
    Scratch::sweep(&runtime_dir);
    let scratch = Scratch::new(&runtime_dir)?;
    let view = store.snapshots().view(image.diff_ids()).trying(|| "cannot look into the image")?;
    let plan = Plan { args: &args, arguments, image: &image, view: &view, scratch: scratch.path(), id: &id };
    let bundle = Bundle { rootfs: rootfs(&active), spec: plan.spec(context)? };
    let status = attend(&args, &bundle, &relay)?;
    Ok(Exit(status.code()))
}

fn rootfs(active: &Active) -> Rootfs {
    match active.lowers().is_empty() {
        true => Rootfs::Dir(active.upper().to_owned()),
        false => Rootfs::Overlay {
            lowers: active.lowers().to_vec(),
            upper: active.upper().to_owned(),
            work: active.work().to_owned(),
        },
    }
}

/// Runs the container with its streams tied to ours, and hands signals on.
fn attend(args: &Args, bundle: &Bundle, relay: &Relay) -> Result<ExitStatus, CommandError> {
    let stdio = stdio(args, &relay.tie)?;
    let raw = if args.tty && args.interactive { terminal::raw_mode() } else { None };
    relay.container_runs();
    let ended = tug_runner::run(bundle, stdio, &relay.cancel);
    relay.tie.drain();
    drop(raw);
    ended.map_err(|error| match error {
        RunError::Cancelled => CommandError::Interrupted(Signal::SIGINT as i32),
        error => {
            let exit = Exit(error.code());
            CommandError::from(error).trying("cannot run the container").map(|told| told.exit(exit))
        }
    })
}

fn stdio(args: &Args, tie: &Tie) -> Result<Stdio, CommandError> {
    if args.tty {
        if args.interactive && !io::stdin().is_terminal() {
            let told = Diagnostic::new("the standard input is no terminal, which -t needs");
            return Err(told.hint("leave -t out, or -i").into());
        }
        let typing = if args.interactive { Typing::Forwarded } else { Typing::Ignored };
        let tie = tie.clone();
        return Ok(Stdio::Terminal(Box::new(move |terminal| {
            // Without its terminal shown, the container still runs.
            let _ = tie.attach(terminal, typing);
        })));
    }
    if args.interactive {
        return Ok(Stdio::Inherit);
    }
    let ours = |fd: BorrowedFd<'_>| fd.try_clone_to_owned().trying(|| "cannot hand the output on");
    Ok(Stdio::Piped { stdin: None, stdout: ours(io::stdout().as_fd())?, stderr: ours(io::stderr().as_fd())? })
}

/// What Docker has and this version has not is refused in words, not as an unknown flag.
fn refuse_what_comes_later(args: &Args) -> Result<(), CommandError> {
    let (what, hint) = match args {
        Args { detach: true, .. } => {
            ("-d: containers that outlast the command are", "`&` runs it in the background")
        }
        Args { publish, .. } if !publish.is_empty() => {
            ("-p: ports are", "--network host shows all that it listens on")
        }
        _ => return Ok(()),
    };
    Err(Diagnostic::new(format!("{what} not there yet in this version")).hint(hint).into())
}
