//! One pass over the stages that the target needs.

use std::collections::BTreeSet;

use tug_dockerfile::instruction::{InstructionKind, Statement};
use tug_dockerfile::{Instruction, Span, Stage, Word, parse_onbuild_trigger};
use tug_solver::{Graph, Reuse, VertexId};

use crate::lower::refusal::{LowerError, Refusal};
use crate::lower::scope::Globals;
use crate::lower::stage::{StageFrame, StageState};
use crate::lower::{ImageRequest, Input, Lowered, Plan, PlannedStep};
use crate::op::Op;
use crate::request::CacheUse;

/// Lowers what the target needs: again with more stages whenever it turns out that one more is needed.
pub(super) fn lower(input: Input<'_>) -> Result<Lowered, LowerError> {
    let globals = Globals::of(input.dockerfile, input.request)?;
    let target = target(input)?;
    let mut needed = super::source::needed(input, &globals, target);
    loop {
        let mut pass = Pass::new(input, &globals);
        pass.run(&needed)?;
        let before = needed.len();
        needed.append(&mut pass.missing.stages);
        if needed.len() > before {
            continue;
        }
        if !pass.missing.images.is_empty() {
            return Ok(Lowered::Needs(pass.missing.images));
        }
        return Ok(Lowered::Plan(Box::new(pass.plan(target))));
    }
}

/// Why a stage cannot be lowered now.
pub(super) enum Stop {
    /// Something it needs is not known yet.
    Wait,
    /// It is wrong.
    Refused(LowerError),
}

impl From<LowerError> for Stop {
    fn from(error: LowerError) -> Stop {
        Stop::Refused(error)
    }
}

/// What a pass found that it needs.
#[derive(Default)]
pub(super) struct Missing {
    pub(super) images: Vec<(ImageRequest, Span)>,
    pub(super) stages: BTreeSet<usize>,
}

/// The graph while it grows.
pub(super) struct Pass<'a> {
    pub(super) input: Input<'a>,
    pub(super) globals: &'a Globals,
    pub(super) escape: char,
    pub(super) stages: Vec<Option<StageState>>,
    pub(super) missing: Missing,
    graph: Graph<Op>,
    steps: Vec<PlannedStep>,
}

impl<'a> Pass<'a> {
    fn new(input: Input<'a>, globals: &'a Globals) -> Pass<'a> {
        Pass {
            input,
            globals,
            escape: input.dockerfile.directives.escape,
            stages: vec![None; input.dockerfile.stages.len()],
            missing: Missing::default(),
            graph: Graph::new(),
            steps: Vec::new(),
        }
    }

    fn run(&mut self, needed: &BTreeSet<usize>) -> Result<(), LowerError> {
        for &index in needed {
            match self.stage(index) {
                Ok(state) => self.stages[index] = Some(state),
                Err(Stop::Wait) => {}
                Err(Stop::Refused(error)) => return Err(error),
            }
        }
        Ok(())
    }

    fn plan(mut self, target: usize) -> Plan {
        let state = self.stages[target].take().expect("the target was needed, and nothing is missing");
        let mut config = state.config;
        if let Some(asked) = &self.input.request.platform
            && !config.platform.satisfies(asked)
        {
            // A last stage on another platform still makes the image that was asked for.
            config.platform = asked.clone();
        }
        let labels = &self.input.request.labels;
        config.config.get_or_insert_default().labels.extend(labels.clone());
        // A platform that was asked for is what the image is for, whatever its stages stand on.
        if let Some(platform) = &self.input.request.platform {
            config.platform.clone_from(platform);
        }
        Plan {
            graph: self.graph,
            steps: self.steps,
            target: state.vertex,
            config,
            history: state.history,
            epoch: self.globals.epoch,
        }
    }

    fn stage(&mut self, index: usize) -> Result<StageState, Stop> {
        let dockerfile = self.input.dockerfile;
        let stage = &dockerfile.stages[index];
        let mut frame = self.frame(index, stage);
        let (mut state, base_name) = self.base(&mut frame, stage)?;
        let triggers = triggers(&mut state, stage.from.span)?;
        frame.total +=
            triggers.iter().chain(&stage.instructions).filter(|each| makes_step(&each.kind)).count();
        if let Some(base_name) = base_name {
            let name = frame.name(&format!("FROM {base_name}"));
            self.rename(state.vertex, name);
        } else {
            frame.next += 1;
        }
        state.begin();
        for trigger in &triggers {
            self.dispatch(&mut frame, &mut state, trigger)?;
        }
        for instruction in &stage.instructions {
            self.dispatch(&mut frame, &mut state, instruction)?;
        }
        Ok(state)
    }

    fn frame(&self, index: usize, stage: &Stage) -> StageFrame {
        let name = stage.from.kind.name();
        let refused = match &self.input.request.cache {
            CacheUse::All => false,
            CacheUse::AllBut(stages) => name.as_ref().is_some_and(|name| stages.contains(name)),
            CacheUse::Nothing => true,
        };
        let title = match name {
            Some(name) => name,
            None if self.input.dockerfile.stages.len() == 1 => String::new(),
            None => format!("stage-{index}"),
        };
        let reuse = if refused { Reuse::Refused } else { Reuse::Allowed };
        StageFrame { index, title, total: 1, next: 1, reuse }
    }

    fn dispatch(
        &mut self,
        frame: &mut StageFrame,
        state: &mut StageState,
        instruction: &Instruction,
    ) -> Result<(), Stop> {
        if self.graph.len() > VERTICES_MAX {
            return Err(Refusal::TooMany { what: "steps", max: VERTICES_MAX }.at(instruction.span).into());
        }
        let mut at = At { frame, state, instruction };
        match &instruction.kind {
            InstructionKind::Add(add) => self.add_files(&mut at, add),
            InstructionKind::Copy(copy) => self.copy_files(&mut at, copy),
            InstructionKind::Run(run) => self.run_command(&mut at, run),
            InstructionKind::Workdir(path) => self.workdir(&mut at, path),
            InstructionKind::Arg(arg) => Ok(super::env::arg(self, at.state, arg)?),
            InstructionKind::Env(pairs) => Ok(super::env::env(self, at.state, pairs)?),
            InstructionKind::Label(pairs) => Ok(super::env::label(self, at.state, pairs)?),
            metadata => Ok(super::metadata::apply(self, at.state, metadata)?),
        }
    }

    /// Adds a vertex. `name` is what a person sees.
    pub(super) fn add(&mut self, op: Op, inputs: Vec<VertexId>, reuse: Reuse, step: PlannedStep) -> VertexId {
        let id = self.graph.add(op, inputs, reuse);
        if id.index() == self.steps.len() {
            self.steps.push(step);
        }
        id
    }

    fn rename(&mut self, vertex: VertexId, name: String) {
        let step = &mut self.steps[vertex.index()];
        if matches!(self.graph.vertex(vertex).op, Op::Image(_)) && step.name.is_none() {
            step.name = Some(name);
        }
    }

    /// A word with the stage's variables.
    pub(super) fn word(&self, state: &StageState, word: &Word) -> Result<String, LowerError> {
        state.variables.word(word, self.escape)
    }
}

/// An instruction and where it stands.
pub(super) struct At<'s> {
    pub(super) frame: &'s mut StageFrame,
    pub(super) state: &'s mut StageState,
    pub(super) instruction: &'s Instruction,
}

impl At<'_> {
    /// The step of the instruction: its number, and the instruction as written with an upper-case keyword.
    pub(super) fn step(&mut self) -> PlannedStep {
        let Statement { keyword, original, span, .. } = self.instruction;
        let rest = original.trim_start().get(keyword.text.len()..).unwrap_or_default();
        let text = format!("{}{rest}", keyword.text.to_uppercase());
        PlannedStep { name: Some(self.frame.name(&text)), span: *span }
    }

    /// A vertex that the instruction needs besides its own.
    pub(super) fn side_step(&self) -> PlannedStep {
        PlannedStep { name: None, span: self.instruction.span }
    }
}

fn makes_step(kind: &InstructionKind) -> bool {
    matches!(
        kind,
        InstructionKind::Add(_)
            | InstructionKind::Copy(_)
            | InstructionKind::Run(_)
            | InstructionKind::Workdir(_)
    )
}

/// Takes the base's triggers, which run in this stage and are gone then.
fn triggers(state: &mut StageState, from: Span) -> Result<Vec<Instruction>, LowerError> {
    let texts = std::mem::take(&mut state.container().on_build);
    if texts.len() > TRIGGERS_MAX {
        return Err(Refusal::TooMany { what: "ONBUILD triggers of one image", max: TRIGGERS_MAX }.at(from));
    }
    let read = |text: String| match parse_onbuild_trigger(&text) {
        // A place in a trigger is none in this Dockerfile: the FROM that brought it is.
        Ok(instruction) => Ok(Instruction { span: from, ..instruction }),
        Err(diagnostics) => {
            let message = diagnostics.first().map(|first| first.message.clone()).unwrap_or_default();
            Err(Refusal::Trigger { trigger: text, message }.at(from))
        }
    };
    texts.into_iter().map(read).collect()
}

fn target(input: Input<'_>) -> Result<usize, LowerError> {
    let stages = &input.dockerfile.stages;
    let Some(name) = &input.request.target else {
        return Ok(stages.len().saturating_sub(1));
    };
    let lower = name.to_lowercase();
    if let Some(index) = stages.iter().rposition(|stage| stage.from.kind.name().as_ref() == Some(&lower)) {
        return Ok(index);
    }
    match name.parse::<usize>() {
        Ok(index) if index < stages.len() => Ok(index),
        _ => {
            let names = stages.iter().filter_map(|stage| stage.from.kind.name());
            let near = names.min_by_key(|known| distance(known, &lower));
            let near = near.filter(|near| distance(near, &lower) <= NEAR_MAX);
            Err(Refusal::Target { name: name.clone(), near }.at(Span::default()))
        }
    }
}

/// How many letters must change for one word to become the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(NAME_LEN_MAX).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().take(NAME_LEN_MAX).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

const NAME_LEN_MAX: usize = 64;
const NEAR_MAX: usize = 2;
const TRIGGERS_MAX: usize = 1000;
const VERTICES_MAX: usize = 200_000;
