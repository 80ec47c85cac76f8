//! Whether a registry takes a user's credential.

use hyper::Method;

use crate::auth::{Authorizer, Purpose};
use crate::credential::{Credential, Credentials, Secret};
use crate::session::{Call, RequestError, Session};

/// A registry took the credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginOutcome {
    /// What to keep for next time.
    pub credential: Credential,
}

/// Why a login failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot log in to {registry}")]
pub struct LoginError {
    /// The registry.
    registry: String,
    /// What came back.
    #[source]
    source: RequestError,
}

impl LoginError {
    /// The request that failed.
    pub fn request(&self) -> &RequestError {
        &self.source
    }
}

/// An authorizer that knows only the credential that is being tried.
pub(crate) fn authorizer(registry: &str, credential: &Credential) -> Authorizer {
    Authorizer::new(Credentials::Fixed { registry: registry.to_owned(), credential: credential.clone() })
}

/// The credential of a user and password.
pub(crate) fn credential(username: &str, password: Secret) -> Credential {
    Credential::Basic { username: username.to_owned(), password }
}

/// Asks the registry's root, with a session that shows only the credential that is being tried.
pub(crate) async fn login(session: &Session, registry: &str) -> Result<(), LoginError> {
    let purpose = Purpose { registry, scopes: &[] };
    let call = Call::new(purpose, Method::GET, "/v2/".to_owned());
    let failed = |source| LoginError { registry: registry.to_owned(), source };
    session.call(&call).await.map(drop).map_err(failed)
}
