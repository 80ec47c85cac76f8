//! What the rules found.

use crate::diagnostic::Diagnostic;
use crate::lint::options::Options;
use crate::lint::rule::Rule;
use crate::word::Word;

pub(super) struct Findings {
    options: Options,
    found: Vec<Diagnostic>,
}

impl Findings {
    pub(super) fn new(options: Options) -> Self {
        Findings { options, found: Vec::new() }
    }

    /// Adds a finding, unless the comments above its instruction say otherwise.
    pub(super) fn add(&mut self, rule: Rule, comments: &[Word], finding: Diagnostic) {
        if self.options.allows(rule, comments) {
            let mut finding = finding.with_code(rule.name());
            finding.notes.extend(rule.url().map(|url| format!("see {url}")));
            self.found.push(finding);
        }
    }

    /// Whether there are so many that nobody reads what may have been meant.
    pub(super) fn are_many(&self) -> bool {
        self.found.len() >= EXPLAINED_MAX
    }

    /// The findings in order of place.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|finding| finding.span.start);
        self.found
    }
}

const EXPLAINED_MAX: usize = 256;
