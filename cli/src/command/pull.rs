//! `tug pull`: fetches an image from a registry.

use std::io::{self, IsTerminal};

use clap::Parser;
use tug_oci::{Platform, Reference};
use tug_registry::{Freshness, Pulled, Silent};

use crate::command_error::{Attempt, CommandError};
use crate::context::Context;
use crate::exit::Exit;
use crate::registries;
use crate::transfers::{Direction, Shown, Transfers};

/// Fetch an image from a registry
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  tug pull registry.example.com/team/app:1\n  tug pull --platform linux/arm64 alpine\n\n\
    Registries on this machine, and those that TUG_INSECURE_REGISTRIES lists (host[:port],…), are also spoken to \
    without TLS."
)]
pub(crate) struct Args {
    /// What to fetch; without tag and digest, `latest`
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    name: String,
    /// Print only the name
    #[arg(short, long)]
    quiet: bool,
    /// Fetch for this platform, where there are several [default: this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
}

/// Fetches.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let reference: Reference = args.name.parse()?;
    let platform = args.platform.clone().unwrap_or_else(Platform::host);
    if args.quiet {
        fetch(&reference, &platform, Report::Silent, context)?;
        context.line(reference.to_string())?;
        return Ok(Exit::SUCCESS);
    }
    if reference.digest().is_none() && !has_tag(&args.name) {
        context.line("Using default tag: latest")?;
    }
    let version = match (reference.tag(), reference.digest()) {
        (_, Some(digest)) => digest.to_string(),
        (tag, None) => tag.unwrap_or_default().to_owned(),
    };
    context.line(format!("{version}: Pulling from {}", reference.repository()))?;
    let shown = if io::stdout().is_terminal() { Shown::Redrawn } else { Shown::Lines };
    let pulled = fetch(&reference, &platform, Report::Shown(shown), context)?;
    context.line(format!("Digest: {}", pulled.target.digest))?;
    context.line(format!("Status: {} for {}", status(&pulled), reference.familiar()))?;
    context.line(reference.to_string())?;
    Ok(Exit::SUCCESS)
}

/// Whether layers are shown on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    Silent,
    Shown(Shown),
}

/// Fetches an image and names it in the store.
pub(super) fn fetch(
    reference: &Reference,
    platform: &Platform,
    report: Report,
    context: &Context,
) -> Result<Pulled, CommandError> {
    let store = context.store()?;
    let _lease = store.lease()?;
    let client = registries::client(context)?;
    let pulled = match report {
        Report::Silent => client.pull(store, reference, platform, &Silent),
        Report::Shown(shown) => {
            let transfers = Transfers::new(Direction::Pull, shown);
            let pulled = client.pull(store, reference, platform, &transfers);
            transfers.finish();
            pulled
        }
    };
    pulled.trying(|| format!("cannot pull {}", reference.familiar()))
}

pub(super) fn status(pulled: &Pulled) -> &'static str {
    match pulled.freshness {
        Freshness::UpToDate => "Image is up to date",
        Freshness::New => "Downloaded newer image",
    }
}

/// Whether a name says which tag it means.
pub(super) fn has_tag(name: &str) -> bool {
    name.rsplit('/').next().is_some_and(|last| last.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_tag() {
        assert!(has_tag("app:1") && has_tag("localhost:5000/app:1"));
        assert!(!has_tag("app") && !has_tag("localhost:5000/app"));
    }
}
