//! What lowering refuses.

use tug_dockerfile::Span;
use tug_dockerfile::expand::ExpandError;
use tug_dockerfile::instruction::MountError;
use tug_oci::user::UserError;
use tug_oci::{ParsePlatformError, ParseReferenceError};

use crate::op::ChmodError;

/// An instruction that cannot be carried out.
#[derive(Debug, thiserror::Error)]
#[error("{refusal}")]
pub struct LowerError {
    /// The instruction, or the word in it.
    pub span: Span,
    /// Why.
    pub refusal: Refusal,
}

/// Why an instruction cannot be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A word cannot be expanded.
    #[error("cannot expand {word:?}")]
    Expand {
        /// The word.
        word: String,
        /// Why.
        #[source]
        source: ExpandError,
    },
    /// `FROM` expands to nothing.
    #[error("the base name {word:?} is empty once its variables have their values")]
    EmptyBase {
        /// As written.
        word: String,
    },
    /// A name that is no image reference.
    #[error("{name:?} is neither a stage nor the name of an image")]
    Reference {
        /// The name.
        name: String,
        /// Why.
        #[source]
        source: ParseReferenceError,
    },
    /// `--platform`.
    #[error("cannot use --platform={text}")]
    Platform {
        /// Its value.
        text: String,
        /// Why.
        #[source]
        source: ParsePlatformError,
    },
    /// `--target`.
    #[error("target stage {name:?} not found{}", did_you_mean(near))]
    Target {
        /// Its value.
        name: String,
        /// A stage of nearly this name.
        near: Option<String>,
    },
    /// A stage that comes later, or the stage itself.
    #[error("stage {name:?} must be defined before the stage that uses it")]
    StageOrder {
        /// Its name.
        name: String,
    },
    /// A number that no stage has.
    #[error("there is no stage {index} before this one")]
    StageIndex {
        /// The number.
        index: usize,
    },
    /// A variable where none can be.
    #[error(
        "variables are not expanded in {what}; name a stage with FROM, which can hold global ARGs, and use that"
    )]
    FromVariable {
        /// The flag.
        what: &'static str,
    },
    /// A mode.
    #[error("cannot use --chmod")]
    Chmod(#[from] ChmodError),
    /// An id.
    #[error("cannot use --chown")]
    Chown(#[from] UserError),
    /// A mount.
    #[error("cannot use --mount={text}")]
    Mount {
        /// Its value.
        text: String,
        /// Why.
        #[source]
        source: MountError,
    },
    /// A mount without target, or onto the root.
    #[error("--mount={text} needs a target below /")]
    MountTarget {
        /// Its value.
        text: String,
    },
    /// A port.
    #[error("{text:?} is no port: write 80, 80/tcp, 53/udp or 8000-8010")]
    Port {
        /// As written.
        text: String,
    },
    /// A `SOURCE_DATE_EPOCH` that is no number.
    #[error("SOURCE_DATE_EPOCH is {text:?}: write seconds since 1970")]
    Epoch {
        /// Its value.
        text: String,
    },
    /// An empty word where one is needed.
    #[error("{instruction} needs a value, and {word:?} is empty once its variables have their values")]
    Empty {
        /// The instruction.
        instruction: &'static str,
        /// As written.
        word: String,
    },
    /// A trigger of the base image that cannot be read.
    #[error("the base image has the trigger {trigger:?}, which cannot be read: {message}")]
    Trigger {
        /// The trigger.
        trigger: String,
        /// Why.
        message: String,
    },
    /// Something that this version does not do.
    #[error("{what} is not supported yet")]
    Unsupported {
        /// What.
        what: String,
    },
    /// A graph that grows without end.
    #[error("the build needs more than {max} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The bound.
        max: usize,
    },
}

impl Refusal {
    /// The refusal, at a place.
    pub(crate) fn at(self, span: Span) -> LowerError {
        LowerError { span, refusal: self }
    }
}

fn did_you_mean(near: &Option<String>) -> String {
    near.as_ref().map_or_else(String::new, |near| format!("; did you mean {near:?}?"))
}
