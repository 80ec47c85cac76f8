//! What a request failed of, what that means for trying again, and what the user may do.

use crate::auth::AuthError;
use crate::endpoint;
use crate::transport::{Failure, Outlook, Refusal, Shown};

/// A request to a registry that did not give what was asked for. Says what was tried and what came back; its cause
/// and [`RequestError::hint`] say more.
#[derive(Debug, thiserror::Error)]
#[error("{tried}")]
pub struct RequestError {
    registry: String,
    tried: String,
    #[source]
    problem: Box<Problem>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl RequestError {
    pub(super) fn new(registry: String, tried: String, problem: Problem) -> RequestError {
        RequestError { registry, tried, problem: Box::new(problem) }
    }

    /// The status that came back, when one did.
    pub fn status(&self) -> Option<u16> {
        self.refusal().map(|refusal| refusal.status.as_u16())
    }

    /// Whether trying again later may help.
    pub fn is_temporary(&self) -> bool {
        self.outlook() != Outlook::Lasting
    }

    /// What the user may do about it.
    pub fn hint(&self) -> Option<String> {
        let host = &self.registry;
        if let Problem::Auth(AuthError::Token { source: Failure::Status(refusal), .. }) = &*self.problem {
            return status_hint(host, refusal.status.as_u16(), refusal.shown);
        }
        match &*self.problem {
            Problem::Failure(Failure::Status(refusal)) => {
                status_hint(host, refusal.status.as_u16(), refusal.shown)
            }
            Problem::Failure(Failure::UnknownIssuer) => Some(format!(
                "if this is your registry, put its authority's certificate into /etc/docker/certs.d/{host}/ca.crt"
            )),
            Problem::Failure(Failure::Tls(_) | Failure::Refused) if !endpoint::is_loopback(host) => {
                Some(format!("if {host} speaks plain http, it must be named as insecure registry"))
            }
            Problem::Failure(Failure::Refused) => Some(format!("is a registry running at {host}?")),
            Problem::Failure(Failure::Lookup) => Some("check the registry's name and the network".to_owned()),
            _ => None,
        }
    }

    pub(crate) fn outlook(&self) -> Outlook {
        match &*self.problem {
            Problem::Auth(error) => error.outlook(),
            Problem::Failure(failure) => failure.outlook(),
        }
    }

    fn refusal(&self) -> Option<&Refusal> {
        match &*self.problem {
            Problem::Failure(Failure::Status(refusal))
            | Problem::Auth(AuthError::Token { source: Failure::Status(refusal), .. }) => Some(refusal),
            _ => None,
        }
    }
}

fn status_hint(host: &str, status: u16, shown: Shown) -> Option<String> {
    Some(match (status, shown) {
        (401 | 403, Shown::Nothing) => {
            format!("it may be misspelt or private; to log in: tug login {host}")
        }
        (401, Shown::Credential) => {
            format!("the credentials were not accepted; log in anew: tug login {host}")
        }
        (403, Shown::Credential) => "the account may not do this".to_owned(),
        (404, _) => "check the name and the tag".to_owned(),
        (429, Shown::Nothing) => format!("wait, or log in for a higher limit: tug login {host}"),
        (429, Shown::Credential) => "wait and try again".to_owned(),
        _ => return None,
    })
}
