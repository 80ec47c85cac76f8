//! How a layer leans on what lies below it: directories without an entry of their own, hard links to files of
//! other layers. A layer that does is composed for its parent before it is used.

/// Kept with the layer's record, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Leaning {
    /// Directories that exist only because something in them does, parents first.
    pub(crate) implied: Vec<Vec<u8>>,
    /// Hard links whose target is not in the layer: path and target, in the order they were made.
    pub(crate) links: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Leaning {
    pub(crate) fn is_empty(&self) -> bool {
        self.implied.is_empty() && self.links.is_empty()
    }

    /// A line for each: `d path` or `l path target`, with every byte that is not plain as `%XX`.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        for path in &self.implied {
            text.push_str("d ");
            escape(path, &mut text);
            text.push('\n');
        }
        for (path, target) in &self.links {
            text.push_str("l ");
            escape(path, &mut text);
            text.push(' ');
            escape(target, &mut text);
            text.push('\n');
        }
        text
    }

    /// What [`Self::to_text`] wrote; `None` for anything else.
    pub(crate) fn from_text(text: &str) -> Option<Leaning> {
        let mut leaning = Leaning::default();
        for line in text.lines() {
            let mut words = line.split(' ');
            match (words.next()?, words.next()?, words.next()) {
                ("d", path, None) => leaning.implied.push(unescape(path)?),
                ("l", path, Some(target)) => leaning.links.push((unescape(path)?, unescape(target)?)),
                _ => return None,
            }
        }
        Some(leaning)
    }
}

fn escape(path: &[u8], text: &mut String) {
    for byte in path {
        match byte {
            b'%' | 0..=b' ' | 0x7f.. => text.push_str(&format!("%{byte:02x}")),
            plain => text.push(char::from(*plain)),
        }
    }
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut path = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        match byte {
            b'%' => {
                let digits = std::str::from_utf8(after.get(..2)?).ok()?;
                path.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &after[2..];
            }
            plain => {
                path.push(*plain);
                rest = after;
            }
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_survives_the_text() {
        let leaning = Leaning {
            implied: vec![b"a b".to_vec(), b"new\nline/100%".to_vec(), vec![0xff, b'x']],
            links: vec![(b"usr/bin/x".to_vec(), b"caf\xc3\xa9".to_vec())],
        };
        assert_eq!(Leaning::from_text(&leaning.to_text()), Some(leaning));
        assert_eq!(Leaning::from_text("x y\n"), None);
    }
}
