//! The rules and their names, which are BuildKit's: what `# check=skip=` and people know.

use std::fmt;

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rule {
    /// Keywords in upper and lower case side by side.
    ConsistentInstructionCasing,
    /// A source of `COPY` that the ignore file leaves out.
    CopyIgnoredFile,
    /// Two stages of one name.
    DuplicateStageName,
    /// A port to expose with an address or a host's port.
    ExposeInvalidFormat,
    /// A protocol in upper case.
    ExposeProtoCasing,
    /// `FROM … as`, `from … AS`.
    FromAsCasing,
    /// A fixed platform for a stage.
    FromPlatformFlagConstDisallowed,
    /// A base image of another platform than the stage's.
    InvalidBaseImagePlatform,
    /// A base image whose name is none unless build arguments are given.
    InvalidDefaultArgInFrom,
    /// A comment above `ARG` or `FROM` that does not begin with the name below it.
    InvalidDefinitionDescription,
    /// A shell form where signals matter.
    JsonArgsRecommended,
    /// `ENV name value`.
    LegacyKeyValueFormat,
    /// `MAINTAINER`.
    MaintainerDeprecated,
    /// An instruction that a later one of the same stage undoes.
    MultipleInstructionsDisallowed,
    /// An empty line inside an instruction.
    NoEmptyContinuation,
    /// A platform that is the default.
    RedundantTargetPlatform,
    /// A stage called `scratch` or `context`.
    ReservedStageName,
    /// A secret that stays in the image.
    SecretsUsedInArgOrEnv,
    /// A stage's name in upper case.
    StageNameCasing,
    /// A variable in `FROM` that no `ARG` above it declares.
    UndefinedArgInFrom,
    /// A variable that nothing defines.
    UndefinedVar,
    /// A relative path that leans on the base image's.
    WorkdirRelativePath,
}

impl Rule {
    /// Its name.
    pub fn name(self) -> &'static str {
        self.names().0
    }

    /// A page that explains it, where there is one.
    pub fn url(self) -> Option<String> {
        let is_explained = self != Rule::InvalidBaseImagePlatform;
        is_explained.then(|| format!("https://docs.docker.com/go/dockerfile/rule/{}/", self.names().1))
    }

    /// Whether it only looks when it is asked to.
    pub fn is_experimental(self) -> bool {
        self == Rule::InvalidDefinitionDescription
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Rule::ConsistentInstructionCasing => {
                ("ConsistentInstructionCasing", "consistent-instruction-casing")
            }
            Rule::CopyIgnoredFile => ("CopyIgnoredFile", "copy-ignored-file"),
            Rule::DuplicateStageName => ("DuplicateStageName", "duplicate-stage-name"),
            Rule::ExposeInvalidFormat => ("ExposeInvalidFormat", "expose-invalid-format"),
            Rule::ExposeProtoCasing => ("ExposeProtoCasing", "expose-proto-casing"),
            Rule::FromAsCasing => ("FromAsCasing", "from-as-casing"),
            Rule::FromPlatformFlagConstDisallowed => {
                ("FromPlatformFlagConstDisallowed", "from-platform-flag-const-disallowed")
            }
            Rule::InvalidBaseImagePlatform => ("InvalidBaseImagePlatform", "invalid-base-image-platform"),
            Rule::InvalidDefaultArgInFrom => ("InvalidDefaultArgInFrom", "invalid-default-arg-in-from"),
            Rule::InvalidDefinitionDescription => {
                ("InvalidDefinitionDescription", "invalid-definition-description")
            }
            Rule::JsonArgsRecommended => ("JSONArgsRecommended", "json-args-recommended"),
            Rule::LegacyKeyValueFormat => ("LegacyKeyValueFormat", "legacy-key-value-format"),
            Rule::MaintainerDeprecated => ("MaintainerDeprecated", "maintainer-deprecated"),
            Rule::MultipleInstructionsDisallowed => {
                ("MultipleInstructionsDisallowed", "multiple-instructions-disallowed")
            }
            Rule::NoEmptyContinuation => ("NoEmptyContinuation", "no-empty-continuation"),
            Rule::RedundantTargetPlatform => ("RedundantTargetPlatform", "redundant-target-platform"),
            Rule::ReservedStageName => ("ReservedStageName", "reserved-stage-name"),
            Rule::SecretsUsedInArgOrEnv => ("SecretsUsedInArgOrEnv", "secrets-used-in-arg-or-env"),
            Rule::StageNameCasing => ("StageNameCasing", "stage-name-casing"),
            Rule::UndefinedArgInFrom => ("UndefinedArgInFrom", "undefined-arg-in-from"),
            Rule::UndefinedVar => ("UndefinedVar", "undefined-var"),
            Rule::WorkdirRelativePath => ("WorkdirRelativePath", "workdir-relative-path"),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
