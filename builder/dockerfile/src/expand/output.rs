//! What a lexer writes: one text, and the words in it.

/// A text, and the words in it.
#[derive(Default)]
pub(super) struct Output {
    pub(super) text: String,
    pub(super) words: Words,
}

impl Output {
    /// Adds text whose blanks separate words.
    pub(super) fn push_split(&mut self, text: &str) {
        self.text.push_str(text);
        self.words.push_split(text);
    }

    /// Adds text whose blanks do not.
    pub(super) fn push_whole(&mut self, text: &str) {
        self.text.push_str(text);
        self.words.current.push_str(text);
    }
}

#[derive(Default)]
pub(super) struct Words {
    done: Vec<String>,
    current: String,
}

impl Words {
    fn push_split(&mut self, text: &str) {
        for next in text.chars() {
            if !next.is_whitespace() {
                self.current.push(next);
            } else if !self.current.is_empty() {
                self.done.push(std::mem::take(&mut self.current));
            }
        }
    }

    pub(super) fn finish(mut self) -> Vec<String> {
        if !self.current.is_empty() {
            self.done.push(self.current);
        }
        self.done
    }
}
