//! What is known at one place of a stage.

use std::collections::BTreeSet;

use crate::lint::env::{ENTRY_BYTES, Env};
use crate::lint::settings::Base;

/// What a stage hands to those that stand on it.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) env: Env,
    /// Whether the variables of the base image are known: if not, none can be called undefined.
    pub(super) knows_base: bool,
    pub(super) has_shell: bool,
    /// Arguments that are declared and have no value.
    pub(super) declared: BTreeSet<String>,
    pub(super) has_workdir: bool,
}

impl State {
    /// What a stage on an image begins with.
    pub(super) fn on(base: &Base) -> Self {
        let mut env = Env::new(&base.env);
        // A step always has one.
        if env.get("PATH").is_none() {
            env.set("PATH", String::new());
        }
        State { env, knows_base: true, has_shell: base.has_shell, ..State::default() }
    }

    /// How much a copy of it takes.
    pub(super) fn size(&self) -> usize {
        let declared = self.declared.iter().map(|name| name.len() + ENTRY_BYTES);
        self.env.size() + declared.sum::<usize>()
    }
}
