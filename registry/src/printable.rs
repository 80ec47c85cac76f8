//! Foreign text made fit for a terminal: bounded, on one line, without control characters.

/// `text` without control characters, runs of blanks as one blank, at most `chars_max` characters.
pub(crate) fn printable(text: &str, chars_max: usize) -> String {
    let mut out = String::new();
    let mut count = 0;
    let mut gap = false;
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            gap = !out.is_empty();
            continue;
        }
        if is_deceptive(c) {
            continue;
        }
        if count + usize::from(gap) >= chars_max {
            out.push('…');
            break;
        }
        if gap {
            out.push(' ');
            count += 1;
            gap = false;
        }
        out.push(c);
        count += 1;
    }
    out
}

/// Characters that take no room or turn the direction of writing.
fn is_deceptive(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn escapes_and_line_breaks_do_not_reach_the_terminal() {
        assert_eq!(printable("  a\x1b[31mred\r\n\tb\u{202e}c  ", 100), "a [31mred bc");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(printable("abc", 3), "abc");
        assert_eq!(printable("ab cd", 3), "ab…");
    }
}
