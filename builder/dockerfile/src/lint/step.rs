//! One instruction in front of the rules.

use std::collections::BTreeSet;

use crate::diagnostic::Diagnostic;
use crate::instruction::{Instruction, Pair, PairForm};
use crate::lint::findings::Findings;
use crate::lint::rule::Rule;
use crate::source::Span;

/// An instruction that is being looked at.
pub(super) struct Step<'s> {
    pub(super) instruction: &'s Instruction,
    /// The variables that were called undefined: once is enough.
    pub(super) reported: BTreeSet<String>,
    pub(super) findings: &'s mut Findings,
}

impl Step<'_> {
    pub(super) fn add(&mut self, rule: Rule, span: Span, message: String) {
        self.findings.add(rule, &self.instruction.comments, Diagnostic::warning(span, message));
    }

    pub(super) fn legacy(&mut self, pairs: &[Pair]) {
        for pair in pairs.iter().filter(|pair| pair.form == PairForm::Blank) {
            let keyword = &self.instruction.keyword.text;
            let message = format!(
                "\"{keyword} key=value\" should be used instead of legacy \"{keyword} key value\" format"
            );
            self.add(Rule::LegacyKeyValueFormat, pair.name.span, message);
        }
    }

    /// A name that has a word for secrets in it, and none that says it is not one.
    pub(super) fn secret(&mut self, keyword: &str, name: &str, span: Span) {
        let lower = name.to_lowercase();
        let has = |words: &[&str]| lower.split('_').any(|part| words.contains(&part));
        if has(&SECRET) && !has(&NO_SECRET) {
            let message =
                format!("Do not use ARG or ENV instructions for sensitive data ({keyword} {name:?})");
            self.add(Rule::SecretsUsedInArgOrEnv, span, message);
        }
    }
}

const SECRET: [&str; 10] =
    ["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"];

const NO_SECRET: [&str; 3] = ["public", "file", "version"];
