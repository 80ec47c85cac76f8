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
            self.found.push(finding.with_code(rule.name()).with_note(format!("see {}", rule.url())));
        }
    }

    /// The findings in order of place.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|finding| finding.span.start);
        self.found
    }
}
