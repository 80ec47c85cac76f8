//! What can go wrong with one exchange, sorted by whether trying again helps.

use std::error::Error;
use std::io;
use std::time::Duration;

use hyper::StatusCode;
use rustls::CertificateError;
use tug_oci::Digest;

use super::redirect::RedirectError;
use super::tls::TlsError;
use crate::printable::printable;

/// What went wrong with one exchange.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0:?} is no address")]
    Address(String),
    #[error("the server's certificate is not trusted: its authority is unknown")]
    UnknownIssuer,
    #[error("the server's certificate is not trusted: {0}")]
    Certificate(String),
    #[error("no TLS connection: {0}")]
    Tls(String),
    #[error("TLS for {host} cannot be set up")]
    TlsSetup { host: String, source: Box<TlsError> },
    #[error("connection refused")]
    Refused,
    #[error("host not found")]
    Lookup,
    #[error("cannot connect: {0}")]
    Unreachable(String),
    #[error("connection timed out")]
    ConnectTimeout,
    #[error("connection lost: {0}")]
    Lost(String),
    #[error("nothing came for {} s", .0.as_secs_f64())]
    Stalled(Duration),
    #[error("not understood: {0}")]
    Protocol(String),
    #[error(transparent)]
    Redirect(#[from] RedirectError),
    #[error("{}", status_text(.0))]
    Status(Refusal),
    #[error("body is longer than {0} bytes")]
    TooLong(u64),
    #[error("body ended after {got} of {wanted} bytes")]
    Cut { got: u64, wanted: u64 },
    #[error("body has {found} bytes, wanted {wanted}")]
    SizeDiffers { found: u64, wanted: u64 },
    #[error("body has digest {found}, wanted {wanted}")]
    DigestDiffers { found: Digest, wanted: Digest },
    #[error("cannot read what is to be sent")]
    Source(#[source] io::Error),
}

/// A status that is no success, and what the server says about it.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// `CODE: message`, printable, bounded.
    pub(crate) messages: Vec<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) shown: Shown,
}

/// What the refused request carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Nothing of the user's; perhaps a token that anyone may have.
    Nothing,
    /// The user's credential, or a token got with it.
    Credential,
}

/// Whether, and when, trying again helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// Trying again gives the same.
    Lasting,
    /// Nobody is there; worth a second look, not a long wait.
    Absent,
    /// Passes, perhaps after the time the server named.
    Passing(Option<Duration>),
}

impl Failure {
    pub(crate) fn outlook(&self) -> Outlook {
        match self {
            Failure::Refused | Failure::Lookup | Failure::Unreachable(_) => Outlook::Absent,
            Failure::ConnectTimeout | Failure::Lost(_) | Failure::Stalled(_) | Failure::Cut { .. } => {
                Outlook::Passing(None)
            }
            Failure::Status(refusal) => refusal.outlook(),
            _ => Outlook::Lasting,
        }
    }

    /// Sorts what the HTTP library reports.
    pub(super) fn of(error: &(dyn Error + 'static), connecting: bool) -> Failure {
        let mut causes = Vec::new();
        let mut next = Some(error);
        while let Some(cause) = next {
            causes.push(cause);
            next = inner(cause);
        }
        if let Some(tls) = causes.iter().find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
            return match tls {
                rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => Failure::UnknownIssuer,
                rustls::Error::InvalidCertificate(why) => {
                    Failure::Certificate(printable(&why.to_string(), TLS_CHARS_MAX))
                }
                other => Failure::Tls(printable(&other.to_string(), TLS_CHARS_MAX)),
            };
        }
        if let Some(io) = causes.iter().rev().find_map(|cause| cause.downcast_ref::<io::Error>())
            && let Some(failure) = of_io(io, connecting)
        {
            return failure;
        }
        let lost = causes.iter().any(|cause| cause.downcast_ref::<hyper::Error>().is_some_and(is_lost));
        let text = causes.last().map(ToString::to_string).unwrap_or_default();
        if causes.iter().any(|cause| cause.to_string().contains("dns error")) {
            return Failure::Lookup;
        }
        match () {
            () if lost => Failure::Lost(text),
            () if connecting => Failure::Unreachable(text),
            () => Failure::Protocol(text),
        }
    }
}

/// The cause of a cause; an `io::Error` hides its own one step deeper.
fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inside) => Some(inside),
        None => error.source(),
    }
}

fn is_lost(error: &hyper::Error) -> bool {
    error.is_incomplete_message() || error.is_canceled() || error.is_closed() || error.is_body_write_aborted()
}

fn of_io(error: &io::Error, connecting: bool) -> Option<Failure> {
    use io::ErrorKind as Kind;
    Some(match error.kind() {
        Kind::ConnectionRefused => Failure::Refused,
        Kind::TimedOut if connecting => Failure::ConnectTimeout,
        Kind::TimedOut
        | Kind::ConnectionReset
        | Kind::ConnectionAborted
        | Kind::BrokenPipe
        | Kind::NotConnected
        | Kind::UnexpectedEof => Failure::Lost(error.to_string()),
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::AddrNotAvailable => {
            Failure::Unreachable(error.to_string())
        }
        _ => return None,
    })
}

impl Refusal {
    fn outlook(&self) -> Outlook {
        match self.status.as_u16() {
            408 | 429 | 500 | 502 | 503 | 504 => Outlook::Passing(self.retry_after),
            _ => Outlook::Lasting,
        }
    }
}

fn status_text(refusal: &Refusal) -> String {
    let mut text = refusal.status.to_string();
    if !refusal.messages.is_empty() {
        text.push_str(" (");
        text.push_str(&refusal.messages.join("; "));
        text.push(')');
    }
    text
}

/// Certificates hold names that their makers chose.
const TLS_CHARS_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    fn outlook(status: u16) -> Outlook {
        let status = StatusCode::from_u16(status).unwrap();
        let retry_after = Some(Duration::from_secs(3));
        Failure::Status(Refusal { status, messages: Vec::new(), retry_after, shown: Shown::Nothing })
            .outlook()
    }

    #[test]
    fn only_statuses_that_pass_are_tried_again() {
        for status in [400, 401, 403, 404, 405, 413, 416, 501, 505] {
            assert_eq!(outlook(status), Outlook::Lasting, "{status}");
        }
        for status in [408, 429, 500, 502, 503, 504] {
            assert_eq!(outlook(status), Outlook::Passing(Some(Duration::from_secs(3))), "{status}");
        }
    }
}
