//! The token server's side of the bearer flow: what is asked, and what comes back. No I/O.

use std::time::Duration;

use serde::Deserialize;

use super::challenge::Bearer;
use crate::credential::Secret;

/// An access token and for how long it may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) value: Secret,
    pub(crate) lifetime: Duration,
}

/// Why a token server's answer is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenAnswerError {
    #[error("token server's answer is not JSON")]
    Json(#[source] serde_json::Error),
    #[error("token server's answer holds no token")]
    NoToken,
    #[error("token server's token holds characters that no header may hold")]
    Unsendable,
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// Reads a token server's answer. Docker's servers say `token`, OAuth2's `access_token`; some say both.
pub(crate) fn parse(bytes: &[u8]) -> Result<Token, TokenAnswerError> {
    let answer: Answer = serde_json::from_slice(bytes).map_err(TokenAnswerError::Json)?;
    let given = |text: &String| !text.is_empty();
    let value = answer.token.filter(given).or_else(|| answer.access_token.filter(given));
    let value = value.ok_or(TokenAnswerError::NoToken)?;
    if !value.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(TokenAnswerError::Unsendable);
    }
    let seconds = answer.expires_in.filter(|&seconds| seconds > 0).unwrap_or(LIFETIME_SECONDS);
    let lifetime = Duration::from_secs(seconds.min(LIFETIME_SECONDS_MAX));
    Ok(Token { value: Secret::new(value), lifetime: lifetime.saturating_sub(MARGIN).max(lifetime / 2) })
}

/// The address that gives a token to who shows a password, or to anyone.
pub(crate) fn address(bearer: &Bearer, scopes: &[String], account: Option<&str>) -> String {
    let mut query = Vec::new();
    if let Some(service) = &bearer.service {
        query.push(("service", service.as_str()));
    }
    query.extend(scopes.iter().map(|scope| ("scope", scope.as_str())));
    if let Some(account) = account.filter(|account| !account.is_empty()) {
        query.push(("account", account));
    }
    let joint = if bearer.realm.contains('?') { '&' } else { '?' };
    match query.is_empty() {
        true => bearer.realm.clone(),
        false => format!("{}{joint}{}", bearer.realm, form(&query)),
    }
}

/// The form that exchanges a refresh token for an access token (RFC 6749, section 6).
pub(crate) fn refresh_form(bearer: &Bearer, scopes: &[String], refresh_token: &str) -> String {
    let scope = scopes.join(" ");
    let mut fields = vec![("grant_type", "refresh_token"), ("client_id", "tug")];
    if let Some(service) = &bearer.service {
        fields.push(("service", service));
    }
    if !scope.is_empty() {
        fields.push(("scope", &scope));
    }
    fields.push(("refresh_token", refresh_token));
    form(&fields)
}

fn form(fields: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        for &byte in value.as_bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    text.push(char::from(byte));
                }
                byte => text.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    text
}

/// What the token specification says where `expires_in` is missing.
const LIFETIME_SECONDS: u64 = 60;
const LIFETIME_SECONDS_MAX: u64 = 24 * 60 * 60;
/// A token is renewed this long before its end, so that it does not end on its way.
const MARGIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>) -> Bearer {
        Bearer { realm: realm.to_owned(), service: service.map(str::to_owned), scope: None }
    }

    #[test]
    fn addresses_are_encoded() {
        let scopes = ["repository:a/b:pull,push".to_owned(), "repository:c:pull".to_owned()];
        assert_eq!(
            address(&bearer("https://a/t", Some("s p&x")), &scopes, Some("me@x")),
            "https://a/t?service=s%20p%26x&scope=repository%3Aa%2Fb%3Apull%2Cpush&scope=repository%3Ac%3Apull&account=me%40x"
        );
        assert_eq!(address(&bearer("https://a/t?x=1", Some("s")), &[], None), "https://a/t?x=1&service=s");
        assert_eq!(address(&bearer("https://a/t", None), &[], None), "https://a/t");
    }

    #[test]
    fn refresh_tokens_go_into_a_form() {
        let form = refresh_form(&bearer("https://a/t", Some("s")), &["repository:a:pull".to_owned()], "r&t");
        assert_eq!(
            form,
            "grant_type=refresh_token&client_id=tug&service=s&scope=repository%3Aa%3Apull&refresh_token=r%26t"
        );
    }

    #[test]
    fn both_names_of_the_token_are_read() {
        let value = |json: &str| parse(json.as_bytes()).unwrap().value;
        assert_eq!(value(r#"{"token": "a"}"#), Secret::new("a"));
        assert_eq!(value(r#"{"access_token": "b"}"#), Secret::new("b"));
        assert_eq!(value(r#"{"token": "", "access_token": "b"}"#), Secret::new("b"));
    }

    #[test]
    fn tokens_are_renewed_before_they_end() {
        let lifetime = |json: &str| parse(json.as_bytes()).unwrap().lifetime.as_secs();
        assert_eq!(lifetime(r#"{"token": "a", "expires_in": 300}"#), 290);
        assert_eq!(lifetime(r#"{"token": "a"}"#), 50);
        assert_eq!(lifetime(r#"{"token": "a", "expires_in": 4}"#), 2);
        assert_eq!(
            lifetime(r#"{"token": "a", "expires_in": 18446744073709551615}"#),
            LIFETIME_SECONDS_MAX - 10
        );
    }

    #[test]
    fn answers_without_a_usable_token_are_refused() {
        assert!(matches!(parse(b"{}"), Err(TokenAnswerError::NoToken)));
        assert!(matches!(parse(b"<html>"), Err(TokenAnswerError::Json(_))));
        assert!(matches!(parse(br#"{"token": "a\r\nX: y"}"#), Err(TokenAnswerError::Unsendable)));
    }
}
