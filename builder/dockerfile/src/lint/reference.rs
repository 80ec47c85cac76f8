//! Whether a text can be the name of an image.

/// Whether `text` is `[registry/]path[:tag][@digest]`.
pub(super) fn is_valid(text: &str) -> bool {
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (text, None),
    };
    if digest.is_some_and(|digest| !is_digest(digest)) {
        return false;
    }
    // A colon behind the last slash begins the tag, one before it belongs to the registry.
    let path_start = name.rfind('/').map_or(0, |at| at + 1);
    let (name, tag) = match name[path_start..].find(':') {
        Some(at) => (&name[..path_start + at], Some(&name[path_start + at + 1..])),
        None => (name, None),
    };
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return false;
    }
    let path = match name.split_once('/') {
        Some((first, path)) if is_registry(first) => path,
        _ => name,
    };
    path.split('/').all(is_component)
}

fn is_registry(first: &str) -> bool {
    let known = first == "localhost" || first.contains(['.', ':']) || first != first.to_lowercase();
    known && first.chars().all(|next| next.is_ascii_alphanumeric() || "-.:[]".contains(next))
}

/// Letters and digits, between them a dot, one or two underscores, or dashes.
fn is_component(component: &str) -> bool {
    let is_word = |next: char| next.is_ascii_lowercase() || next.is_ascii_digit();
    let separators = component.split(is_word);
    component.starts_with(is_word)
        && component.ends_with(is_word)
        && separators.into_iter().all(|separator| {
            matches!(separator, "" | "." | "_" | "__") || separator.chars().all(|next| next == '-')
        })
}

fn is_tag(tag: &str) -> bool {
    let is_word = |next: char| next.is_ascii_alphanumeric() || next == '_';
    tag.len() <= 128
        && tag.starts_with(is_word)
        && tag.chars().all(|next| is_word(next) || ".-".contains(next))
}

fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        !algorithm.is_empty() && hex.len() >= 32 && hex.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images() {
        let digest = "a".repeat(64);
        for text in ["busybox", "busybox:1.36-musl", "reg.example:5000/a/b_c__d--e:Tag", "localhost/a"] {
            assert!(is_valid(text), "{text}");
        }
        assert!(is_valid(&format!("a/b:c@sha256:{digest}")));
        for text in ["", "busybox:", "Busybox", "a//b", "-a", "a/b:t g", "a@sha256:12", "a_-b", ":tag"] {
            assert!(!is_valid(text), "{text}");
        }
    }
}
