//! Where files come from: stages, images, named contexts.

use std::collections::BTreeSet;
use std::sync::Arc;

use tug_dockerfile::instruction::InstructionKind;
use tug_dockerfile::{Span, Stage, Word};
use tug_oci::{Platform, Reference};
use tug_solver::{Reuse, VertexId};
use tug_store::image::Image;

use crate::lower::pass::{Pass, Stop};
use crate::lower::refusal::{LowerError, Refusal};
use crate::lower::scope::{Globals, Variables};
use crate::lower::stage::{StageFrame, StageState};
use crate::lower::{ImageRequest, Input, PlannedStep};
use crate::op::{ContextOp, CopyOp, ImageOp, Op, Unpack};
use crate::request::NamedContext;

/// The stages that the target needs, as far as the text tells; a trigger may show that there are more.
pub(super) fn needed(input: Input<'_>, globals: &Globals, target: usize) -> BTreeSet<usize> {
    let stages = &input.dockerfile.stages;
    let mut needed = BTreeSet::from([target]);
    for index in (0..=target.min(stages.len().saturating_sub(1))).rev() {
        if !needed.contains(&index) {
            continue;
        }
        let named = |name: &str| stage_index(&stages[..index], &name.to_lowercase());
        let escape = input.dockerfile.directives.escape;
        let base = globals.variables.word(&stages[index].from.kind.base, escape).unwrap_or_default();
        if !input.request.contexts.contains_key(&base) {
            needed.extend(named(&base));
        }
        for from in froms(&stages[index]) {
            needed.extend(named(from).or_else(|| from.parse().ok().filter(|number| *number < index)));
        }
    }
    needed
}

/// What a stage's instructions name as sources.
fn froms(stage: &Stage) -> impl Iterator<Item = &str> {
    stage.instructions.iter().flat_map(|instruction| -> Vec<&str> {
        match &instruction.kind {
            InstructionKind::Copy(copy) => copy.from.iter().map(Word::as_str).collect(),
            InstructionKind::Run(run) => {
                let fields = run.mounts.iter().flat_map(|mount| &mount.fields);
                fields
                    .filter(|field| field.key == "from")
                    .filter_map(|field| field.value.as_deref())
                    .collect()
            }
            _ => Vec::new(),
        }
    })
}

/// The last stage of that name.
fn stage_index(stages: &[Stage], lower: &str) -> Option<usize> {
    stages.iter().rposition(|stage| stage.from.kind.name().as_deref() == Some(lower))
}

impl Pass<'_> {
    /// What a stage starts from, and what to call it when that is an image.
    pub(super) fn base(
        &mut self,
        frame: &mut StageFrame,
        stage: &Stage,
    ) -> Result<(StageState, Option<String>), Stop> {
        let from = &stage.from.kind;
        let span = from.base.span;
        if let Some(name) = from.name()
            && let Some(context) = self.input.request.contexts.get(&name).cloned()
        {
            // A context of the stage's own name takes the place of the stage.
            let platform = self.globals.platform.clone();
            return self.named_base(frame, &name, &context, (platform, span));
        }
        let name = self.globals.variables.word(&from.base, self.escape)?;
        if name.trim().is_empty() {
            return Err(Refusal::EmptyBase { word: from.base.text.clone() }.at(span).into());
        }
        let platform = match &from.platform {
            Some(word) => platform(&self.globals.variables, word, self.escape)?,
            None => self.globals.platform.clone(),
        };
        if let Some(context) = self.named_context(&name) {
            return self.named_base(frame, &name, &context, (platform, span));
        }
        let lower = name.to_lowercase();
        if let Some(index) = stage_index(&self.input.dockerfile.stages[..frame.index], &lower) {
            return Ok((self.lowered(index)?, None));
        }
        if name == "scratch" {
            return Ok((StageState::scratch(self.scratch(span), &platform), None));
        }
        let reference = reference(&name, span)?;
        self.image_base(reference, platform, span)
    }

    /// The files that `name` (of `--from`) stands for.
    pub(super) fn files_of(&mut self, frame: &StageFrame, name: &str, span: Span) -> Result<VertexId, Stop> {
        if let Some(context) = self.named_context(name) {
            return self.context_files(name, &context, span);
        }
        let lower = name.to_lowercase();
        let stages = &self.input.dockerfile.stages;
        if let Some(index) = stage_index(&stages[..frame.index], &lower) {
            return Ok(self.lowered(index)?.vertex);
        }
        if let Ok(index) = name.parse::<usize>() {
            if index >= frame.index {
                return Err(Refusal::StageIndex { index }.at(span).into());
            }
            return Ok(self.lowered(index)?.vertex);
        }
        if stage_index(stages, &lower).is_some() {
            return Err(Refusal::StageOrder { name: name.to_owned() }.at(span).into());
        }
        if name == "scratch" {
            return Ok(self.scratch(span));
        }
        let platform = self.globals.platform.clone();
        let (image, reference) = self.image(reference(name, span)?, platform, span)?;
        Ok(self.image_vertex(image, reference, span))
    }

    /// The build context, or a named one.
    pub(super) fn context(&mut self, name: &str, span: Span) -> VertexId {
        let op = Op::Context(ContextOp { name: name.to_owned() });
        let shown = match name {
            "" => "[internal] load build context".to_owned(),
            name => format!("[context {name}] load from client"),
        };
        self.add(op, Vec::new(), Reuse::Allowed, PlannedStep { name: Some(shown), span })
    }

    /// The empty root.
    pub(super) fn scratch(&mut self, span: Span) -> VertexId {
        self.add(Op::Scratch, Vec::new(), Reuse::Allowed, PlannedStep { name: None, span })
    }

    fn lowered(&mut self, index: usize) -> Result<StageState, Stop> {
        match &self.stages[index] {
            Some(state) => Ok(state.clone()),
            None => {
                self.missing.stages.insert(index);
                Err(Stop::Wait)
            }
        }
    }

    fn named_context(&self, name: &str) -> Option<NamedContext> {
        let contexts = &self.input.request.contexts;
        let familiar = || name.parse::<Reference>().ok().map(|reference| reference.familiar());
        let untagged = || familiar().and_then(|name| name.strip_suffix(":latest").map(str::to_owned));
        let whole = || name.parse::<Reference>().ok().map(|reference| reference.to_string());
        contexts
            .get(name)
            .or_else(|| contexts.get(&familiar()?))
            .or_else(|| contexts.get(&untagged()?))
            .or_else(|| contexts.get(&whole()?))
            .cloned()
    }

    fn named_base(
        &mut self,
        frame: &StageFrame,
        name: &str,
        context: &NamedContext,
        (platform, span): (Platform, Span),
    ) -> Result<(StageState, Option<String>), Stop> {
        match context {
            NamedContext::Scratch => Ok((StageState::scratch(self.scratch(span), &platform), None)),
            NamedContext::Image(reference) => self.image_base(reference.clone(), platform, span),
            NamedContext::Directory(_) => {
                let from = self.context(name, span);
                let base = self.scratch(span);
                let step = PlannedStep { name: None, span };
                let copied = self.add(Op::Copy(Box::new(whole_copy())), vec![base, from], frame.reuse, step);
                let mut state = StageState::scratch(copied, &platform);
                // The copy is a layer, and every layer has its line in the history.
                state.history.push(super::HistoryItem::Step(format!("COPY / / # {name}")));
                Ok((state, None))
            }
        }
    }

    fn context_files(&mut self, name: &str, context: &NamedContext, span: Span) -> Result<VertexId, Stop> {
        match context {
            NamedContext::Scratch => Ok(self.scratch(span)),
            NamedContext::Directory(_) => Ok(self.context(name, span)),
            NamedContext::Image(reference) => {
                let platform = self.globals.platform.clone();
                let (image, reference) = self.image(reference.clone(), platform, span)?;
                Ok(self.image_vertex(image, reference, span))
            }
        }
    }

    fn image_base(
        &mut self,
        reference: Reference,
        platform: Platform,
        span: Span,
    ) -> Result<(StageState, Option<String>), Stop> {
        let (image, reference) = self.image(reference, platform.clone(), span)?;
        let mut state = StageState::new(
            self.image_vertex(Arc::clone(&image), reference.clone(), span),
            image.config.clone(),
        );
        state.config.created = None;
        if !image.config.platform.satisfies(&platform) {
            // An image that has only one platform is taken for the one that was asked for.
            state.config.platform =
                Platform { os_version: image.config.platform.os_version.clone(), ..platform };
        }
        let shown = match reference.digest() {
            Some(_) => reference.to_string(),
            None => format!("{reference}@{}", image.descriptor.digest),
        };
        Ok((state, Some(shown)))
    }

    fn image(
        &mut self,
        reference: Reference,
        platform: Platform,
        span: Span,
    ) -> Result<(Arc<Image>, Reference), Stop> {
        let request = ImageRequest { reference, platform };
        match self.input.images.get(&request) {
            Some(image) => Ok((Arc::clone(image), request.reference)),
            None => {
                if !self.missing.images.iter().any(|(known, _)| *known == request) {
                    self.missing.images.push((request, span));
                }
                Err(Stop::Wait)
            }
        }
    }

    fn image_vertex(&mut self, image: Arc<Image>, reference: Reference, span: Span) -> VertexId {
        let op = Op::Image(ImageOp { reference, image });
        self.add(op, Vec::new(), Reuse::Allowed, PlannedStep { name: None, span })
    }
}

/// Everything, as it is.
fn whole_copy() -> CopyOp {
    CopyOp {
        sources: vec!["/".to_owned()],
        files: Vec::new(),
        destination: "/".to_owned(),
        chown: None,
        chmod: None,
        link: false,
        parents: false,
        exclude: Vec::new(),
        unpack: Unpack::Never,
        epoch: None,
    }
}

fn reference(name: &str, span: Span) -> Result<Reference, LowerError> {
    name.parse().map_err(|source| Refusal::Reference { name: name.to_owned(), source }.at(span))
}

fn platform(variables: &Variables, word: &Word, escape: char) -> Result<Platform, LowerError> {
    let text = variables.word(word, escape)?;
    text.parse().map_err(|source| Refusal::Platform { text, source }.at(word.span))
}
