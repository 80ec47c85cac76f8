//! `tug prune`: gives back disk that nothing needs.

use std::io::{self, BufRead, IsTerminal};

use clap::Parser;
use tug_store::gc::{Collected, Policy};

use crate::command_error::{Attempt, CommandError};
use crate::context::Context;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::units;

/// Give back disk that nothing needs: images without a name, the build cache
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  tug prune\n  tug prune -af   # everything but running builds, without asking"
)]
pub(crate) struct Args {
    /// Remove all images, not only those without a name
    #[arg(short, long)]
    all: bool,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

/// Asks, and removes images without a name and the build cache.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let images = if args.all { "all images" } else { "all images without a name" };
    let policy = Policy { dangling: true, all_images: args.all, cache: true, ..Policy::default() };
    collect(&policy, &[images, "the build cache"], args.force, context)
}

/// Asks (unless `force`), collects by the policy and says what went.
pub(super) fn collect(
    policy: &Policy,
    goes: &[&str],
    force: bool,
    context: &Context,
) -> Result<Exit, CommandError> {
    if !force && !confirmed(goes, context)? {
        return Ok(Exit::SUCCESS);
    }
    let collected = context.store()?.collect(policy).trying(|| "cannot prune the store")?;
    context.print(&report(&collected))?;
    Ok(Exit::SUCCESS)
}

fn confirmed(goes: &[&str], context: &Context) -> Result<bool, CommandError> {
    let list: String = goes.iter().map(|what| format!("  - {what}\n")).collect();
    context
        .print(&format!("WARNING! This will remove:\n{list}\nAre you sure you want to continue? [y/N] "))?;
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer).trying(|| "cannot read the answer")?;
    if read == 0 && !io::stdin().is_terminal() {
        context.line("")?;
        let told = Diagnostic::new("nobody answered, so nothing was removed");
        return Err(told.hint("`-f` removes without asking").into());
    }
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn report(collected: &Collected) -> String {
    let mut text = String::new();
    if !collected.images.is_empty() {
        text.push_str("Deleted Images:\n");
        collected.images.iter().for_each(|image| text.push_str(&format!("{image}\n")));
        text.push('\n');
    }
    if collected.records > 0 {
        text.push_str(&format!("Deleted build cache records: {}\n", collected.records));
    }
    text.push_str(&format!("Total reclaimed space: {}\n", units::size(collected.bytes)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_lists_what_went() {
        let collected = Collected {
            images: vec!["sha256:01".to_owned()],
            bytes: 1000,
            records: 2,
            ..Collected::default()
        };
        assert_eq!(
            report(&collected),
            "Deleted Images:\nsha256:01\n\nDeleted build cache records: 2\nTotal reclaimed space: 1kB\n"
        );
        assert_eq!(report(&Collected::default()), "Total reclaimed space: 0B\n");
    }
}
