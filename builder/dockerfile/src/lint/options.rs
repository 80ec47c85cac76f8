//! `check=skip=…;error=…;experimental=…`: which rules look, and whether a finding fails the build.

use crate::lint::rule::Rule;
use crate::value;
use crate::word::Word;

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    skip: Selection,
    experimental: Selection,
    /// Whether a finding fails the build.
    pub error: bool,
}

/// Some of the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Selection {
    all: bool,
    names: Vec<String>,
}

/// Options that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown check option {option:?}")]
pub struct OptionsError {
    /// The option.
    pub option: String,
}

impl Options {
    /// Reads the value of a `# check=` comment; what follows a blank is a remark.
    pub fn from_comment(value: &str) -> Result<Self, OptionsError> {
        Options::new(value.trim().split(' ').next().unwrap_or_default())
    }

    /// Reads options.
    pub fn new(text: &str) -> Result<Self, OptionsError> {
        let mut options = Options::default();
        for option in text.splitn(OPTIONS_MAX, ';').filter(|_| !text.is_empty()) {
            let unknown = || OptionsError { option: option.to_owned() };
            let (key, value) = option.split_once('=').ok_or_else(unknown)?;
            match key.trim() {
                "skip" => options.skip = Selection::new(value),
                "experimental" => options.experimental = Selection::new(value),
                "error" => options.error = value::truth(value.trim()).ok_or_else(unknown)?,
                _ => return Err(unknown()),
            }
        }
        Ok(options)
    }

    /// Whether a rule looks at an instruction that these comments stand above. They can have options of their own,
    /// for that instruction alone.
    pub(super) fn allows(&self, rule: Rule, comments: &[Word]) -> bool {
        let local = comments.iter().find_map(|comment| local(&comment.text)).unwrap_or_default();
        let either = |select: fn(&Options) -> &Selection| select(self).has(rule) || select(&local).has(rule);
        match rule.is_experimental() {
            true => either(|options| &options.experimental),
            false => !either(|options| &options.skip),
        }
    }
}

/// There are no more than three.
const OPTIONS_MAX: usize = 3;

/// The options in a comment; what cannot be read is a comment like others.
fn local(comment: &str) -> Option<Options> {
    let (name, value) = comment.split_once('=')?;
    let is_check = name.trim().eq_ignore_ascii_case("check");
    is_check.then(|| Options::from_comment(value).unwrap_or_default())
}

impl Selection {
    fn new(value: &str) -> Self {
        match value.trim() {
            "all" => Selection { all: true, names: Vec::new() },
            names => {
                let names = names.split(',').map(|name| name.trim().to_owned());
                Selection { all: false, names: names.collect() }
            }
        }
    }

    fn has(&self, rule: Rule) -> bool {
        self.all || self.names.iter().any(|name| name == rule.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Span;

    #[test]
    fn options_select_rules() {
        let options = Options::new("skip=UndefinedVar, FromAsCasing;error=true").expect("can be read");
        assert!(options.error);
        assert!(!options.allows(Rule::UndefinedVar, &[]));
        assert!(options.allows(Rule::StageNameCasing, &[]));
        assert!(!options.allows(Rule::InvalidDefinitionDescription, &[]));
        let comment = [Word::new("check = skip=all // here", Span::default())];
        assert!(!options.allows(Rule::StageNameCasing, &comment));
        let experimental = Options::new("skip=all;experimental=all").expect("can be read");
        assert!(experimental.allows(Rule::InvalidDefinitionDescription, &[]));
    }

    #[test]
    fn unknown_options_are_refused() {
        for text in ["skip", "skips=all", "error=maybe"] {
            assert!(Options::new(text).is_err(), "{text}");
        }
        assert_eq!(Options::new(""), Ok(Options::default()));
    }
}
