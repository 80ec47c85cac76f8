//! The recorded corpora: what other builders do, held against tug. One module a corpus.

mod build;
mod expand;
mod ignore;
mod lint;
mod parse;
mod recipe;
mod tar;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::Problem;

/// What came of one corpus.
#[derive(Default)]
pub(crate) struct Score {
    /// Rows that gave what was recorded.
    pub(crate) passed: usize,
    /// The others: the row's name and what differed.
    pub(crate) failed: Vec<(String, String)>,
    /// Those that have to differ: the row's name and the reason.
    pub(crate) on_purpose: Vec<(String, String)>,
}

impl Score {
    /// Counts a row, with what differs about it.
    pub(crate) fn add(&mut self, row: String, difference: Option<String>) {
        match difference {
            None => self.passed += 1,
            Some(difference) => self.failed.push((row, difference)),
        }
    }

    /// Counts a row that has a reason to differ.
    pub(crate) fn on_purpose(&mut self, row: String, reason: String) {
        self.on_purpose.push((row, reason));
    }
}

/// A corpus: its name and how to run it on the folder of that name.
type Corpus = (&'static str, fn(&Path) -> Result<Score, Problem>);

const CORPORA: &[Corpus] = &[
    ("build", build::run),
    ("expand", expand::run),
    ("ignore", ignore::run),
    ("lint", lint::run),
    ("parse", parse::run),
    ("tar", tar::run),
];

/// Runs the corpora named, or all. A corpus folder that does not exist is no failure.
pub(crate) fn run(names: &[String]) -> Result<(), Problem> {
    let Some(folder) = folder() else {
        println!("no corpora here: set TUG_CONFORMANCE to their folder");
        return Ok(());
    };
    let mut differing = 0;
    for (name, corpus) in CORPORA {
        if !names.is_empty() && !names.iter().any(|wanted| wanted == name) {
            continue;
        }
        let score = corpus(&folder)?;
        let rows = score.passed + score.failed.len() + score.on_purpose.len();
        println!("{name}: {} of {rows} rows as recorded", score.passed);
        for (reason, rows) in reasons(&score) {
            println!("  {rows} rows differ on purpose: {reason}");
        }
        for (row, difference) in &score.failed {
            println!("  {row}: {difference}");
        }
        differing += score.failed.len();
    }
    match differing {
        0 => Ok(()),
        rows => Err(format!("{rows} rows differ").into()),
    }
}

/// The reasons for rows to differ, each with how many rows it has.
fn reasons(score: &Score) -> BTreeMap<&str, usize> {
    let mut reasons = BTreeMap::new();
    for (_, reason) in &score.on_purpose {
        *reasons.entry(reason.as_str()).or_default() += 1;
    }
    reasons
}

fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("TUG_CONFORMANCE").map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance");
    named.or(Some(beside)).filter(|folder| folder.is_dir())
}

/// A JSON document.
fn json<T: DeserializeOwned>(path: &Path) -> Result<T, Problem> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// JSON lines.
fn json_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, Problem> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let rows = text.lines().enumerate().map(|(at, line)| {
        serde_json::from_str(line).map_err(|error| format!("{}:{}: {error}", path.display(), at + 1).into())
    });
    rows.collect()
}
