//! `ignore/`: ignore files, read and matched.

use std::path::Path;

use serde::Deserialize;
use tug_dockerfile::ignore::{self, Matcher};

use super::{Score, json, json_lines};
use crate::Problem;

#[derive(Deserialize)]
struct MatchRow {
    source: String,
    patterns: Vec<String>,
    path: String,
    want: Option<bool>,
    want_walk: Option<bool>,
}

#[derive(Deserialize)]
struct ReadRow {
    content: String,
    patterns: Vec<String>,
}

pub(super) fn run(corpora: &Path) -> Result<Score, Problem> {
    let mut score = Score::default();
    for row in json::<Vec<ReadRow>>(&corpora.join("ignore/read.json"))? {
        let given = ignore::read(&row.content);
        let difference = (given != row.patterns).then(|| format!("want {:?}, got {given:?}", row.patterns));
        score.add(format!("read {:?}", row.content), difference);
    }
    for row in json_lines::<MatchRow>(&corpora.join("ignore/match.jsonl"))? {
        let name = format!("{} {:?} {:?}", row.source, row.patterns, row.path);
        match difference(&row) {
            Some(_) if row.patterns.iter().any(|pattern| pattern == LETTER_ESCAPED) => {
                score.on_purpose(name, "an escaped letter is the letter".to_owned());
            }
            difference => score.add(name, difference),
        }
    }
    Ok(score)
}

fn difference(row: &MatchRow) -> Option<String> {
    let matcher = Matcher::new(&row.patterns).ok();
    let given = matcher.as_ref().map(|matcher| matcher.matches(&row.path));
    if given != row.want {
        return Some(format!("want {:?}, got {given:?}", row.want));
    }
    let matcher = matcher?;
    // The walk only meets paths as they are in a folder.
    let path = row.path.trim_start_matches('/');
    if path.is_empty() || path != row.path || path.split('/').any(|name| matches!(name, "" | "." | "..")) {
        return None;
    }
    let walked = walk(&matcher, path);
    let want = [row.want, row.want_walk];
    (!want.contains(&Some(walked))).then(|| format!("want {want:?}, the walk gave {walked}"))
}

/// The verdict of a walk that goes down to `path`, and only into folders that are kept or may hold exceptions.
fn walk(matcher: &Matcher, path: &str) -> bool {
    let mut verdict = matcher.root();
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    for end in ends {
        verdict = matcher.enter(&verdict, &path[..end]);
        if verdict.is_ignored() && end < path.len() && !matcher.may_hold_exceptions(&path[..end]) {
            return true;
        }
    }
    verdict.is_ignored()
}

/// The library hands this to its regular expressions, where it is the bell character. To tug, as to `filepath.Match`
/// and the documentation of ignore files, an escaped letter is the letter.
const LETTER_ESCAPED: &str = "\\a";
