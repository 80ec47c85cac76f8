//! `.dockerignore`: reading its patterns and matching paths against them.
//!
//! The last pattern that matches a path, or a folder above it, decides; a pattern with `!` brings back what an earlier
//! one ignored. Patterns are anchored at the root of the build context, `**` stands for any number of folders.

mod pattern;

pub use pattern::IgnoreError;
pub(crate) use pattern::clean;

use pattern::IgnorePattern;

/// The patterns of an ignore file, in order: comments and blanks are gone, paths are cleaned.
pub fn read(content: &str) -> Vec<String> {
    let content = content.strip_prefix('\u{feff}').unwrap_or(content);
    content.lines().filter(|line| !line.starts_with('#')).filter_map(read_line).collect()
}

fn read_line(line: &str) -> Option<String> {
    let line = line.trim();
    let (exception, path) = match line.strip_prefix('!') {
        Some(path) => ("!", path.trim()),
        None => ("", line),
    };
    if path.is_empty() {
        return (!exception.is_empty()).then(|| exception.to_owned());
    }
    let path = pattern::clean(path);
    let relative = path.strip_prefix('/').filter(|relative| !relative.is_empty()).unwrap_or(&path);
    Some(format!("{exception}{relative}"))
}

/// Decides which paths are ignored.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    patterns: Vec<IgnorePattern>,
}

/// What a walk knows about a folder; [`Matcher::root`] begins, [`Matcher::enter`] goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// For each pattern, whether it matched the path or a folder above it.
    matched: Vec<bool>,
    ignored: bool,
}

impl Verdict {
    /// Whether the path is ignored.
    pub fn is_ignored(&self) -> bool {
        self.ignored
    }
}

impl Matcher {
    /// A matcher of patterns as [`read`] gives them; the last one that matches a path wins.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, IgnoreError> {
        let patterns = patterns.iter().map(|pattern| pattern.as_ref().trim()).filter(|text| !text.is_empty());
        Ok(Matcher { patterns: patterns.map(IgnorePattern::new).collect::<Result<_, _>>()? })
    }

    /// Whether there is no pattern: nothing is ignored.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether a pattern begins with `!`.
    pub fn has_exceptions(&self) -> bool {
        self.patterns.iter().any(IgnorePattern::is_exception)
    }

    /// Whether a pattern matches all that there is.
    pub fn ignores_everything(&self) -> bool {
        self.patterns.iter().any(|pattern| !pattern.is_exception() && pattern.matches_everything())
    }

    /// Whether `path` (relative, with slashes) is ignored, by itself or because a folder above it is.
    pub fn matches(&self, path: &str) -> bool {
        let path = pattern::clean(path);
        if path == "." {
            return false;
        }
        let mut ignored = false;
        for pattern in self.patterns.iter() {
            if pattern.is_exception() == ignored && pattern.matches_or_above(&path) {
                ignored = !ignored;
            }
        }
        ignored
    }

    /// What a walk that starts at the root of the build context knows there.
    pub fn root(&self) -> Verdict {
        Verdict { matched: vec![false; self.patterns.len()], ignored: false }
    }

    /// The verdict on `path`, which lies directly in the folder that `folder` is about. It is that of
    /// [`Matcher::matches`], but each pattern is only tried on the path itself.
    pub fn enter(&self, folder: &Verdict, path: &str) -> Verdict {
        let mut ignored = false;
        let verdict = |(at, pattern): (usize, &IgnorePattern)| {
            let above = folder.matched.get(at).copied().unwrap_or_default();
            let matched = above || (pattern.is_exception() == ignored && pattern.matches(path));
            if matched {
                ignored = !pattern.is_exception();
            }
            matched
        };
        let matched = self.patterns.iter().enumerate().map(verdict).collect();
        Verdict { matched, ignored }
    }

    /// Whether an ignored folder has to be entered all the same: a `!` pattern may bring back what is in it.
    pub fn may_hold_exceptions(&self, folder: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.is_exception() && pattern.may_match_below(folder))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matcher(patterns: &[&str]) -> Matcher {
        Matcher::new(patterns).expect("patterns are well formed")
    }

    #[test]
    fn reading_drops_comments_and_cleans_paths() {
        let content = "\u{feff}# comment\n\n  /a//b/ \r\n! ./c\n /\n#x\n #y\n!\n";
        assert_eq!(read(content), ["a/b", "!c", "/", "#y", "!"]);
    }

    #[test]
    fn later_patterns_win_and_folders_take_their_content_along() {
        let matcher = matcher(&["docs", "!docs/README.md", "**/*.log"]);
        assert!(matcher.matches("docs/a/b.txt"));
        assert!(!matcher.matches("docs/README.md"));
        assert!(!matcher.matches("other/docs"));
        assert!(matcher.matches("a.log"));
        assert!(matcher.matches("x/y/a.log"));
        assert!(!matcher.matches("."));
    }

    #[test]
    fn a_walk_comes_to_the_same_verdicts() {
        let matcher = matcher(&["docs", "!docs/*/keep", "**/*.log"]);
        let docs = matcher.enter(&matcher.root(), "docs");
        assert!(docs.is_ignored());
        let inner = matcher.enter(&docs, "docs/a");
        assert!(inner.is_ignored());
        assert!(!matcher.enter(&inner, "docs/a/keep").is_ignored());
        assert!(matcher.enter(&inner, "docs/a/other").is_ignored());
    }

    #[test]
    fn only_folders_that_may_hold_exceptions_are_entered() {
        let matcher = matcher(&["*", "!src/*/lib", "!README.md"]);
        assert!(matcher.may_hold_exceptions("src"));
        assert!(matcher.may_hold_exceptions("src/a"));
        assert!(matcher.may_hold_exceptions("src/a/lib/deep"));
        assert!(!matcher.may_hold_exceptions("target"));
        assert!(self::matcher(&["*", "!**/keep"]).may_hold_exceptions("any/where"));
    }

    #[test]
    fn an_exception_needs_a_path() {
        assert_eq!(Matcher::new(&["!"]).err(), Some(IgnoreError::EmptyException));
        assert!(Matcher::new(&["[a"]).is_err());
    }

    fn pattern() -> impl Strategy<Value = String> {
        "!?(\\*\\*/)?[ab*]{1,2}(/[ab?]{1,2}|/\\*\\*)?"
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(content in "\\PC*", path in "\\PC*") {
            if let Ok(matcher) = Matcher::new(&read(&content)) {
                matcher.matches(&path);
                matcher.may_hold_exceptions(&path);
            }
        }

        #[test]
        fn folders_that_are_not_entered_hold_no_exceptions(
            patterns in proptest::collection::vec(pattern(), 0..5),
            names in proptest::collection::vec("[ab]{1,2}", 2..5),
        ) {
            let matcher = Matcher::new(&patterns).expect("patterns are well formed");
            let mut verdict = matcher.root();
            let mut left_out = false;
            for end in 1..=names.len() {
                let path = names[..end].join("/");
                verdict = matcher.enter(&verdict, &path);
                prop_assert!(!left_out || verdict.is_ignored(), "{}", path);
                left_out = verdict.is_ignored() && !matcher.may_hold_exceptions(&path);
            }
            if !matcher.has_exceptions() {
                prop_assert_eq!(verdict.is_ignored(), matcher.matches(&names.join("/")));
            }
        }
    }
}
