//! The recorded corpora: what other builders do, held against tug. One module a corpus.

mod recipe;
mod tar;

use std::path::{Path, PathBuf};

use crate::Problem;

/// What came of one corpus.
pub(crate) struct Score {
    /// Rows that gave what was recorded.
    pub(crate) passed: usize,
    /// The others: the row's name and what differed.
    pub(crate) failed: Vec<(String, String)>,
}

/// A corpus: its name and how to run it on the folder of that name.
type Corpus = (&'static str, fn(&Path) -> Result<Score, Problem>);

const CORPORA: &[Corpus] = &[("tar", tar::run)];

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
        println!("{name}: {} of {} rows as recorded", score.passed, score.passed + score.failed.len());
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

fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("TUG_CONFORMANCE").map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance");
    named.or(Some(beside)).filter(|folder| folder.is_dir())
}
