//! How people write image names, and what is meant; the rows are the distribution grammar's and Docker's.

use proptest::prelude::*;

use super::*;

/// What a text means in full, and how it is shown again.
fn check(text: &str, full: &str, familiar: &str) {
    let reference: Reference = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!((reference.to_string().as_str(), reference.familiar().as_str()), (full, familiar), "{text}");
    assert_eq!(full.parse::<Reference>().as_ref(), Ok(&reference), "{full} means the same");
}

fn digest() -> String {
    Digest::of(b"").to_string()
}

#[test]
fn docker_hubs_defaults() {
    check("app", "docker.io/library/app:latest", "app:latest");
    check("app:1", "docker.io/library/app:1", "app:1");
    check("team/app", "docker.io/team/app:latest", "team/app:latest");
    check("library/app", "docker.io/library/app:latest", "app:latest");
    check("docker.io/app", "docker.io/library/app:latest", "app:latest");
    check("index.docker.io/app", "docker.io/library/app:latest", "app:latest");
    check("index.docker.io/team/app:1", "docker.io/team/app:1", "team/app:1");
}

#[test]
fn registries_with_names_ports_and_addresses() {
    for name in [
        "registry.example/app:1",
        "registry.example:5000/a/b/c:v1.0_x-y",
        "localhost/app:1",
        "localhost:5000/app:1",
        "127.0.0.1:5000/app:1",
        "[::1]:5000/app:1",
        "[2001:db8::1]/app:1",
        "Registry.Example/app:1",
        "xn--n3h.com/app:1",
    ] {
        check(name, name, name);
    }
    check("localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app:latest");
    // A colon without a slash behind it is a tag's.
    check("localhost:5000", "docker.io/library/localhost:5000", "localhost:5000");
}

#[test]
fn digests_alone_and_with_tags() {
    let digest = digest();
    check(&format!("app@{digest}"), &format!("docker.io/library/app@{digest}"), &format!("app@{digest}"));
    let both = format!("host:5000/a/b:1@{digest}");
    check(&both, &both, &both);
    let reference: Reference = both.parse().unwrap();
    assert_eq!((reference.tag(), reference.digest().map(Digest::to_string)), (Some("1"), Some(digest)));
    let alone: Reference = "app".parse::<Reference>().unwrap().with_digest(Digest::of(b"x"));
    assert_eq!(alone.tag(), None, "a digest needs no tag");
}

#[test]
fn path_parts_are_joined_by_dots_underscores_and_dashes() {
    for good in ["a.b", "a_b", "a__b", "a-b", "a---b", "0", "a/b.c/d__e/f--g", "a.b_c"] {
        let text = format!("h.example/{good}:1");
        check(&text, &text, &text);
    }
    for bad in ["a..b", "a___b", "-a", "a-", ".a", "a.", "_a", "a._b", "a//b", "a/", "/a", "ä", "a b", "a\n"]
    {
        let text = format!("h.example/{bad}");
        assert!(text.parse::<Reference>().is_err(), "{text}");
    }
}

#[test]
fn what_is_refused_and_why() {
    use ParseReferenceError as Error;
    let parse = |text: &str| text.parse::<Reference>().unwrap_err();
    assert_eq!(parse(""), Error::Empty);
    assert!(matches!(parse("App"), Error::Uppercase(_)));
    assert!(matches!(parse("team/App"), Error::Uppercase(_)));
    assert!(matches!(parse("app:"), Error::Tag { .. }));
    assert!(matches!(parse("app:-x"), Error::Tag { .. }));
    assert!(matches!(parse("app:a b"), Error::Tag { .. }));
    assert!(matches!(parse(&format!("app:{}", "x".repeat(129))), Error::Tag { .. }));
    assert!(matches!(parse("app@sha256:abc"), Error::Digest { .. }));
    assert!(matches!(parse("app@md5:abc"), Error::Digest { .. }));
    assert!(matches!(parse("app@"), Error::Digest { .. }));
    assert!(matches!(parse(&format!("app@{0}@{0}", digest())), Error::Digest { .. }));
    assert!(matches!(parse("https://registry.example/app"), Error::Registry { .. }));
    assert!(matches!(parse("host:99999/app"), Error::Registry { .. }));
    assert!(matches!(parse("-host.example/app"), Error::Registry { .. }));
    assert!(matches!(parse("../app"), Error::Registry { .. }));
    assert!(matches!(parse("h.example/../app"), Error::Repository(_)));
    assert!(matches!(parse(":1"), Error::Repository(_)));
    assert!(matches!(parse(&format!("@{}", digest())), Error::Repository(_)));
    assert!(matches!(parse(&"a".repeat(300)), Error::TooLong(_)));
    assert!(matches!(parse(&"0123456789abcdef".repeat(4)), Error::ImageId(_)));
}

#[test]
fn a_tag_replaces_tag_and_digest() {
    let reference: Reference = format!("h.example/app:1@{}", digest()).parse().unwrap();
    assert_eq!(reference.with_tag("2").unwrap().to_string(), "h.example/app:2");
    assert!(reference.with_tag("a/b").is_err());
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in ".{0,80}") {
        let _ = text.parse::<Reference>();
    }

    /// What is accepted can be a path and an address: no `..`, nothing empty, no blanks.
    #[test]
    fn what_is_accepted_is_harmless(text in r"[a-zA-Z0-9:/@._\[\]-]{1,60}") {
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert!(reference.repository().split('/').all(|part| !part.is_empty() && part != "." && part != ".."));
            prop_assert!(!reference.registry().is_empty() && !reference.registry().contains('/'));
            prop_assert_eq!(reference.to_string().parse::<Reference>(), Ok(reference.clone()));
            prop_assert_eq!(reference.familiar().parse::<Reference>(), Ok(reference));
        }
    }
}
