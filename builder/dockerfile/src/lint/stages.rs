//! Follows the stages that count, each on top of the one it stands on.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::instruction::{Dockerfile, InstructionKind, Stage};
use crate::lint::body::Body;
use crate::lint::env::Budget;
use crate::lint::findings::Findings;
use crate::lint::from::{Globals, TARGET_PLATFORM};
use crate::lint::platform;
use crate::lint::rule::Rule;
use crate::lint::settings::{Base, Scope, Settings};
use crate::lint::state::State;

pub(super) fn check(dockerfile: &Dockerfile, settings: &Settings<'_>, findings: &mut Findings) {
    let budget = Budget::new();
    let globals = Globals::new(dockerfile, settings, &budget);
    for stage in &dockerfile.stages {
        globals.check(&stage.from, findings);
    }
    let graph = Graph::new(&dockerfile.stages, &globals);
    let counts = graph.reached(&dockerfile.stages, settings.scope);
    let mut ends: Vec<State> = Vec::new();
    for (at, stage) in dockerfile.stages.iter().enumerate() {
        let start = match graph.below[at] {
            Some(below) => ends[below].clone(),
            None => start(stage, &globals, settings, counts[at].then_some(&mut *findings)),
        };
        budget.spend(start.size());
        if budget.is_spent() {
            return;
        }
        let mut body = Body::new(start, &globals, settings);
        // No stage that counts stands on one that does not.
        if counts[at] {
            stage.instructions.iter().for_each(|instruction| body.check(instruction, findings));
        }
        ends.push(body.finish());
    }
}

/// What a stage on an image begins with.
fn start(
    stage: &Stage,
    globals: &Globals<'_>,
    settings: &Settings<'_>,
    findings: Option<&mut Findings>,
) -> State {
    let name = globals.base(&stage.from.kind).unwrap_or_default();
    let base = match name.as_str() {
        "scratch" => Some(Base::default()),
        image => (settings.bases)(image),
    };
    let Some(base) = base else { return State::default() };
    if let Some(findings) = findings {
        base_platform(stage, &name, &base, globals, findings);
    }
    State::on(&base)
}

fn base_platform(stage: &Stage, name: &str, base: &Base, globals: &Globals<'_>, findings: &mut Findings) {
    let target = || globals.env.get(TARGET_PLATFORM).map(str::to_owned);
    let Some(expected) = globals.platform(&stage.from.kind).or_else(target) else { return };
    let Some(actual) = &base.platform else { return };
    let differ = |wanted: Option<String>, found: Option<String>| {
        wanted.zip(found).is_some_and(|(wanted, found)| wanted != found)
    };
    let (Some(wanted), Some(found)) = (platform::parts(&expected), platform::parts(actual)) else { return };
    if differ(wanted.0, found.0) || differ(wanted.1, found.1) {
        let message = format!(
            "Base image {name} was pulled with platform {actual:?}, expected {expected:?} for current build"
        );
        let finding = Diagnostic::warning(stage.from.kind.base.span, message);
        findings.add(Rule::InvalidBaseImagePlatform, &stage.from.comments, finding);
    }
}

/// Which stages lean on which.
struct Graph {
    /// For each stage the earlier one that it stands on.
    below: Vec<Option<usize>>,
    /// For each stage those that it copies or mounts from.
    beside: Vec<Vec<usize>>,
}

impl Graph {
    fn new(stages: &[Stage], globals: &Globals<'_>) -> Self {
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        let mut graph = Graph { below: Vec::new(), beside: Vec::new() };
        for (at, stage) in stages.iter().enumerate() {
            let base = globals.base(&stage.from.kind).map(|base| base.to_lowercase());
            graph.below.push(base.and_then(|base| names.get(&base).copied()));
            if let Some(name) = stage.from.kind.name() {
                names.insert(name, at);
            }
        }
        let numbered = |from: &str| from.parse().ok().filter(|at| *at < stages.len());
        let stage_of = |from: &str| names.get(&from.to_lowercase()).copied().or_else(|| numbered(from));
        for stage in stages {
            let sources = stage.instructions.iter().flat_map(|instruction| sources(&instruction.kind));
            graph.beside.push(sources.filter_map(stage_of).collect());
        }
        graph
    }

    /// For each stage whether it counts.
    fn reached(&self, stages: &[Stage], scope: Scope<'_>) -> Vec<bool> {
        let target = match scope {
            Scope::All => None,
            Scope::Last => stages.len().checked_sub(1),
            Scope::Target(target) => {
                let name = Some(target.to_lowercase());
                let named = stages.iter().rposition(|stage| stage.from.kind.name() == name);
                named.or_else(|| target.parse().ok().filter(|at| *at < stages.len()))
            }
        };
        let Some(target) = target else { return vec![true; stages.len()] };
        let mut reached = vec![false; stages.len()];
        let mut open = vec![target];
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut reached[at], true) {
                open.extend(self.below[at].iter().chain(&self.beside[at]));
            }
        }
        reached
    }
}

/// The stages or images that an instruction takes files from.
fn sources(kind: &InstructionKind) -> Vec<&str> {
    match kind {
        InstructionKind::Copy(copy) => copy.from.iter().map(|from| from.as_str()).collect(),
        InstructionKind::Run(run) => run.mounts.iter().filter_map(|mount| mount.from()).collect(),
        _ => Vec::new(),
    }
}
