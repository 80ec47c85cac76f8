//! `tug push`: sends an image to a registry.

use std::io::{self, IsTerminal};

use clap::Parser;
use tug_oci::Reference;
use tug_registry::{Client, Progress, Pushed, Silent};
use tug_store::Store;

use super::pull;
use crate::command_error::{Attempt, CommandError};
use crate::context::Context;
use crate::exit::Exit;
use crate::transfers::{Direction, Shown, Transfers};
use crate::{listing, registries};

/// Send an image to a registry
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  tug push registry.example.com/team/app:1\n\n\
    Registries on this machine, and those that TUG_INSECURE_REGISTRIES lists (host[:port],…), are also spoken to \
    without TLS.")]
pub(crate) struct Args {
    /// The image, by the name it is to have there
    #[arg(value_name = "NAME[:TAG]")]
    name: String,
    /// Print only the name
    #[arg(short, long)]
    quiet: bool,
}

/// Sends.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let reference: Reference = args.name.parse()?;
    let client = registries::client(context)?;
    let store = context.store()?;
    let _lease = store.lease()?;
    if args.quiet {
        send(&reference, store, &client, &Silent)?;
        context.line(reference.to_string())?;
        return Ok(Exit::SUCCESS);
    }
    if !pull::has_tag(&args.name) {
        context.line("Using default tag: latest")?;
    }
    context.line(format!(
        "The push refers to repository [{}/{}]",
        reference.registry(),
        reference.repository()
    ))?;
    let shown = if io::stdout().is_terminal() { Shown::Redrawn } else { Shown::Lines };
    let transfers = Transfers::new(Direction::Push, shown);
    let sent = send(&reference, store, &client, &transfers);
    transfers.finish();
    let descriptor = sent?.descriptor;
    let tag = reference.tag().unwrap_or_default();
    context.line(format!("{tag}: digest: {} size: {}", descriptor.digest, descriptor.size))?;
    Ok(Exit::SUCCESS)
}

/// Sends an image, and remembers under which digest the registry has it.
pub(super) fn send(
    reference: &Reference,
    store: &Store,
    client: &Client,
    progress: &dyn Progress,
) -> Result<Pushed, CommandError> {
    let name = reference.familiar();
    let target = store.names().get(reference).trying(|| format!("cannot look up {name}"))?;
    let target = target.ok_or_else(|| {
        listing::no_such_image(&name).map(|diagnostic| {
            diagnostic.hint(format!("`tug tag IMAGE {name}` gives an image the name it is to have there"))
        })
    })?;
    let pushed = client.push(store, reference, &target, progress).trying(|| format!("cannot push {name}"))?;
    let there = reference.with_digest(pushed.descriptor.digest.clone());
    store.names().set(&there, &pushed.descriptor).trying(|| format!("cannot note the digest of {name}"))?;
    Ok(pushed)
}
