//! The fields of a flag's value, separated by commas; one with commas in it stands in double quotes.

/// The fields; `None` where quotes are not balanced.
pub(crate) fn fields(text: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let (field, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        if !rest.starts_with('"') && field.contains('"') {
            return None;
        }
        fields.push(field);
        if behind.is_empty() {
            return Some(fields);
        }
        rest = behind.strip_prefix(',')?;
    }
}

/// A field whose opening quote was taken, and what follows its closing one.
fn quoted_field(text: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let (before, behind) = rest.split_once('"')?;
        field.push_str(before);
        match behind.strip_prefix('"') {
            Some(behind) => {
                field.push('"');
                rest = behind;
            }
            None => return Some((field, behind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_protect_commas() {
        assert_eq!(fields("a=b,c").expect("is balanced"), ["a=b", "c"]);
        assert_eq!(fields("\"a,\"\"b\"\"\",").expect("is balanced"), ["a,\"b\"", ""]);
        assert_eq!(fields("a\"b"), None);
        assert_eq!(fields("\"a"), None);
        assert_eq!(fields("\"a\"b"), None);
    }
}
