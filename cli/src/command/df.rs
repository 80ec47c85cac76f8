//! `tug df`: what takes how much disk.

use clap::Parser;
use serde_json::{Value, json};

use crate::command_error::{Attempt, CommandError};
use crate::context::Context;
use crate::exit::Exit;
use crate::format::{self, Column};
use crate::{listing, units};

/// Show what takes how much disk
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  tug df --format '{{.Type}}: {{.Reclaimable}}'")]
pub(crate) struct Args {
    /// `table`, `json`, or a Go template: .Type .TotalCount .Active .Size .Reclaimable
    #[arg(long)]
    format: Option<String>,
}

/// Measures and shows.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let store = context.store()?;
    let usage = store.usage().trying(|| "cannot measure the store")?;
    let named = listing::all(store)?.iter().filter(|held| !held.tags.is_empty()).count();
    let mut rows = vec![
        row("Images", usage.images, &named.to_string(), usage.image_bytes, usage.image_bytes_reclaimable),
        row("Build Cache", usage.records, "0", usage.cache_bytes, usage.cache_bytes),
    ];
    if usage.garbage_bytes > 0 {
        rows.push(row("Garbage", 0, "0", usage.garbage_bytes, usage.garbage_bytes));
    }
    context.print(&format::rows(args.format.as_deref(), COLUMNS, COLUMNS.len(), &rows)?)?;
    Ok(Exit::SUCCESS)
}

fn row(kind: &str, total: u64, active: &str, bytes: u64, reclaimable: u64) -> Value {
    let share = match bytes {
        0 => String::new(),
        bytes => format!(" ({}%)", reclaimable.saturating_mul(100) / bytes),
    };
    json!({
        "Type": kind,
        "TotalCount": total.to_string(),
        "Active": active,
        "Size": units::size(bytes),
        "Reclaimable": format!("{}{share}", units::size(reclaimable)),
    })
}

const COLUMNS: &[Column] = &[
    ("Type", "TYPE"),
    ("TotalCount", "TOTAL"),
    ("Active", "ACTIVE"),
    ("Size", "SIZE"),
    ("Reclaimable", "RECLAIMABLE"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_whole() {
        assert_eq!(row("Images", 2, "1", 1000, 250)["Reclaimable"], "250B (25%)");
        assert_eq!(row("Images", 0, "0", 0, 0)["Reclaimable"], "0B");
    }
}
