//! Variables at one place of a Dockerfile, and what expanding them may cost.

use std::cell::Cell;
use std::collections::BTreeMap;

use crate::expand::{self, ExpandError, Expansion};
use crate::suggest;

/// How much expanding may still write. Variables made of variables grow fast; a check has to end.
pub(super) struct Budget(Cell<usize>);

impl Budget {
    pub(super) fn new() -> Self {
        Budget(Cell::new(EXPANDED_BYTES_MAX))
    }

    pub(super) fn spend(&self, bytes: usize) {
        self.0.set(self.0.get().saturating_sub(bytes));
    }

    pub(super) fn is_spent(&self) -> bool {
        self.0.get() == 0
    }
}

const EXPANDED_BYTES_MAX: usize = 16 << 20;

/// Variables and their values.
#[derive(Clone, Debug, Default)]
pub(super) struct Env {
    values: BTreeMap<String, String>,
    /// The length of all names and values, and what holds them.
    size: usize,
}

impl Env {
    pub(super) fn new(pairs: &[(String, String)]) -> Self {
        let mut env = Env::default();
        pairs.iter().for_each(|(name, value)| env.set(name, value.clone()));
        env
    }

    /// How much a copy takes.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(super) fn set(&mut self, name: &str, value: String) {
        self.size += name.len() + value.len() + ENTRY_BYTES;
        if let Some(before) = self.values.insert(name.to_owned(), value) {
            self.size -= name.len() + before.len() + ENTRY_BYTES;
        }
    }

    /// An expanded word; `None` where it cannot be expanded, which the build will say.
    pub(super) fn expand(&self, text: &str, escape: char, budget: &Budget) -> Option<Expansion> {
        self.paid(budget, |lookup| expand::word(text, lookup, escape))
    }

    /// A list of expanded words.
    pub(super) fn expand_words(&self, text: &str, escape: char, budget: &Budget) -> Option<Vec<String>> {
        self.paid(budget, |lookup| expand::words(text, lookup, escape))
    }

    /// The expanded content of a heredoc.
    pub(super) fn expand_text(&self, text: &str, budget: &Budget) -> Option<Expansion> {
        self.paid(budget, |lookup| expand::text(text, lookup))
    }

    /// The variable whose name is nearest to one that does not exist.
    pub(super) fn nearest(&self, name: &str) -> Option<&str> {
        suggest::nearest(name, self.values.keys().map(String::as_str))
    }

    /// Expands, at the cost of the values that are looked up.
    fn paid<T>(
        &self,
        budget: &Budget,
        expand: impl FnOnce(&expand::Lookup<'_>) -> Result<T, ExpandError>,
    ) -> Option<T> {
        let lookup = |name: &str| {
            let value = self.get(name).filter(|_| !budget.is_spent())?;
            budget.spend(value.len());
            Some(value.to_owned())
        };
        expand(&lookup).ok().filter(|_| !budget.is_spent())
    }
}

/// What a variable takes beside its name and value.
pub(super) const ENTRY_BYTES: usize = 64;
