//! `tug images`: lists images.

use clap::Parser;
use serde_json::{Value, json};
use tug_oci::Reference;

use crate::command_error::CommandError;
use crate::context::Context;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::format::{self, Column};
use crate::glob;
use crate::listing::{self, Held};
use crate::{timestamp, units};

/// List images
#[derive(Debug, Parser)]
#[command(
    after_help = "Example:\n  tug images --filter reference='registry.example.com/*/*' --format '{{.Repository}}:{{.Tag}}'"
)]
pub(crate) struct Args {
    /// Only images of this repository, or with this name and tag
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
    /// Show all images (tug keeps no intermediate ones: nothing is hidden)
    #[arg(short, long)]
    all: bool,
    /// Show digests
    #[arg(long)]
    digests: bool,
    /// Only what fits: dangling=true|false, reference=PATTERN, label=KEY[=VALUE], before=IMAGE, since=IMAGE
    #[arg(short, long, value_name = "FILTER", value_parser = Filter::parse)]
    filter: Vec<Filter>,
    /// `table`, `json`, or a Go template: .ID .Repository .Tag .Digest .CreatedSince .CreatedAt .Size
    #[arg(long)]
    format: Option<String>,
    /// Print whole ids
    #[arg(long)]
    no_trunc: bool,
    /// Print only ids
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Filter {
    Dangling(bool),
    Reference(String),
    Label(String, Option<String>),
    Before(String),
    Since(String),
}

impl Filter {
    fn parse(text: &str) -> Result<Filter, String> {
        let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
        match (key, value) {
            ("dangling", "true" | "1") => Ok(Filter::Dangling(true)),
            ("dangling", "false" | "0") => Ok(Filter::Dangling(false)),
            ("dangling", _) => Err("dangling is true or false".to_owned()),
            ("reference", pattern) => Ok(Filter::Reference(pattern.to_owned())),
            ("label", label) => Ok(match label.split_once('=') {
                Some((name, value)) => Filter::Label(name.to_owned(), Some(value.to_owned())),
                None => Filter::Label(label.to_owned(), None),
            }),
            ("before", image) => Ok(Filter::Before(image.to_owned())),
            ("since", image) => Ok(Filter::Since(image.to_owned())),
            _ => Err("filters are dangling, reference, label, before and since".to_owned()),
        }
    }
}

/// Lists images.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let store = context.store()?;
    let mut images = listing::all(store)?;
    for filter in &args.filter {
        match filter {
            Filter::Dangling(wanted) => images.retain(|held| held.tags.is_empty() == *wanted),
            Filter::Reference(_) => {}
            Filter::Label(name, value) => images.retain(|held| has_label(held, name, value.as_deref())),
            Filter::Before(image) => {
                let created = listing::find(store, image)?.created();
                images.retain(|held| held.created() < created);
            }
            Filter::Since(image) => {
                let created = listing::find(store, image)?.created();
                images.retain(|held| held.created() > created);
            }
        }
    }
    let mut patterns: Vec<&str> = Vec::new();
    for filter in &args.filter {
        if let Filter::Reference(pattern) = filter {
            patterns.push(pattern);
        }
    }
    if let Some(name) = &args.name {
        check_name(name)?;
        patterns.push(name);
    }
    let rows: Vec<Value> = images.iter().flat_map(|held| rows(held, &patterns, args)).collect();
    if args.quiet {
        let mut ids: Vec<&str> = rows.iter().filter_map(|row| row["ID"].as_str()).collect();
        ids.dedup();
        let text: String = ids.iter().map(|id| format!("{id}\n")).collect();
        context.print(&text)?;
        return Ok(Exit::SUCCESS);
    }
    let columns: Vec<Column> = match args.digests {
        true => COLUMNS.to_vec(),
        false => [&COLUMNS[..2], &COLUMNS[3..6], &COLUMNS[2..3], &COLUMNS[6..]].concat(),
    };
    context.print(&format::rows(
        args.format.as_deref(),
        &columns,
        if args.digests { 6 } else { 5 },
        &rows,
    )?)?;
    Ok(Exit::SUCCESS)
}

/// A row for each tag, or for each digest of a repository without a tag, or one without a name.
fn rows(held: &Held, patterns: &[&str], args: &Args) -> Vec<Value> {
    let mut names: Vec<(String, String)> = Vec::new();
    for name in held.tags.iter().filter(|name| fits(name, patterns)) {
        names.push((name.familiar_repository(), name.tag().unwrap_or(NONE).to_owned()));
    }
    for name in held.digests.iter().filter(|name| fits(name, patterns)) {
        let repository = name.familiar_repository();
        if !held.tags.iter().any(|tag| tag.familiar_repository() == repository) {
            names.push((repository, NONE.to_owned()));
        }
    }
    if names.is_empty() && patterns.is_empty() {
        names.push((NONE.to_owned(), NONE.to_owned()));
    }
    names.into_iter().map(|(repository, tag)| row(held, &repository, &tag, args)).collect()
}

fn row(held: &Held, repository: &str, tag: &str, args: &Args) -> Value {
    let id = match args.no_trunc {
        true => held.id().to_string(),
        false => held.id().short().to_owned(),
    };
    let digest = held.digest_in(repository).map_or(NONE.to_owned(), ToString::to_string);
    let created = held.created();
    json!({
        "Containers": "N/A",
        "CreatedAt": created.map_or("N/A".to_owned(), timestamp::created_at),
        "CreatedSince": created.map_or("N/A".to_owned(), timestamp::ago),
        "Digest": digest,
        "ID": id,
        "Repository": repository,
        "SharedSize": "N/A",
        "Size": units::size(held.size),
        "Tag": tag,
        "UniqueSize": "N/A",
        "VirtualSize": units::size(held.size),
    })
}

/// Whether a name is one of those asked for: `repository` or `repository:tag`, each with wildcards.
fn fits(name: &Reference, patterns: &[&str]) -> bool {
    let repository = name.familiar_repository();
    let familiar = name.familiar();
    let spelled = [repository.as_str(), &familiar, &name.to_string()].map(str::to_owned);
    patterns.iter().all(|pattern| spelled.iter().any(|text| glob::matches(pattern, text)))
}

fn has_label(held: &Held, name: &str, value: Option<&str>) -> bool {
    let label = held.image.config.config.as_ref().and_then(|config| config.labels.get(name));
    label.is_some_and(|found| value.is_none_or(|wanted| wanted == found))
}

fn check_name(name: &str) -> Result<(), CommandError> {
    match name.contains(['*', '?', '[']) || name.parse::<Reference>().is_ok() {
        true => Ok(()),
        false => Err(Diagnostic::new(format!("{name:?} is no repository name")).into()),
    }
}

/// The first six make the table with digests; without them DIGEST stands behind.
const COLUMNS: &[Column] = &[
    ("Repository", "REPOSITORY"),
    ("Tag", "TAG"),
    ("Digest", "DIGEST"),
    ("ID", "IMAGE ID"),
    ("CreatedSince", "CREATED"),
    ("Size", "SIZE"),
    ("CreatedAt", "CREATED AT"),
    ("Containers", "CONTAINERS"),
    ("SharedSize", "SHARED SIZE"),
    ("UniqueSize", "UNIQUE SIZE"),
    ("VirtualSize", "SIZE"),
];

const NONE: &str = "<none>";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters() {
        assert_eq!(Filter::parse("dangling=true"), Ok(Filter::Dangling(true)));
        assert_eq!(Filter::parse("label=a=b"), Ok(Filter::Label("a".to_owned(), Some("b".to_owned()))));
        assert!(Filter::parse("dangling=maybe").is_err());
        assert!(Filter::parse("colour=red").is_err());
    }

    #[test]
    fn patterns_fit_names_as_people_write_them() {
        let name: Reference = "registry.example.com/team/app:1".parse().unwrap();
        for pattern in ["registry.example.com/team/app", "registry.example.com/*/app:1", "*/*/app"] {
            assert!(fits(&name, &[pattern]), "{pattern}");
        }
        for pattern in ["app", "registry.example.com/*", "*:2"] {
            assert!(!fits(&name, &[pattern]), "{pattern}");
        }
        let hub: Reference = "busybox".parse().unwrap();
        assert!(fits(&hub, &["busybox:latest"]) && fits(&hub, &["docker.io/library/busybox:latest"]));
    }
}
