//! What a registry asks for: `WWW-Authenticate` (RFC 9110, section 11), read from servers that may be hostile.
//!
//! Never fails and never panics: what cannot be read is left out.

/// One way to show who one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// A token from a token server.
    Bearer(Bearer),
    /// A user name and password.
    Basic,
    /// A scheme that is not known here.
    Other(String),
}

/// Where a token is to be had, and what for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bearer {
    /// The token server.
    pub(crate) realm: String,
    /// The audience.
    pub(crate) service: Option<String>,
    /// What the refused request needed.
    pub(crate) scope: Option<String>,
}

/// The challenges of a response's `WWW-Authenticate` fields, in order.
pub(crate) fn parse<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    for field in fields.into_iter().take(FIELDS_MAX) {
        if field.len() > FIELD_BYTES_MAX {
            continue;
        }
        let mut cursor = Cursor { rest: field };
        while challenges.len() < CHALLENGES_MAX {
            let Some(scheme) = cursor.scheme() else { break };
            challenges.extend(challenge(&scheme, cursor.parameters()));
        }
    }
    challenges
}

fn challenge(scheme: &str, parameters: Vec<(String, String)>) -> Option<Challenge> {
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Some(Challenge::Other(scheme.to_owned()));
    }
    let mut bearer = Bearer::default();
    for (name, value) in parameters {
        match name.as_str() {
            "realm" => bearer.realm = value,
            "service" => bearer.service = Some(value),
            "scope" => bearer.scope = Some(value),
            _ => {}
        }
    }
    // Without a realm nobody can be asked.
    (!bearer.realm.is_empty()).then_some(Challenge::Bearer(bearer))
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    /// The next challenge's scheme; `None` at the end, or where the text makes no sense.
    fn scheme(&mut self) -> Option<String> {
        self.skip(|b| b == b',' || is_blank(b));
        self.token()
    }

    /// What follows a scheme, up to the next one.
    fn parameters(&mut self) -> Vec<(String, String)> {
        let mut parameters = Vec::new();
        while parameters.len() < PARAMETERS_MAX {
            let before = self.rest;
            self.skip(|b| b == b',' || is_blank(b));
            match self.parameter() {
                Some(parameter) => parameters.push(parameter),
                None => {
                    self.rest = before;
                    break;
                }
            }
        }
        self.skip_to_next();
        parameters
    }

    /// `name = value`. A name without `=` is the next challenge's scheme.
    fn parameter(&mut self) -> Option<(String, String)> {
        let name = self.token()?.to_ascii_lowercase();
        self.skip(is_blank);
        self.rest = self.rest.strip_prefix(b"=")?;
        self.skip(is_blank);
        let value = match self.rest.first() {
            Some(b'"') => self.quoted()?,
            _ => self.token()?,
        };
        Some((name, value))
    }

    fn quoted(&mut self) -> Option<String> {
        let mut bytes = self.rest.strip_prefix(b"\"")?.iter();
        let mut text = Vec::new();
        while let Some(&byte) = bytes.next() {
            match byte {
                b'"' => {
                    self.rest = bytes.as_slice();
                    return String::from_utf8(text).ok();
                }
                b'\\' => text.push(*bytes.next()?),
                byte => text.push(byte),
            }
        }
        None
    }

    fn token(&mut self) -> Option<String> {
        let end = self.rest.iter().position(|&b| !is_token(b)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        let text = std::str::from_utf8(token).expect("token characters are ASCII");
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// After a credential blob of another scheme (`Negotiate abc==`), goes on behind the next comma.
    fn skip_to_next(&mut self) {
        self.skip(is_blank);
        if self.rest.first().is_some_and(|&b| b != b',') {
            // The blob, or something that makes no sense; either way nothing to read.
            let blob = self.rest;
            self.skip(|b| b != b',');
            let skipped = &blob[..blob.len() - self.rest.len()];
            if skipped.contains(&b'"') {
                self.rest = &[];
            }
        }
    }

    fn skip(&mut self, fits: impl Fn(u8) -> bool) {
        let end = self.rest.iter().position(|&b| !fits(b)).unwrap_or(self.rest.len());
        self.rest = &self.rest[end..];
    }
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

const FIELDS_MAX: usize = 8;
const FIELD_BYTES_MAX: usize = 8 << 10;
const CHALLENGES_MAX: usize = 8;
const PARAMETERS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(field: &str, wanted: &[Challenge]) {
        assert_eq!(parse([field.as_bytes()]), wanted, "{field}");
    }

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Challenge::Bearer(Bearer { realm: realm.to_owned(), service: owned(service), scope: owned(scope) })
    }

    #[test]
    fn challenges_of_well_known_registries() {
        check(
            r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull""#,
            &[bearer(
                "https://auth.docker.io/token",
                Some("registry.docker.io"),
                Some("repository:library/alpine:pull"),
            )],
        );
        check(r#"Basic realm="Registry Realm""#, &[Challenge::Basic]);
        check(
            r#"Bearer realm="https://a/t",service="s",scope="repository:x:pull,push",error="invalid_token""#,
            &[bearer("https://a/t", Some("s"), Some("repository:x:pull,push"))],
        );
    }

    #[test]
    fn spelling_that_the_grammar_allows() {
        check(
            r#"bEaReR ReAlM = "https://a/t" , service=plain"#,
            &[bearer("https://a/t", Some("plain"), None)],
        );
        check(r#"BASIC"#, &[Challenge::Basic]);
        check(r#"Bearer realm="https://a/\"t\"\\""#, &[bearer(r#"https://a/"t"\"#, None, None)]);
        check(r#",, Bearer realm="https://a",,service="s""#, &[bearer("https://a", Some("s"), None)]);
    }

    #[test]
    fn several_challenges_in_one_field() {
        check(
            r#"Basic realm="r", Bearer realm="https://a/t",service="s""#,
            &[Challenge::Basic, bearer("https://a/t", Some("s"), None)],
        );
        check(
            r#"Negotiate YWJj==, Basic realm="r""#,
            &[Challenge::Other("Negotiate".to_owned()), Challenge::Basic],
        );
    }

    #[test]
    fn several_fields() {
        let fields = [b"Digest realm=\"x\"".as_slice(), b"Basic realm=\"r\"".as_slice()];
        assert_eq!(parse(fields), [Challenge::Other("Digest".to_owned()), Challenge::Basic]);
    }

    #[test]
    fn nonsense_gives_nothing() {
        check("", &[]);
        check("Bearer", &[]);
        check(r#"Bearer service="no realm""#, &[]);
        check(r#"Bearer realm="unclosed"#, &[]);
        check("\"quoted\"", &[]);
        check(&format!(r#"Bearer realm="{}""#, "x".repeat(FIELD_BYTES_MAX)), &[]);
    }

    #[test]
    fn a_flood_of_challenges_is_cut() {
        assert_eq!(parse(["Basic,".repeat(1000).as_bytes()]).len(), CHALLENGES_MAX);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(parse([bytes.as_slice()]).len() <= CHALLENGES_MAX);
        }

        #[test]
        fn any_near_challenge_is_read_without_panic(text in r#"[BbearscioBh ,="\\ra]{0,60}"#) {
            prop_assert!(parse([text.as_bytes()]).len() <= CHALLENGES_MAX);
        }
    }
}
