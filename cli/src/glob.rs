//! Wildcards in names: `*` and `?` stop at a slash, `[a-z]` is a class (Go's `path.Match`).

/// Whether the whole text fits the pattern. A malformed class fits nothing.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // Where to go on when what follows the last star does not fit: the star takes one more character.
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            None if t == text.len() => return true,
            None => None,
            Some(_) => text.get(t).and_then(|c| one(&pattern[p..], *c)),
        };
        if let Some(used) = step {
            p += used;
            t += 1;
            continue;
        }
        match star {
            Some((at, from)) if from < text.len() && text[from] != '/' => {
                star = Some((at, from + 1));
                (p, t) = (at + 1, from + 1);
            }
            _ => return false,
        }
    }
}

/// How many characters of the pattern the character fits.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern {
        ['?', ..] => (c != '/').then_some(1),
        ['\\', escaped, ..] => (*escaped == c).then_some(2),
        ['[', rest @ ..] => {
            let end = rest.iter().skip(1).position(|end| *end == ']')? + 1;
            let (negated, class) = match rest[0] {
                '^' => (true, &rest[1..end]),
                _ => (false, &rest[..end]),
            };
            (in_class(class, c) != negated).then_some(end + 2)
        }
        [plain, ..] => (*plain == c).then_some(1),
        [] => None,
    }
}

fn in_class(class: &[char], c: char) -> bool {
    match class {
        [low, '-', high, rest @ ..] => (*low..=*high).contains(&c) || in_class(rest, c),
        [single, rest @ ..] => *single == c || in_class(rest, c),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, text) in [
            ("a*c", "abbc"),
            ("*", ""),
            ("*/b", "a/b"),
            ("a?c", "abc"),
            ("[a-c]x", "bx"),
            ("[^a]x", "bx"),
            ("\\*", "*"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("*", "a/b"), ("a?c", "a/c"), ("[a-c]x", "dx"), ("[", "["), ("a", "ab"), ("a*b", "a")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
