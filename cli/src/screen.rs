//! Lines on a terminal that are drawn again and again in their place.

use std::io::{self, Write};

use tug_runner::terminal;

/// The lines last drawn, below which nothing else was written.
pub(crate) struct Screen {
    drawn: usize,
}

/// Rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl Screen {
    /// An empty one, from the cursor's line on.
    pub(crate) fn new() -> Screen {
        Screen { drawn: 0 }
    }

    /// Draws lines over those drawn before. They must fit the terminal.
    pub(crate) fn draw(&mut self, out: &mut dyn Write, lines: &[String]) -> io::Result<()> {
        let mut text = String::new();
        if self.drawn > 0 {
            text.push_str(&format!("\x1b[{}A", self.drawn));
        }
        for line in lines {
            text.push_str(&format!("\r{line}\x1b[K\n"));
        }
        text.push_str("\x1b[J");
        self.drawn = lines.len();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// What was drawn stays; the next lines come below it.
    pub(crate) fn keep(&mut self) {
        self.drawn = 0;
    }
}

/// The size of the terminal on the standard error, or what terminals usually have.
pub(crate) fn size() -> Size {
    match terminal::window_size(io::stderr()) {
        Ok((rows, columns)) if rows > 1 && columns > 1 => Size { rows: rows.into(), columns: columns.into() },
        _ => Size { rows: 24, columns: 80 },
    }
}

/// The text, cut so that it fits so many columns.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    match text.chars().count() > columns {
        true => text.chars().take(columns.saturating_sub(1)).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_over_what_was_drawn() {
        let mut screen = Screen::new();
        let mut out = Vec::new();
        screen.draw(&mut out, &["a".to_owned(), "b".to_owned()]).unwrap();
        screen.draw(&mut out, &["c".to_owned()]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "\ra\x1b[K\n\rb\x1b[K\n\x1b[J\x1b[2A\rc\x1b[K\n\x1b[J");
    }

    #[test]
    fn long_lines_are_cut() {
        assert_eq!(fit("abcdef", 4), "abc…");
        assert_eq!(fit("abcd", 4), "abcd");
    }
}
