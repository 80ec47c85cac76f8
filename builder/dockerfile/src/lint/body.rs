//! Rules about the instructions of a stage, with the variables that each of them sees.

use std::collections::BTreeSet;

use crate::diagnostic::Diagnostic;
use crate::expand::Expansion;
use crate::ignore;
use crate::instruction::{Arg, CommandForm, CopySource, Instruction, InstructionKind, Pair};
use crate::lint::findings::Findings;
use crate::lint::from::Globals;
use crate::lint::rule::Rule;
use crate::lint::settings::Settings;
use crate::lint::state::State;
use crate::lint::step::Step;
use crate::source::Span;
use crate::word::Word;

pub(super) struct Body<'a> {
    state: State,
    globals: &'a Globals<'a>,
    settings: &'a Settings<'a>,
    /// Where the stage's last `CMD`, `ENTRYPOINT` and `HEALTHCHECK` stand.
    last: [Option<Span>; 3],
}

impl<'a> Body<'a> {
    pub(super) fn new(state: State, globals: &'a Globals<'a>, settings: &'a Settings<'a>) -> Self {
        Body { state, globals, settings, last: [None; 3] }
    }

    pub(super) fn finish(self) -> State {
        self.state
    }

    pub(super) fn check(&mut self, instruction: &Instruction, findings: &mut Findings) {
        if self.globals.budget.is_spent() {
            return;
        }
        let mut step = Step { instruction, reported: BTreeSet::new(), findings };
        match &instruction.kind {
            InstructionKind::Env(pairs) => self.env(pairs, &mut step),
            InstructionKind::Label(pairs) => {
                step.legacy(pairs);
                for pair in pairs {
                    self.expand(&pair.name, &mut step);
                    self.expand(&pair.value, &mut step);
                }
            }
            InstructionKind::Arg(arg) => self.arg(arg, &mut step),
            InstructionKind::Copy(copy) => {
                let words = [&copy.chown, &copy.chmod].into_iter().flatten().chain([&copy.destination]);
                words.for_each(|word| drop(self.expand(word, &mut step)));
                let from_context = copy.from.is_none();
                self.sources(&copy.sources, from_context.then_some("Copy"), &mut step);
            }
            InstructionKind::Add(add) => {
                let flags = [&add.chown, &add.chmod, &add.checksum].into_iter().flatten();
                flags.chain([&add.destination]).for_each(|word| drop(self.expand(word, &mut step)));
                self.sources(&add.sources, Some("Add"), &mut step);
            }
            InstructionKind::Run(run) => {
                for mount in &run.mounts {
                    let values = mount.fields.iter().filter_map(|field| field.value.clone());
                    values
                        .for_each(|value| drop(self.expand(&Word::new(value, mount.value.span), &mut step)));
                }
            }
            InstructionKind::Cmd(command) => {
                self.once(0, &mut step);
                self.shell_form(command, &mut step);
            }
            InstructionKind::Entrypoint(command) => {
                self.once(1, &mut step);
                self.shell_form(command, &mut step);
            }
            InstructionKind::Healthcheck(_) => self.once(2, &mut step),
            InstructionKind::Shell(_) => self.state.has_shell = true,
            InstructionKind::Workdir(path) => self.workdir(path, &mut step),
            InstructionKind::User(word) | InstructionKind::Stopsignal(word) => {
                self.expand(word, &mut step);
            }
            InstructionKind::Volume(words) => {
                words.iter().for_each(|word| drop(self.expand(word, &mut step)));
            }
            InstructionKind::Expose(ports) => self.expose(ports, &mut step),
            InstructionKind::Maintainer(_) | InstructionKind::Onbuild(_) => {}
        }
    }

    /// Expands a word, and reports the variables in it that nothing defines.
    fn expand(&self, word: &Word, step: &mut Step<'_>) -> Option<String> {
        let expansion = self.state.env.expand(&word.text, self.globals.escape, self.globals.budget)?;
        self.report(&expansion, word.span, step);
        Some(expansion.text)
    }

    fn report(&self, expansion: &Expansion, span: Span, step: &mut Step<'_>) {
        if !self.state.knows_base {
            return;
        }
        for name in expansion.unmatched.iter().filter(|name| !self.state.declared.contains(*name)) {
            let near = Some(name).filter(|_| !step.findings.are_many());
            let near = near.and_then(|name| self.state.env.nearest(name));
            let near = near.map(|near| format!(" (did you mean ${near}?)")).unwrap_or_default();
            if step.reported.insert(name.clone()) {
                step.add(Rule::UndefinedVar, span, format!("Usage of undefined variable '${name}'{near}"));
            }
        }
    }

    fn env(&mut self, pairs: &[Pair], step: &mut Step<'_>) {
        step.legacy(pairs);
        // All pairs see the variables as they were before the instruction.
        let expanded: Vec<_> = pairs
            .iter()
            .filter_map(|pair| Some((pair, self.expand(&pair.name, step)?, self.expand(&pair.value, step)?)))
            .collect();
        for (pair, name, value) in expanded {
            step.secret("ENV", &name, pair.name.span);
            self.state.env.set(&name, value);
        }
    }

    fn arg(&mut self, arg: &Arg, step: &mut Step<'_>) {
        for pair in &arg.pairs {
            let name = &pair.name.text;
            step.secret("ARG", name, pair.name.span);
            let given = self.settings.build_args.get(name).cloned();
            let value = match (given, &pair.default) {
                (Some(given), _) => Some(given),
                (None, Some(default)) => self.expand(default, step),
                (None, None) => self.globals.env.get(name).map(str::to_owned),
            };
            match value {
                Some(value) => self.state.env.set(name, value),
                None => drop(self.state.declared.insert(name.clone())),
            }
        }
    }

    /// The sources of `COPY` or `ADD`; `verb` where they come from the build context.
    fn sources(&self, sources: &[CopySource], verb: Option<&str>, step: &mut Step<'_>) {
        for source in sources {
            match source {
                CopySource::Heredoc(heredoc) if heredoc.expand => {
                    if let Some(expansion) = self.state.env.expand_text(&heredoc.content, self.globals.budget)
                    {
                        self.report(&expansion, heredoc.span, step);
                    }
                }
                CopySource::Heredoc(_) => {}
                CopySource::Path(path) => {
                    let expanded = self.expand(path, step);
                    if let Some((verb, expanded)) = verb.zip(expanded) {
                        self.ignored(&expanded, verb, path.span, step);
                    }
                }
            }
        }
    }

    fn ignored(&self, path: &str, verb: &str, span: Span, step: &mut Step<'_>) {
        // Where there are exceptions, a folder may be left out and still have something in it.
        let Some(matcher) = self.settings.ignore.filter(|matcher| !matcher.has_exceptions()) else { return };
        let is_remote = path.contains("://") || path.starts_with("git@");
        let path = ignore::clean(path);
        let ignored = match path.as_str() {
            "." | "/" => matcher.ignores_everything(),
            path => matcher.matches(path.trim_start_matches('/')),
        };
        if ignored && !is_remote {
            let message = format!("Attempting to {verb} file {path:?} that is excluded by .dockerignore");
            step.add(Rule::CopyIgnoredFile, span, message);
        }
    }

    /// Reports the instruction of the same kind that this one undoes.
    fn once(&mut self, kind: usize, step: &mut Step<'_>) {
        let keyword = &step.instruction.keyword;
        if let Some(before) = self.last[kind].replace(keyword.span) {
            let message = format!(
                "Multiple {} instructions should not be used in the same stage because only the last one will be used",
                keyword.text
            );
            let finding = Diagnostic::warning(before, message).with_label(keyword.span, "this one counts");
            let comments = &step.instruction.comments;
            step.findings.add(Rule::MultipleInstructionsDisallowed, comments, finding);
        }
    }

    fn shell_form(&self, command: &CommandForm, step: &mut Step<'_>) {
        if let CommandForm::Shell(_) = command
            && !self.state.has_shell
        {
            let keyword = &step.instruction.keyword;
            let message = format!(
                "JSON arguments recommended for {} to prevent unintended behavior related to OS signals",
                keyword.text
            );
            step.add(Rule::JsonArgsRecommended, keyword.span, message);
        }
    }

    /// The first path of a stage says where all that follow are.
    fn workdir(&mut self, path: &Word, step: &mut Step<'_>) {
        let expanded = self.expand(path, step);
        let known = std::mem::replace(&mut self.state.has_workdir, true);
        if let Some(relative) = expanded.filter(|path| !known && !path.starts_with('/')) {
            let message = format!(
                "Relative workdir {relative:?} can have unexpected results if the base image changes"
            );
            step.add(Rule::WorkdirRelativePath, path.span, message);
        }
    }

    fn expose(&self, ports: &[Word], step: &mut Step<'_>) {
        for word in ports {
            let ports = self.state.env.expand_words(&word.text, self.globals.escape, self.globals.budget);
            for port in ports.into_iter().flatten() {
                let (numbers, protocol) = port.split_once('/').unwrap_or((&port, ""));
                if protocol != protocol.to_lowercase() {
                    let message =
                        format!("Defined protocol '{port}' in EXPOSE instruction should be lowercase");
                    step.add(Rule::ExposeProtoCasing, word.span, message);
                }
                if numbers.contains(':') {
                    let message = format!(
                        "EXPOSE instruction should not define an IP address or host-port mapping, found '{port}'"
                    );
                    step.add(Rule::ExposeInvalidFormat, word.span, message);
                }
            }
        }
    }
}
