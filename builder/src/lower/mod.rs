//! Lowering: stages, arguments and a platform become a graph. Pure; the graph can be printed.
//!
//! Only what the target needs is lowered. Where an image's config has to be known first (it decides the environment,
//! and may hold triggers), [`lower`] says which, and is called again with them.

mod env;
mod files;
mod metadata;
mod pass;
mod print;
mod refusal;
mod run;
mod scope;
mod source;
mod stage;

use std::collections::BTreeMap;
use std::sync::Arc;

use tug_dockerfile::{Dockerfile, Span};
use tug_oci::{History, ImageConfig, Platform, Reference};
use tug_solver::{Graph, VertexId};
use tug_store::image::Image;

use crate::op::Op;
use crate::request::BuildRequest;

pub use refusal::{LowerError, Refusal};

/// What there is to lower.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The stages.
    pub dockerfile: &'a Dockerfile,
    /// What is asked for.
    pub request: &'a BuildRequest,
    /// The images that are known.
    pub images: &'a Images,
}

/// Images by what was asked for.
pub type Images = BTreeMap<ImageRequest, Arc<Image>>;

/// An image for a platform.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageRequest {
    /// Its name.
    pub reference: Reference,
    /// What for.
    pub platform: Platform,
}

/// What came of lowering.
#[derive(Debug)]
pub enum Lowered {
    /// Images whose configs are needed first, and who asked.
    Needs(Vec<(ImageRequest, Span)>),
    /// The plan.
    Plan(Box<Plan>),
}

/// What to solve, and what image to make of the result.
#[derive(Debug)]
pub struct Plan {
    /// The graph.
    pub graph: Graph<Op>,
    /// What to call each vertex, by index.
    pub steps: Vec<PlannedStep>,
    /// The vertex whose files are the image's.
    pub target: VertexId,
    /// The image's config, without what solving gives.
    pub config: ImageConfig,
    /// The image's past.
    pub history: Vec<HistoryItem>,
    /// `SOURCE_DATE_EPOCH`.
    pub epoch: Option<i64>,
}

/// A vertex as a person sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedStep {
    /// As `[build 2/5] RUN make`. `None` for what is not worth a line.
    pub name: Option<String>,
    /// The instruction that it comes from.
    pub span: Span,
}

/// An entry of the image's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryItem {
    /// The base image has it.
    Base(History),
    /// An instruction that changed the config only.
    Metadata(String),
    /// An instruction that made a step: the next one of the result's steps.
    Step(String),
}

/// Lowers what the target needs.
pub fn lower(input: Input<'_>) -> Result<Lowered, LowerError> {
    pass::lower(input)
}

#[cfg(test)]
mod tests;
