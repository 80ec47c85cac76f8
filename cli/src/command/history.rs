//! `tug history`: the instructions an image came from.

use clap::Parser;
use serde_json::{Value, json};
use tug_store::Store;

use crate::command_error::CommandError;
use crate::context::Context;
use crate::exit::Exit;
use crate::format::{self, Column};
use crate::listing::{self, Held};
use crate::{timestamp, units};

/// Show the instructions an image came from
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  tug history --no-trunc --format '{{.Size}}\\t{{.CreatedBy}}' app:1")]
pub(crate) struct Args {
    /// A name, an id or the start of one
    image: String,
    /// `table`, `json`, or a Go template: .ID .CreatedSince .CreatedAt .CreatedBy .Size .Comment
    #[arg(long)]
    format: Option<String>,
    /// Print sizes and dates in words, which is usual; --human=false prints bytes and times
    #[arg(
        short = 'H', long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_value_t = true, default_missing_value = "true", hide_default_value = true,
        action = clap::ArgAction::Set, hide_possible_values = true
    )]
    human: bool,
    /// Print whole texts
    #[arg(long)]
    no_trunc: bool,
    /// Print only ids
    #[arg(short, long)]
    quiet: bool,
}

/// Shows the instructions, the last first.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let store = context.store()?;
    let held = listing::find(store, &args.image)?;
    let rows = rows(&held, store, args)?;
    if args.quiet {
        let ids: Vec<&str> = rows.iter().filter_map(|row| row["ID"].as_str()).collect();
        context.line(ids.join("\n"))?;
        return Ok(Exit::SUCCESS);
    }
    let mut columns = COLUMNS.to_vec();
    if !args.human {
        columns[1] = ("CreatedAt", "CREATED AT");
    }
    context.print(&format::rows(args.format.as_deref(), &columns, 5, &rows)?)?;
    Ok(Exit::SUCCESS)
}

fn rows(held: &Held, store: &Store, args: &Args) -> Result<Vec<Value>, CommandError> {
    let mut layers = held.image.diff_ids().iter();
    let mut rows = Vec::new();
    for entry in &held.image.config.history {
        let layer = if entry.empty_layer { None } else { layers.next() };
        let size = match layer {
            Some(layer) => store.layers().size(layer)?.unwrap_or(0),
            None => 0,
        };
        let created = entry.created.as_deref().and_then(timestamp::parse);
        let instruction = entry.created_by.clone().unwrap_or_default().replace('\t', " ");
        rows.push(json!({
            "ID": "<missing>",
            "CreatedSince": created.map_or("N/A".to_owned(), timestamp::ago),
            "CreatedAt": created.map_or("N/A".to_owned(), timestamp::rfc3339),
            "CreatedBy": if args.no_trunc { instruction } else { shortened(&instruction) },
            "Size": if args.human { units::size(size) } else { size.to_string() },
            "Comment": entry.comment.clone().unwrap_or_default(),
        }));
    }
    if let Some(last) = rows.last_mut() {
        let id = if args.no_trunc { held.id().to_string() } else { held.id().short().to_owned() };
        last["ID"] = id.into();
    }
    rows.reverse();
    Ok(rows)
}

fn shortened(text: &str) -> String {
    match text.chars().count() > TEXT_MAX {
        true => text.chars().take(TEXT_MAX - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

const COLUMNS: &[Column] = &[
    ("ID", "IMAGE"),
    ("CreatedSince", "CREATED"),
    ("CreatedBy", "CREATED BY"),
    ("Size", "SIZE"),
    ("Comment", "COMMENT"),
    ("CreatedAt", "CREATED AT"),
];

/// The longest text that is not cut.
const TEXT_MAX: usize = 45;
