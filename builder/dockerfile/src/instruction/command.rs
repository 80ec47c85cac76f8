//! Shell form and exec form of a command.

use crate::word::Word;

/// The command of `RUN`, `CMD`, `ENTRYPOINT` or `HEALTHCHECK CMD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandForm {
    /// A line for the stage's shell; may be empty.
    Shell(Word),
    /// A JSON list: the program and its arguments; may be empty.
    Exec(Vec<Word>),
}

impl CommandForm {
    /// The argument vector: an exec form as it stands, a shell form as the last argument of `shell`.
    pub fn argv(&self, shell: &[String]) -> Vec<String> {
        match self {
            CommandForm::Shell(line) => shell.iter().cloned().chain([line.text.clone()]).collect(),
            CommandForm::Exec(words) => words.iter().map(|word| word.text.clone()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Span;

    #[test]
    fn only_the_shell_form_is_given_to_the_shell() {
        let shell = ["/bin/sh".to_owned(), "-c".to_owned()];
        let word = |text: &str| Word::new(text, Span::default());
        assert_eq!(CommandForm::Shell(word("echo a")).argv(&shell), ["/bin/sh", "-c", "echo a"]);
        assert_eq!(CommandForm::Exec(vec![word("echo"), word("a")]).argv(&shell), ["echo", "a"]);
    }
}
