//! Rules about `FROM`: the arguments before it, its image, its platform.

use std::collections::BTreeSet;

use crate::diagnostic::Diagnostic;
use crate::expand::Expansion;
use crate::instruction::{ArgPair, Dockerfile, From, Statement};
use crate::lint::env::{Budget, Env};
use crate::lint::findings::Findings;
use crate::lint::rule::Rule;
use crate::lint::settings::Settings;

use crate::lint::{platform, reference};
use crate::suggest;
use crate::word::Word;

/// The variables that a `FROM` can use.
pub(super) struct Globals<'a> {
    /// Those with a value.
    pub(super) env: Env,
    /// The same if no build arguments were given.
    defaults: Env,
    /// All that are declared, with a value or without.
    declared: BTreeSet<String>,
    /// The Dockerfile's escape character.
    pub(super) escape: char,
    /// What expanding may cost.
    pub(super) budget: &'a Budget,
}

impl<'a> Globals<'a> {
    pub(super) fn new(dockerfile: &Dockerfile, settings: &Settings<'_>, budget: &'a Budget) -> Self {
        let given =
            |name: &str, value: &str| settings.build_args.get(name).map_or(value, |given| given).to_owned();
        let with_args: Vec<_> =
            settings.predefined.iter().map(|(name, value)| (name.clone(), given(name, value))).collect();
        let mut globals = Globals {
            env: Env::new(&with_args),
            defaults: Env::new(settings.predefined),
            declared: settings.predefined.iter().map(|(name, _)| name.clone()).collect(),
            escape: dockerfile.directives.escape,
            budget,
        };
        for pair in dockerfile.meta_args.iter().flat_map(|arg| &arg.kind.pairs) {
            globals.declare(pair, settings.build_args.get(&pair.name.text));
        }
        globals
    }

    fn declare(&mut self, pair: &ArgPair, given: Option<&String>) {
        self.declared.insert(pair.name.text.clone());
        for (env, given) in [(&mut self.env, given), (&mut self.defaults, None)] {
            let default = || env.expand(&pair.default.as_ref()?.text, self.escape, self.budget);
            let value = given.cloned().or_else(|| default().map(|default| default.text));
            if let Some(value) = value {
                env.set(&pair.name.text, value);
            }
        }
    }

    /// The image or stage that a `FROM` names; `None` where it cannot be expanded.
    pub(super) fn base(&self, from: &From) -> Option<String> {
        self.expand(&from.base).map(|base| base.text)
    }

    /// The platform that a `FROM` asks for, if it does.
    pub(super) fn platform(&self, from: &From) -> Option<String> {
        self.expand(from.platform.as_ref()?).map(|platform| platform.text)
    }

    fn expand(&self, word: &Word) -> Option<Expansion> {
        self.env.expand(&word.text, self.escape, self.budget)
    }

    pub(super) fn check(&self, from: &Statement<From>, findings: &mut Findings) {
        let base = &from.kind.base;
        if let Some(expansion) = self.expand(base) {
            self.undeclared(from, base, &expansion, findings);
        }
        self.default_base(from, findings);
        let Some(word) = &from.kind.platform else { return };
        let Some(expansion) = self.expand(word) else { return };
        self.undeclared(from, word, &expansion, findings);
        self.redundant_platform(from, word, &expansion, findings);
        const_platform(from, word, &expansion, findings);
    }

    fn undeclared(
        &self,
        from: &Statement<From>,
        word: &Word,
        expansion: &Expansion,
        findings: &mut Findings,
    ) {
        for name in expansion.unmatched.iter().filter(|name| !self.declared.contains(*name)) {
            let near = Some(name).filter(|_| !findings.are_many());
            let near = near.and_then(|name| suggest::nearest(name, self.declared.iter().map(String::as_str)));
            let near = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
            let message = format!("FROM argument '{name}' is not declared{near}");
            findings.add(Rule::UndefinedArgInFrom, &from.comments, Diagnostic::warning(word.span, message));
        }
    }

    /// The image has to have a name without build arguments too.
    fn default_base(&self, from: &Statement<From>, findings: &mut Findings) {
        let base = &from.kind.base;
        let expansion = self.defaults.expand(&base.text, self.escape, self.budget);
        let Some(expansion) = expansion else { return };
        let is_fixed = expansion.matched.is_empty() && expansion.unmatched.is_empty();
        if !is_fixed && !reference::is_valid(&expansion.text) {
            let message =
                format!("Default value for ARG {} results in empty or invalid base image name", base.text);
            let finding = Diagnostic::warning(base.span, message);
            findings.add(Rule::InvalidDefaultArgInFrom, &from.comments, finding);
        }
    }

    fn redundant_platform(
        &self,
        from: &Statement<From>,
        word: &Word,
        expansion: &Expansion,
        findings: &mut Findings,
    ) {
        let only = expansion.matched.iter().eq([TARGET_PLATFORM]) && expansion.unmatched.is_empty();
        if only && self.env.get(TARGET_PLATFORM) == Some(expansion.text.as_str()) {
            let message = format!(
                "Setting platform to predefined {} in FROM is redundant as this is the default behavior",
                word.text
            );
            let finding = Diagnostic::warning(word.span, message);
            findings.add(Rule::RedundantTargetPlatform, &from.comments, finding);
        }
    }
}

pub(super) const TARGET_PLATFORM: &str = "TARGETPLATFORM";

/// A fixed platform is fine where the stage's name says so.
fn const_platform(from: &Statement<From>, word: &Word, expansion: &Expansion, findings: &mut Findings) {
    let is_fixed = expansion.matched.is_empty() && expansion.unmatched.is_empty();
    let Some((system, machine)) = platform::parts(&expansion.text).filter(|_| is_fixed) else { return };
    let name = from.kind.name().unwrap_or_default();
    if [system, machine].into_iter().flatten().any(|part| name.contains(&part)) {
        return;
    }
    let message = format!("FROM --platform flag should not use constant value {:?}", expansion.text);
    let finding = Diagnostic::warning(word.span, message);
    findings.add(Rule::FromPlatformFlagConstDisallowed, &from.comments, finding);
}
