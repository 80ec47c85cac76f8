//! Variables at one place of a Dockerfile.

use std::collections::BTreeMap;

use crate::expand::{self, ExpandError, Expansion};
use crate::suggest;

/// Variables and their values.
#[derive(Clone, Debug, Default)]
pub(super) struct Env {
    values: BTreeMap<String, String>,
}

impl Env {
    pub(super) fn new(pairs: &[(String, String)]) -> Self {
        Env { values: pairs.iter().cloned().collect() }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(super) fn set(&mut self, name: &str, value: String) {
        self.values.insert(name.to_owned(), value);
    }

    pub(super) fn expand(&self, text: &str, escape: char) -> Result<Expansion, ExpandError> {
        expand::word(text, &|name| self.get(name).map(str::to_owned), escape)
    }

    pub(super) fn expand_words(&self, text: &str, escape: char) -> Result<Vec<String>, ExpandError> {
        expand::words(text, &|name| self.get(name).map(str::to_owned), escape)
    }

    pub(super) fn expand_text(&self, text: &str) -> Result<Expansion, ExpandError> {
        expand::text(text, &|name| self.get(name).map(str::to_owned))
    }

    /// The variable whose name is nearest to one that does not exist.
    pub(super) fn nearest(&self, name: &str) -> Option<&str> {
        let names: Vec<&str> = self.values.keys().map(String::as_str).collect();
        suggest::nearest(name, &names)
    }
}
