//! Typed instructions: what a Dockerfile says, with every word still as written.

pub mod command;
pub mod copy;
pub mod healthcheck;
pub mod mount;
pub mod mount_flag;
pub mod pair;
pub mod run;

pub use command::CommandForm;
pub use copy::{Add, Copy, CopySource};
pub use healthcheck::{Healthcheck, HealthcheckTest};
pub use mount::{CacheSharing, Mount, MountError, MountKind, Ownership};
pub use mount_flag::{MountField, MountFlag};
pub use pair::{Arg, ArgPair, Pair, PairForm};
pub use run::{Device, NetworkMode, Run, RunBody, SecurityMode};

use crate::directive::Directives;
use crate::source::Span;
use crate::word::Word;

/// A whole Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dockerfile {
    /// The comments at its top that tell how to read it.
    pub directives: Directives,
    /// The `ARG`s before the first `FROM`.
    pub meta_args: Vec<Statement<Arg>>,
    /// The stages, in order; at least one.
    pub stages: Vec<Stage>,
}

/// A build stage: a `FROM` and the instructions up to the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The `FROM`.
    pub from: Statement<From>,
    /// The instructions below it.
    pub instructions: Vec<Instruction>,
    /// From the `FROM` to the end of the last instruction.
    pub span: Span,
}

/// An instruction with all that every instruction has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement<K> {
    /// What it says.
    pub kind: K,
    /// Its first word, as the author cased it.
    pub keyword: Word,
    /// From the keyword to the end of its last line or heredoc.
    pub span: Span,
    /// The instruction as written, with continuation lines joined and comments cut out, without heredocs.
    pub original: String,
    /// The comments directly above it, without `#` and blanks.
    pub comments: Vec<Word>,
    /// From the last empty line between its continuations to the end of what is continued, if there is one.
    pub empty_continuation: Option<Span>,
}

/// An instruction below a `FROM`.
pub type Instruction = Statement<InstructionKind>;

/// What an instruction below a `FROM` says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the instructions")]
pub enum InstructionKind {
    Add(Add),
    Arg(Arg),
    Cmd(CommandForm),
    Copy(Copy),
    Entrypoint(CommandForm),
    Env(Vec<Pair>),
    Expose(Vec<Word>),
    Healthcheck(Healthcheck),
    Label(Vec<Pair>),
    Maintainer(Word),
    Onbuild(Onbuild),
    Run(Run),
    Shell(Vec<Word>),
    Stopsignal(Word),
    User(Word),
    Volume(Vec<Word>),
    Workdir(Word),
}

/// `FROM [--platform=P] BASE [AS NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct From {
    /// An image, an earlier stage or `scratch`; may hold variables.
    pub base: Word,
    /// The `--platform` flag; may hold variables.
    pub platform: Option<Word>,
    /// The name that it gives to the stage.
    pub alias: Option<Alias>,
}

impl From {
    /// The name of the stage: names are compared in lower case.
    pub fn name(&self) -> Option<String> {
        self.alias.as_ref().map(|alias| alias.name.text.to_lowercase())
    }
}

/// `AS NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The word `AS`, as the author cased it.
    pub keyword: Word,
    /// The name, as the author cased it.
    pub name: Word,
}

/// `ONBUILD INSTRUCTION`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onbuild {
    /// The instruction as text, heredocs included: what the image's config keeps.
    pub trigger: String,
    /// The same instruction, read.
    pub instruction: Box<Instruction>,
}

impl InstructionKind {
    /// The instruction's name in upper case.
    pub fn name(&self) -> &'static str {
        match self {
            InstructionKind::Add(_) => "ADD",
            InstructionKind::Arg(_) => "ARG",
            InstructionKind::Cmd(_) => "CMD",
            InstructionKind::Copy(_) => "COPY",
            InstructionKind::Entrypoint(_) => "ENTRYPOINT",
            InstructionKind::Env(_) => "ENV",
            InstructionKind::Expose(_) => "EXPOSE",
            InstructionKind::Healthcheck(_) => "HEALTHCHECK",
            InstructionKind::Label(_) => "LABEL",
            InstructionKind::Maintainer(_) => "MAINTAINER",
            InstructionKind::Onbuild(_) => "ONBUILD",
            InstructionKind::Run(_) => "RUN",
            InstructionKind::Shell(_) => "SHELL",
            InstructionKind::Stopsignal(_) => "STOPSIGNAL",
            InstructionKind::User(_) => "USER",
            InstructionKind::Volume(_) => "VOLUME",
            InstructionKind::Workdir(_) => "WORKDIR",
        }
    }
}
