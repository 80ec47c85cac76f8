//! Builds and cache sequences: each is built by `tug` in an empty store, and the image is compared with the one recorded.

mod base;
mod case;
mod compare;
mod tree;
mod tug;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use case::{Case, NamedContext, Sequence, Step, Want};
use tug::{Build, Tug};

use super::Score;
use crate::Problem;

/// Runs the corpus in `folder/build`. `TUG_CASE` picks the rows whose names hold it.
pub(super) fn run(folder: &Path) -> Result<Score, Problem> {
    let folder = folder.join("build");
    let base: base::Base = serde_json::from_slice(&fs::read(folder.join("base.json"))?)?;
    let mut cases = BTreeMap::new();
    for entry in fs::read_dir(folder.join("cases"))? {
        let case: Case = serde_json::from_slice(&fs::read(entry?.path())?)?;
        cases.insert(case.name.clone(), case);
    }
    let sequences: Vec<Sequence> = serde_json::from_slice(&fs::read(folder.join("sequences.json"))?)?;
    let picked = std::env::var("TUG_CASE").unwrap_or_default();
    let world = World { base, cases };
    let mut score = Score::default();
    for case in world.cases.values().filter(|case| case.name.contains(&picked)) {
        add(&mut score, case.name.clone(), world.case(case)?);
    }
    for sequence in sequences.iter().filter(|sequence| sequence.name.contains(&picked)) {
        add(&mut score, format!("sequence {}", sequence.name), world.sequence(sequence)?);
    }
    Ok(score)
}

fn add(score: &mut Score, row: String, difference: Option<String>) {
    match (difference, UNSUPPORTED.iter().find(|(name, _)| row.starts_with(name))) {
        (Some(_), Some((_, reason))) => score.on_purpose(row, (*reason).to_owned()),
        (difference, _) => score.add(row, difference),
    }
}

/// What every row needs.
struct World {
    base: base::Base,
    cases: BTreeMap<String, Case>,
}

impl World {
    /// Builds a case, and says what differs.
    fn case(&self, case: &Case) -> Result<Option<String>, Problem> {
        let tug = self.tug()?;
        for (name, required) in &case.requires {
            if let Err(difference) = self.required(&tug, name, required)? {
                return Ok(Some(difference));
            }
        }
        let context = tug.folder("context")?;
        case::write(&context, &case.context)?;
        match (&case.want, &case.want_platforms) {
            (_, Some(wants)) => {
                for (platform, want) in case.platform.as_deref().unwrap_or_default().split(',').zip(wants) {
                    let outcome = tug.build(&self.build(case, &context, Some(platform), &tug)?)?;
                    if let Some(difference) = self.judge(&tug, case, want, outcome)? {
                        return Ok(Some(format!("{platform}: {difference}")));
                    }
                }
                Ok(None)
            }
            (Some(want), None) => {
                let outcome = tug.build(&self.build(case, &context, case.platform.as_deref(), &tug)?)?;
                self.judge(&tug, case, want, outcome)
            }
            (None, None) => {
                let outcome = tug.build(&self.build(case, &context, case.platform.as_deref(), &tug)?)?;
                Ok(outcome.is_ok().then(|| "was built, but must be refused".to_owned()))
            }
        }
    }

    fn judge(
        &self,
        tug: &Tug,
        case: &Case,
        want: &Want,
        outcome: Result<(), String>,
    ) -> Result<Option<String>, Problem> {
        if let Err(message) = outcome {
            return Ok(Some(format!("failed: {message}")));
        }
        let image = tug.result(RESULT)?;
        let base = if want.on_base { tug.tree(&tug.result(base::NAME)?)? } else { BTreeMap::new() };
        compare::image(&image, &tug.tree(&image)?, (&base, want, &case.loose))
    }

    /// Builds the case that another one stands on.
    fn required(&self, tug: &Tug, name: &str, required: &str) -> Result<Result<(), String>, Problem> {
        let case = self.cases.get(required).ok_or_else(|| format!("no case {required}"))?;
        for (name, required) in &case.requires {
            if let Err(difference) = self.required(tug, name, required)? {
                return Ok(Err(difference));
            }
        }
        let context = tug.folder(&format!("context-{required}"))?;
        case::write(&context, &case.context)?;
        let platform = case.platform.as_deref().and_then(|platforms| platforms.split(',').next());
        let mut build = self.build(case, &context, platform, tug)?;
        build.tag = name.to_owned();
        Ok(tug.build(&build)?.map_err(|message| format!("{required}, which it needs, failed: {message}")))
    }

    fn build(
        &self,
        case: &Case,
        context: &Path,
        platform: Option<&str>,
        tug: &Tug,
    ) -> Result<Build, Problem> {
        let file = match &case.file {
            Some(file) => context.join(file),
            None => {
                let path = tug.folder("elsewhere")?.join("Dockerfile");
                fs::write(&path, &case.dockerfile)?;
                path
            }
        };
        let mut build = Build::new(context, RESULT);
        build.arg("-f", &file.to_string_lossy());
        case.build_args.iter().for_each(|(name, value)| build.arg("--build-arg", &format!("{name}={value}")));
        case.labels.iter().for_each(|(name, value)| build.arg("--label", &format!("{name}={value}")));
        let options = [
            ("--target", case.target.as_deref()),
            ("--platform", platform),
            ("--hostname", case.hostname.as_deref()),
            ("--shm-size", case.shm_size.as_deref()),
            ("--ulimit", case.ulimit.as_deref()),
        ];
        options.iter().for_each(|(flag, value)| {
            if let Some(value) = value {
                build.arg(flag, value);
            }
        });
        for (name, context) in &case.named_contexts {
            let value = match context {
                NamedContext::Image(image) => image.clone(),
                NamedContext::Entries(entries) => {
                    let folder = tug.folder(&format!("named-{name}"))?;
                    case::write(&folder, entries)?;
                    folder.to_string_lossy().into_owned()
                }
            };
            build.arg("--build-context", &format!("{name}={value}"));
        }
        Ok(build)
    }

    /// Builds the steps of a sequence in one store, and says what differs.
    fn sequence(&self, sequence: &Sequence) -> Result<Option<String>, Problem> {
        let tug = self.tug()?;
        let mut trees = Vec::new();
        for (number, step) in sequence.steps.iter().enumerate() {
            let context = tug.folder("context")?;
            fs::remove_dir_all(&context)?;
            fs::create_dir(&context)?;
            case::write(&context, &step.context)?;
            if let Err(message) = tug.build(&sequence_build(&context, step))? {
                return Ok(Some(format!("step {number} failed: {message}")));
            }
            trees.push(tug.tree(&tug.result(RESULT)?)?);
        }
        for compare in &sequence.compare {
            let [left, right] = compare.steps;
            let content =
                |step: usize| trees.get(step).and_then(|tree| tree.get(&compare.path)).map(|node| &node.sha);
            if (content(left) == content(right)) != compare.same {
                let relation = if compare.same { "differs" } else { "is the same" };
                return Ok(Some(format!("{} {relation} in steps {left} and {right}", compare.path)));
            }
        }
        Ok(None)
    }

    fn tug(&self) -> Result<Tug, Problem> {
        let tug = Tug::new(binary()?)?;
        self.base.install(&tug)?;
        Ok(tug)
    }
}

fn sequence_build(context: &Path, step: &Step) -> Build {
    let mut build = Build::new(context, RESULT);
    step.build_args.iter().for_each(|(name, value)| build.arg("--build-arg", &format!("{name}={value}")));
    match &step.no_cache {
        case::NoCache::All(true) => build.flag("--no-cache"),
        case::NoCache::All(false) => {}
        case::NoCache::Stages(stages) => {
            stages.iter().for_each(|stage| build.arg("--no-cache-filter", stage));
        }
    }
    build
}

fn binary() -> Result<PathBuf, Problem> {
    let named = std::env::var_os("TUG_BIN").map(PathBuf::from);
    let built = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/debug/tug");
    let path = named.unwrap_or(built);
    path.canonicalize()
        .map_err(|error| format!("no {}: {error}; run cargo build -p tug", path.display()).into())
}

const RESULT: &str = "conformance.test/result:latest";

/// Rows that differ because what they need is not built yet.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("dockerfile-check-hostname", "no --hostname yet"),
    ("eager-named-context", "no --build-context yet"),
    ("named-image-context", "no --build-context yet"),
    ("named-local-context", "no --build-context yet"),
    ("platform-with-os-version", "no images of several platforms yet"),
    ("shm-size", "no --shm-size yet"),
    ("ulimit", "no --ulimit yet"),
    ("sequence no-cache", "no --no-cache-filter yet"),
];
