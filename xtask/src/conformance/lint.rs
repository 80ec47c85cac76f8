//! `lint/`: the checks, as a build makes them and as a check of all stages.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use tug_dockerfile::ignore::{self, Matcher};
use tug_dockerfile::lint::{self, Base, Options, Report, Scope, Settings};
use tug_dockerfile::source::Source;

use super::{Score, json};
use crate::Problem;

#[derive(Deserialize)]
struct Row {
    name: String,
    dockerfile: String,
    dockerignore: Option<String>,
    #[serde(default)]
    options: BTreeMap<String, String>,
    warnings: Vec<Warning>,
    lint_warnings: Option<Vec<Warning>>,
    lint_error: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Warning {
    rule: String,
    line: usize,
    detail: String,
}

pub(super) fn run(corpora: &Path) -> Result<Score, Problem> {
    let mut score = Score::default();
    for row in json::<Vec<Row>>(&corpora.join("lint/rows.json"))? {
        let difference = difference(&row)?;
        score.add(row.name, difference);
    }
    Ok(score)
}

fn difference(row: &Row) -> Result<Option<String>, Problem> {
    let build = check(row, Scope::Last)?;
    let all = check(row, Scope::All)?;
    let wanted_of_all = row.lint_warnings.as_ref().unwrap_or(&row.warnings);
    for (report, want) in [(&build, &row.warnings), (&all, wanted_of_all)] {
        let given = warnings(report, row);
        let mut want: Vec<&Warning> = want.iter().collect();
        want.sort();
        if given.iter().collect::<Vec<_>>() != want {
            return Ok(Some(format!("want {want:?}, got {given:?}")));
        }
    }
    let violated = row.lint_error.as_ref().is_some_and(|error| error.starts_with("lint violation"));
    Ok((violated != all.fails).then(|| format!("fails: {}", all.fails)))
}

fn check(row: &Row, scope: Scope<'_>) -> Result<Report, Problem> {
    let matcher = row.dockerignore.as_ref().map(|content| Matcher::new(&ignore::read(content)));
    let matcher = matcher.transpose()?;
    let options = row.options.get("build-arg:BUILDKIT_DOCKERFILE_CHECK");
    let options = options.map(|options| Options::new(options)).transpose()?;
    let given = row
        .options
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("build-arg:")?.to_owned(), value.clone())));
    let platforms = [("BUILDPLATFORM", "linux/amd64"), ("TARGETPLATFORM", "linux/amd64")];
    let predefined = platforms.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings = Settings {
        options: options.as_ref(),
        scope,
        build_args: &given.collect(),
        predefined: &predefined,
        ignore: matcher.as_ref(),
        bases: &|_| Some(Base::default()),
    };
    Ok(lint::check(&row.dockerfile, &settings))
}

fn warnings(report: &Report, row: &Row) -> Vec<Warning> {
    let source = Source::new("Dockerfile", row.dockerfile.clone());
    let mut warnings: Vec<Warning> = report
        .warnings
        .iter()
        .map(|warning| Warning {
            rule: warning.code.unwrap_or_default().to_owned(),
            line: source.line(warning.span.start),
            detail: warning.message.clone(),
        })
        .collect();
    warnings.sort();
    warnings
}
