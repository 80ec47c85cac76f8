//! What a check has to know about the build.

use std::collections::BTreeMap;

use crate::ignore::Matcher;
use crate::lint::options::Options;

/// What the build would have.
pub struct Settings<'a> {
    /// Options that replace those of the Dockerfile.
    pub options: Option<&'a Options>,
    /// Which stages count.
    pub scope: Scope<'a>,
    /// The build arguments that are given.
    pub build_args: &'a BTreeMap<String, String>,
    /// The variables that every `FROM` has: `TARGETPLATFORM` and its kin.
    pub predefined: &'a [(String, String)],
    /// The build context's ignore file.
    pub ignore: Option<&'a Matcher>,
    /// What base images have, where that is known.
    pub bases: &'a dyn Fn(&str) -> Option<Base>,
}

/// Which stages count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// All.
    All,
    /// The last one, and those that it needs.
    Last,
    /// The one of that name or number, and those that it needs.
    Target(&'a str),
}

/// What a base image has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base {
    /// The variables of its config.
    pub env: Vec<(String, String)>,
    /// Whether its config names a shell.
    pub has_shell: bool,
    /// Its platform.
    pub platform: Option<String>,
}
