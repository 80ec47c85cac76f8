//! Variables: what is known before the first stage, and how words get their values.

use tug_dockerfile::expand::{self, Expansion};
use tug_dockerfile::{Dockerfile, Span, Word};
use tug_oci::Platform;

use crate::lower::refusal::{LowerError, Refusal};
use crate::request::BuildRequest;

/// Names and values; a name is there once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Variables(Vec<(String, String)>);

impl Variables {
    /// The value of a name.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Sets a value; a name that is there keeps its place.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
    }

    /// `NAME=value`, in order.
    pub(super) fn pairs(&self) -> Vec<String> {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    /// `text` with its variables expanded; `span` is where it stands.
    pub(super) fn expand(&self, text: &str, span: Span, escape: char) -> Result<String, LowerError> {
        let outcome = expand::word(text, &|name| self.value(name).map(str::to_owned), escape);
        outcome.map(|expansion| expansion.text).map_err(|source| wrong(text, source).at(span))
    }

    /// A word with its variables expanded.
    pub(super) fn word(&self, word: &Word, escape: char) -> Result<String, LowerError> {
        self.expand(&word.text, word.span, escape)
    }

    /// A word expanded and split at blanks.
    pub(super) fn words(&self, word: &Word, escape: char) -> Result<Vec<String>, LowerError> {
        expand::words(&word.text, &|name| self.value(name).map(str::to_owned), escape)
            .map_err(|source| wrong(&word.text, source).at(word.span))
    }

    /// The content of a heredoc, expanded.
    pub(super) fn text(&self, text: &str, span: Span) -> Result<String, LowerError> {
        let outcome: Result<Expansion, _> = expand::text(text, &|name| self.value(name).map(str::to_owned));
        let first_line = || text.lines().next().unwrap_or_default().to_owned();
        outcome.map(|expansion| expansion.text).map_err(|source| wrong(&first_line(), source).at(span))
    }
}

fn wrong(word: &str, source: expand::ExpandError) -> Refusal {
    Refusal::Expand { word: word.to_owned(), source }
}

/// What is known before the first stage.
#[derive(Clone, Debug)]
pub(super) struct Globals {
    /// Platform arguments and the `ARG`s before the first `FROM`.
    pub(super) variables: Variables,
    /// What the image is for.
    pub(super) platform: Platform,
    /// `SOURCE_DATE_EPOCH`.
    pub(super) epoch: Option<i64>,
}

impl Globals {
    /// Evaluates the arguments before the first stage.
    pub(super) fn of(dockerfile: &Dockerfile, request: &BuildRequest) -> Result<Globals, LowerError> {
        let host = Platform::host();
        let platform = request.platform.clone().unwrap_or_else(|| host.clone());
        let mut variables = Variables::default();
        set_platform(&mut variables, "BUILD", &host);
        set_platform(&mut variables, "TARGET", &platform);
        variables.set("TARGETSTAGE", &target_name(dockerfile, request));
        let automatic: Vec<String> = variables.0.iter().map(|(name, _)| name.clone()).collect();
        for name in automatic {
            if let Some(value) = request.build_args.get(&name) {
                variables.set(&name, value);
            }
        }
        let escape = dockerfile.directives.escape;
        let mut epoch_span = Span::default();
        for statement in &dockerfile.meta_args {
            for pair in &statement.kind.pairs {
                let name = pair.name.as_str();
                let value = match (request.build_args.get(name), &pair.default) {
                    (Some(given), _) => Some(given.clone()),
                    (None, Some(default)) => Some(variables.word(default, escape)?),
                    (None, None) => None,
                };
                if name == EPOCH {
                    epoch_span = statement.span;
                }
                if let Some(value) = value {
                    variables.set(name, &value);
                }
            }
        }
        let epoch = epoch(&variables, request).map_err(|refusal| refusal.at(epoch_span))?;
        Ok(Globals { variables, platform, epoch })
    }
}

/// The epoch of the arguments, which is the request's or the Dockerfile's.
fn epoch(variables: &Variables, request: &BuildRequest) -> Result<Option<i64>, Refusal> {
    let given = request.build_args.get(EPOCH).map(String::as_str);
    let text = match (given, request.source_date_epoch) {
        (Some(given), _) => given,
        (None, Some(epoch)) => return Ok(Some(epoch)),
        (None, None) => variables.value(EPOCH).unwrap_or_default(),
    };
    // A directory has no time of its own.
    if text.is_empty() || text == "context" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| Refusal::Epoch { text: text.to_owned() })
}

fn target_name(dockerfile: &Dockerfile, request: &BuildRequest) -> String {
    let last = || dockerfile.stages.last().and_then(|stage| stage.from.kind.name());
    request
        .target
        .as_ref()
        .map(|target| target.to_lowercase())
        .or_else(last)
        .unwrap_or_else(|| "default".into())
}

fn set_platform(variables: &mut Variables, prefix: &str, platform: &Platform) {
    let mut set = |name: &str, value: &str| variables.set(&format!("{prefix}{name}"), value);
    let version = platform.os_version.as_deref().unwrap_or_default();
    let mut whole = platform.to_string();
    if !version.is_empty() {
        whole = whole.replacen('/', &format!("({version})/"), 1);
    }
    set("PLATFORM", &whole);
    set("OS", &platform.os);
    set("OSVERSION", version);
    set("ARCH", &platform.architecture);
    set("VARIANT", platform.variant.as_deref().unwrap_or_default());
}

/// Whether an argument is one of the proxies, which a step sees without declaring them and which no key holds.
pub(super) fn is_proxy(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    PROXIES.contains(&lower.as_str()) && (lower == name || lower.to_ascii_uppercase() == name)
}

const PROXIES: [&str; 5] = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"];

const EPOCH: &str = "SOURCE_DATE_EPOCH";
