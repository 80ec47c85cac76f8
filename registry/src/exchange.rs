//! An exchange with a server: redirects followed by hand, refusals read. Knows no credentials of its own; the one
//! it is given goes to the origin it is meant for and to nobody else.

use std::time::SystemTime;

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, USER_AGENT};
use hyper::{Method, StatusCode, Uri};
use serde::Deserialize;

use crate::printable::printable;
use crate::transport::redirect::{self, REDIRECTS_MAX, RedirectError};
use crate::transport::retry::retry_after;
use crate::transport::{Failure, Payload, Refusal, Response, Sending, Shown, Transport};

/// Sends requests and follows where they lead.
pub(crate) struct Exchange {
    pub(crate) transport: Transport,
    user_agent: HeaderValue,
}

/// An `Authorization` field, and whether it stands for the user.
#[derive(Clone, Debug)]
pub(crate) struct Authorization {
    pub(crate) field: HeaderValue,
    pub(crate) shown: Shown,
}

/// What is asked of a server.
#[derive(Clone)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a Method,
    pub(crate) url: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) payload: &'a Payload,
}

impl Exchange {
    pub(crate) fn new(transport: Transport, user_agent: HeaderValue) -> Exchange {
        Exchange { transport, user_agent }
    }

    /// Sends a request, and again where a redirect says so; the response may have any other status.
    pub(crate) async fn send(
        &self,
        ask: Ask<'_>,
        authorization: Option<&Authorization>,
    ) -> Result<Response, Failure> {
        let mut url = ask.url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let mut headers = ask.headers.clone();
            headers.insert(USER_AGENT, self.user_agent.clone());
            if let Some(authorization) = authorization
                && redirect::same_origin(&url, ask.url)
            {
                headers.insert(AUTHORIZATION, authorization.field.clone());
            }
            let sending = Sending { method: ask.method, url: &url, headers, payload: ask.payload };
            let response = self.transport.send(sending).await?;
            if !is_redirect(ask.method, response.status) {
                return Ok(response);
            }
            let location = response.header(LOCATION).ok_or(RedirectError::NoLocation)?;
            url = redirect::target(&url, location)?;
        }
        Err(RedirectError::TooMany.into())
    }
}

/// A request that changes something is only sent again where the server says that it is the same request.
fn is_redirect(method: &Method, status: StatusCode) -> bool {
    let reading = method == Method::GET || method == Method::HEAD;
    match status.as_u16() {
        301..=303 => reading,
        307 | 308 => true,
        _ => false,
    }
}

/// Reads what the server says about a refusal.
pub(crate) async fn refusal(mut response: Response, shown: Shown) -> Refusal {
    let retry_after = response.header(RETRY_AFTER).and_then(|field| retry_after(field, SystemTime::now()));
    let body = response.beginning(REFUSAL_BYTES_MAX).await;
    Refusal { status: response.status, messages: messages(&body), retry_after, shown }
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

/// Token servers and object stores have their own form.
#[derive(Deserialize)]
struct Flat {
    #[serde(alias = "details", alias = "error_description", alias = "error")]
    message: String,
}

/// The messages of a refusal's body: the distribution spec's list of errors, or one line of text.
fn messages(body: &[u8]) -> Vec<String> {
    if let Ok(list) = serde_json::from_slice::<Errors>(body) {
        let text = |entry: Entry| match (entry.code, entry.message) {
            (Some(code), Some(message)) if !message.is_empty() => format!("{code}: {message}"),
            (code, message) => code.or(message).unwrap_or_default(),
        };
        let texts = list.errors.into_iter().take(MESSAGES_MAX).map(text);
        return texts
            .map(|text| printable(&text, MESSAGE_CHARS_MAX))
            .filter(|text| !text.is_empty())
            .collect();
    }
    let text = match serde_json::from_slice::<Flat>(body) {
        Ok(flat) => flat.message,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    // A web page or an XML document says nothing to a person at a terminal.
    let text = printable(&text, MESSAGE_CHARS_MAX);
    if text.is_empty() || text.starts_with('<') || text.starts_with('{') { Vec::new() } else { vec![text] }
}

const REFUSAL_BYTES_MAX: usize = 16 << 10;
const MESSAGES_MAX: usize = 3;
const MESSAGE_CHARS_MAX: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, wanted: &[&str]) {
        assert_eq!(messages(body.as_bytes()), wanted, "{body}");
    }

    #[test]
    fn the_servers_own_words() {
        check(
            r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"x"}}]}"#,
            &["MANIFEST_UNKNOWN: manifest unknown"],
        );
        check(r#"{"errors":[{"code":"DENIED"},{"message":"no"},{}]}"#, &["DENIED", "no"]);
        check(r#"{"details":"incorrect username or password"}"#, &["incorrect username or password"]);
        check(r#"{"error":"invalid_grant"}"#, &["invalid_grant"]);
        check(
            "Client sent an HTTP request to an HTTPS server.\n",
            &["Client sent an HTTP request to an HTTPS server."],
        );
    }

    #[test]
    fn noise_and_tricks_are_left_out() {
        check("", &[]);
        check("<html><body>Bad gateway</body></html>", &[]);
        check(r#"{"errors":"x"}"#, &[]);
        check("{\"errors\":[{\"message\":\"a\\u001b[2Jb\\nc\"}]}", &["a [2Jb c"]);
        let long = format!(r#"{{"errors":[{}]}}"#, vec![r#"{"code":"X"}"#; 100].join(","));
        assert_eq!(messages(long.as_bytes()).len(), MESSAGES_MAX);
    }
}
