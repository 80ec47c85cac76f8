//! Copying files.

use tug_solver::KeyBuilder;

/// Copies files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyOp {
    /// Paths with wildcards in the second input, in order.
    pub sources: Vec<String>,
    /// Files that are given here, after the sources.
    pub files: Vec<CopyFile>,
    /// Absolute; a directory where it ends with a slash.
    pub destination: String,
    /// `user[:group]` of what is copied.
    pub chown: Option<String>,
    /// The mode of what is copied.
    pub chmod: Option<Chmod>,
    /// Onto nothing: what is at the destination is not looked at.
    pub link: bool,
    /// Keep the sources' directories.
    pub parents: bool,
    /// Patterns of paths to leave out.
    pub exclude: Vec<String>,
    /// What happens with archives.
    pub unpack: Unpack,
    /// Later times become this one.
    pub epoch: Option<i64>,
}

/// A file that is given in the Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyFile {
    /// Its name.
    pub name: String,
    /// Its content.
    pub content: String,
}

/// What happens with archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpack {
    /// They are files.
    Never,
    /// Sources that are archives are unpacked at the destination.
    Archives,
}

impl CopyOp {
    pub(super) fn define(&self, key: &mut KeyBuilder) {
        key.texts(&self.sources);
        key.texts(self.files.iter().flat_map(|file| [file.name.as_str(), file.content.as_str()]));
        key.text(&self.destination);
        super::option(key, self.chown.as_deref());
        super::option(key, self.chmod.as_ref().map(|chmod| chmod.text.as_str()));
        key.number(u64::from(self.link)).number(u64::from(self.parents)).texts(&self.exclude);
        key.number(u64::from(self.unpack == Unpack::Archives));
        super::epoch(key, self.epoch);
    }
}

/// A mode to set, octal or symbolic as for chmod(1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chmod {
    text: String,
    change: Change,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    Octal(u32),
    Symbolic(Vec<Clause>),
}

/// Who, how, what: `u+rw`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Clause {
    who: u32,
    operator: u8,
    bits: u32,
    /// `X`: x for directories and for what has an x already.
    conditional_x: bool,
}

/// A text that is no mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("mode {0:?} is malformed: write octal digits up to 07777, or clauses such as u+rwx,g-w")]
pub struct ChmodError(pub String);

impl Chmod {
    /// Reads a mode.
    pub fn parse(text: &str) -> Result<Chmod, ChmodError> {
        let wrong = || ChmodError(text.to_owned());
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777).ok_or_else(wrong)?;
            return Ok(Chmod { text: text.to_owned(), change: Change::Octal(mode) });
        }
        let clauses: Option<Vec<Clause>> = text.split(',').map(clause).collect();
        Ok(Chmod { text: text.to_owned(), change: Change::Symbolic(clauses.ok_or_else(wrong)?) })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The mode of a file or directory that had `mode`.
    pub fn apply(&self, mode: u32, directory: bool) -> u32 {
        match &self.change {
            Change::Octal(octal) => *octal,
            Change::Symbolic(clauses) => clauses.iter().fold(mode & 0o7777, |mode, clause| {
                let x = clause.conditional_x && (directory || mode & 0o111 != 0);
                let bits = (clause.bits | if x { 0o111 } else { 0 }) & clause.who;
                match clause.operator {
                    b'+' => mode | bits,
                    b'-' => mode & !bits,
                    _ => (mode & !(clause.who & 0o777)) | bits,
                }
            }),
        }
    }
}

fn clause(text: &str) -> Option<Clause> {
    let at = text.find(['+', '-', '='])?;
    let (who_text, rest) = text.split_at(at);
    let mut who = 0;
    for letter in who_text.bytes() {
        who |= match letter {
            b'u' => 0o4700,
            b'g' => 0o2070,
            b'o' => 0o1007,
            b'a' => 0o7777,
            _ => return None,
        };
    }
    if who_text.is_empty() {
        who = 0o7777;
    }
    let operator = rest.as_bytes()[0];
    let mut bits = 0;
    let mut conditional_x = false;
    for letter in rest.bytes().skip(1) {
        match letter {
            b'r' => bits |= 0o444,
            b'w' => bits |= 0o222,
            b'x' => bits |= 0o111,
            b's' => bits |= 0o6000,
            b't' => bits |= 0o1000,
            b'X' => conditional_x = true,
            _ => return None,
        }
    }
    Some(Clause { who, operator, bits, conditional_x })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_octal_or_clauses() {
        let check = |text: &str, mode, directory, want: u32| {
            let got = Chmod::parse(text).unwrap().apply(mode, directory);
            assert_eq!(got, want, "{text} on {mode:o}: {got:o}");
        };
        check("0644", 0o777, false, 0o644);
        check("0", 0o777, false, 0);
        check("go-w", 0o666, false, 0o644);
        check("u=rw,g=r,o=r", 0o666, false, 0o644);
        check("a+X", 0o666, false, 0o666);
        check("a+X", 0o124, true, 0o135);
        check("u+rw,g+r,o-x,o+w", 0o124, true, 0o766);
    }

    #[test]
    fn what_is_no_mode_is_refused() {
        for text in ["64a", "10000", "", "u", "q+r", "u+q", "9"] {
            assert!(Chmod::parse(text).is_err(), "{text}");
        }
    }
}
