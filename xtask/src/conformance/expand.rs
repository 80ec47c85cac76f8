//! `expand/`: words and lists of words, expanded.

use std::path::Path;

use serde::Deserialize;
use tug_dockerfile::expand;

use super::{Score, json_lines};
use crate::Problem;

#[derive(Deserialize)]
struct Row {
    source: String,
    #[serde(default)]
    env: Option<Vec<String>>,
    escape: char,
    input: String,
    mode: String,
    want: Option<Text>,
    matched: Option<Vec<String>>,
    unmatched: Option<Vec<String>>,
}

#[derive(Deserialize, Clone, Debug, PartialEq)]
#[serde(untagged)]
enum Text {
    Word(String),
    Words(Vec<String>),
}

pub(super) fn run(corpora: &Path) -> Result<Score, Problem> {
    let mut score = Score::default();
    for row in json_lines::<Row>(&corpora.join("expand/rows.jsonl"))? {
        match difference(&row) {
            None => score.passed += 1,
            Some(_) if keeps_what_stands_before(&row) => {
                score.on_purpose(format!("{} {:?}", row.source, row.input), KEPT.to_owned());
            }
            Some(difference) => score.failed.push((format!("{} {:?}", row.source, row.input), difference)),
        }
    }
    Ok(score)
}

const KEPT: &str = "what stands before ${name:-word} in a word is kept";

/// Splitting into words, BuildKit loses what stands before a `${name:-word}` in the same word, as its inner word
/// empties the buffer that both use. tug keeps it: dropping a part of the text is no rule that anybody can lean on.
fn keeps_what_stands_before(row: &Row) -> bool {
    let recorded = match &row.want {
        Some(Text::Words(words)) => words.concat(),
        _ => return false,
    };
    let kept = given(row).ok().map(|text| match text {
        Text::Words(words) => words.concat(),
        Text::Word(word) => word,
    });
    row.mode == "words"
        && row.input.contains("${")
        && kept.is_some_and(|kept| kept.len() > recorded.len() && kept.ends_with(&recorded))
}

fn difference(row: &Row) -> Option<String> {
    let given = given(row);
    match (&row.want, &given) {
        (None, Err(_)) => None,
        (Some(want), Ok(text)) if want == text => variables(row),
        (want, given) => Some(format!("want {want:?}, got {given:?}")),
    }
}

fn given(row: &Row) -> Result<Text, expand::ExpandError> {
    let env = |name: &str| lookup(row, name);
    match row.mode.as_str() {
        "word" => expand::word(&row.input, &env, row.escape).map(|expansion| Text::Word(expansion.text)),
        "words" => expand::words(&row.input, &env, row.escape).map(Text::Words),
        _ => expand::words_for_display(&row.input, &env, row.escape).map(Text::Words),
    }
}

fn variables(row: &Row) -> Option<String> {
    let env = |name: &str| lookup(row, name);
    let expansion = expand::word(&row.input, &env, row.escape).ok().filter(|_| row.mode == "word")?;
    let differs = |want: &Option<Vec<String>>, given: &std::collections::BTreeSet<String>| {
        want.as_ref().is_some_and(|want| *want != given.iter().cloned().collect::<Vec<_>>())
    };
    (differs(&row.matched, &expansion.matched) || differs(&row.unmatched, &expansion.unmatched))
        .then(|| format!("variables: {:?} {:?}", expansion.matched, expansion.unmatched))
}

fn lookup(row: &Row, name: &str) -> Option<String> {
    let pairs = row.env.iter().flatten().rev().filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}
