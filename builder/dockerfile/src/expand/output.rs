//! What a lexer writes: one text, or the words in it.

/// Takes what a lexer reads.
pub(super) trait Output: Default {
    /// Adds text whose blanks separate words.
    fn push_split(&mut self, text: &str);

    /// Adds text whose blanks do not.
    fn push_whole(&mut self, text: &str);

    /// How many bytes were added.
    fn size(&self) -> usize;
}

impl Output for String {
    fn push_split(&mut self, text: &str) {
        self.push_str(text);
    }

    fn push_whole(&mut self, text: &str) {
        self.push_str(text);
    }

    fn size(&self) -> usize {
        self.len()
    }
}

/// Words; an empty one, even in quotes, is none.
#[derive(Default)]
pub(super) struct Words {
    done: Vec<String>,
    current: String,
    size: usize,
}

impl Words {
    pub(super) fn finish(mut self) -> Vec<String> {
        if !self.current.is_empty() {
            self.done.push(self.current);
        }
        self.done
    }
}

impl Output for Words {
    fn push_split(&mut self, text: &str) {
        self.size += text.len();
        for next in text.chars() {
            if !next.is_whitespace() {
                self.current.push(next);
            } else if !self.current.is_empty() {
                self.done.push(std::mem::take(&mut self.current));
            }
        }
    }

    fn push_whole(&mut self, text: &str) {
        self.size += text.len();
        self.current.push_str(text);
    }

    fn size(&self) -> usize {
        self.size
    }
}
