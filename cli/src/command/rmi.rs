//! `tug rmi`: removes names, and images that have none left.

use clap::Parser;
use tug_oci::Reference;
use tug_store::Store;
use tug_store::gc::{CollectError, Policy, WhenBusy};

use crate::command_error::{Attempt, CommandError};
use crate::context::Context;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::listing::{self, Held};

/// Remove images
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  tug rmi app:1\n  tug rmi $(tug images -q --filter dangling=true)")]
pub(crate) struct Args {
    /// Names, ids or starts of ids
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    /// Remove an image given by its id with all its names; do not mind images that are not there
    #[arg(short, long)]
    force: bool,
    /// Taken for Docker's sake: tug keeps no untagged parents
    #[arg(long, hide = true)]
    no_prune: bool,
}

/// Removes each; one that fails does not keep the others.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let store = context.store()?;
    let mut exit = Exit::SUCCESS;
    let mut deleted = Deleted::Nothing;
    for text in &args.images {
        match remove(text, args, context, store) {
            Ok(Deleted::Nothing) => {}
            Ok(Deleted::Image) => deleted = Deleted::Image,
            Err(CommandError::Failed(diagnostic)) => {
                let missing = diagnostic.message.starts_with("no such image");
                context.tell(&CommandError::Failed(diagnostic));
                if !(missing && args.force) {
                    exit = Exit::FAILURE;
                }
            }
            Err(other) => return Err(other),
        }
    }
    if deleted == Deleted::Image {
        match store.collect(&Policy { when_busy: WhenBusy::GiveUp, ..Policy::default() }) {
            // A build or a container is at work: the next collection takes what is left.
            Ok(_) | Err(CollectError::InUse(_)) => {}
            Err(error) => return Err(error).trying(|| "cannot give the space back"),
        }
    }
    Ok(exit)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Deleted {
    Nothing,
    Image,
}

fn remove(text: &str, args: &Args, context: &Context, store: &Store) -> Result<Deleted, CommandError> {
    let held = listing::find(store, text)?;
    let gone = names_to_remove(text, &held, args.force)?;
    for name in &gone {
        if store.names().remove(name).trying(|| format!("cannot remove the name {}", name.familiar()))? {
            context.line(format!("Untagged: {}", name.familiar()))?;
        }
    }
    let mut left = Vec::new();
    for name in held.tags.iter().chain(&held.digests).filter(|name| !gone.contains(name)) {
        left.extend(store.names().get(name).trying(|| format!("cannot look up {}", name.familiar()))?);
    }
    // The same image may be held by several manifests: as it was built and as it was pushed.
    for target in held.targets.iter().filter(|target| !left.contains(target)) {
        store.images().forget(target).trying(|| format!("cannot delete image {text}"))?;
    }
    if !left.is_empty() {
        return Ok(Deleted::Nothing);
    }
    context.line(format!("Deleted: {}", held.id()))?;
    Ok(Deleted::Image)
}

/// The names that go: the one that was written, with its repository's digests when no tag of it is left; or all,
/// for an image given by its id.
fn names_to_remove(text: &str, held: &Held, force: bool) -> Result<Vec<Reference>, CommandError> {
    let all = || held.tags.iter().chain(&held.digests).cloned().collect::<Vec<_>>();
    let written = text.parse::<Reference>().ok();
    let Some(name) = written.filter(|name| held.tags.contains(name) || held.digests.contains(name)) else {
        let repositories: std::collections::BTreeSet<String> =
            all().iter().map(Reference::familiar_repository).collect();
        if repositories.len() > 1 && !force {
            let names: Vec<String> = held.tags.iter().map(Reference::familiar).collect();
            let what = format!(
                "image {} has names in several repositories: {}",
                held.id().short(),
                names.join(", ")
            );
            return Err(Diagnostic::new(what).hint("remove them one by one, or all with -f").into());
        }
        return Ok(all());
    };
    let same = |other: &&Reference| {
        other.registry() == name.registry() && other.repository() == name.repository() && **other != name
    };
    let mut gone = vec![name.clone()];
    if held.tags.iter().filter(same).count() == 0 {
        gone.extend(held.digests.iter().filter(same).cloned());
    }
    Ok(gone)
}
