//! Authorization: what to show which registry, got from the credential that belongs to it.
//!
//! *Invariant*: a credential is sent to the registry it is filed under and to the token server that this registry
//! names, never elsewhere.

mod challenge;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Uri};

use crate::credential::{Credential, CredentialError, Credentials};
use crate::exchange::{Ask, Authorization, Exchange, refusal};
use crate::transport::{Failure, Outlook, Payload, Response, Shown};
use challenge::Bearer;
pub(crate) use challenge::{Challenge, parse as parse_challenges};

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthError {
    #[error("cannot look up the credentials for {registry}")]
    Credentials { registry: String, source: Box<CredentialError> },
    #[error("the registry asks for {0}, which is not supported")]
    Scheme(String),
    #[error("the registry names {0:?} as token server, which is refused: it is not reached by TLS")]
    Realm(String),
    #[error("cannot get a token from {realm}")]
    Token { realm: String, source: Failure },
    #[error("cannot use the token of {realm}")]
    Answer { realm: String, source: token::TokenAnswerError },
    #[error("the credentials for {0} hold characters that no header may hold")]
    Unsendable(String),
}

impl AuthError {
    pub(crate) fn outlook(&self) -> Outlook {
        match self {
            AuthError::Token { source, .. } => source.outlook(),
            _ => Outlook::Lasting,
        }
    }
}

/// Knows what each registry wants to be shown.
pub(crate) struct Authorizer {
    credentials: Credentials,
    accounts: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Account>>>>,
}

/// For whom, and what for, a request is authorized.
#[derive(Clone, Copy)]
pub(crate) struct Purpose<'a> {
    pub(crate) registry: &'a str,
    pub(crate) scopes: &'a [String],
}

/// What is known about one registry. Locked while a token is fetched, so that it is fetched once.
#[derive(Default)]
struct Account {
    credential: Option<Option<Credential>>,
    method: Option<AuthMethod>,
    tokens: HashMap<Vec<String>, Held>,
}

#[derive(Clone)]
enum AuthMethod {
    Basic,
    Bearer(Bearer),
}

struct Held {
    authorization: Authorization,
    until: Instant,
}

impl Authorizer {
    pub(crate) fn new(credentials: Credentials) -> Authorizer {
        Authorizer { credentials, accounts: Mutex::default() }
    }

    /// What to show for a request; nothing before the registry asked for something.
    pub(crate) async fn authorization(
        &self,
        exchange: &Exchange,
        purpose: Purpose<'_>,
    ) -> Result<Option<Authorization>, AuthError> {
        let account = self.account(purpose.registry);
        let mut account = account.lock().await;
        let Some(method) = account.method.clone() else { return Ok(None) };
        let credential = self.credential(&mut account, purpose.registry).await?;
        match method {
            AuthMethod::Basic => basic(purpose.registry, credential.as_ref()),
            AuthMethod::Bearer(bearer) => {
                if let Some(Credential::RegistryToken(token)) = &credential {
                    let field = format!("Bearer {}", token.expose());
                    return show(purpose.registry, &field, Shown::Credential).map(Some);
                }
                let scopes = all_scopes(purpose.scopes, bearer.scope.as_deref());
                if let Some(held) = account.tokens.get(&scopes).filter(|held| Instant::now() < held.until) {
                    return Ok(Some(held.authorization.clone()));
                }
                let held = fetch(exchange, &bearer, &scopes, credential.as_ref()).await?;
                let authorization = held.authorization.clone();
                account.tokens.insert(scopes, held);
                Ok(Some(authorization))
            }
        }
    }

    /// Takes note of what the registry asked for when it refused a request. Says whether there is something new to
    /// show, so that the request is worth another try.
    pub(crate) async fn challenged(
        &self,
        purpose: Purpose<'_>,
        challenges: &[Challenge],
        refused: Option<&Authorization>,
        secure: bool,
    ) -> Result<bool, AuthError> {
        let account = self.account(purpose.registry);
        let mut account = account.lock().await;
        let wanted = match choose(challenges)? {
            None => return Ok(false),
            Some(AuthMethod::Basic) => AuthMethod::Basic,
            Some(AuthMethod::Bearer(bearer)) => {
                check_realm(&bearer.realm, secure)?;
                AuthMethod::Bearer(bearer)
            }
        };
        let stranger = refused.is_none();
        let same_basic = matches!((&account.method, &wanted), (Some(AuthMethod::Basic), AuthMethod::Basic));
        if let Some(refused) = refused {
            // Another task may have renewed the token meanwhile; only the refused one goes.
            account.tokens.retain(|_, held| held.authorization.field != refused.field);
        }
        account.method = Some(wanted);
        match &account.method {
            Some(AuthMethod::Basic) => {
                let credential = self.credential(&mut account, purpose.registry).await?;
                let has_password = matches!(credential, Some(Credential::Basic { .. }));
                Ok(has_password && (stranger || !same_basic))
            }
            _ => Ok(true),
        }
    }

    fn account(&self, registry: &str) -> Arc<tokio::sync::Mutex<Account>> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(accounts.entry(registry.to_owned()).or_default())
    }

    async fn credential(
        &self,
        account: &mut Account,
        registry: &str,
    ) -> Result<Option<Credential>, AuthError> {
        if let Some(known) = &account.credential {
            return Ok(known.clone());
        }
        let (credentials, name) = (self.credentials.clone(), registry.to_owned());
        // A helper is a process that may take its time.
        let found = tokio::task::spawn_blocking(move || credentials.find(&name)).await;
        let found = match found {
            Ok(found) => found,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        let failed =
            |source| AuthError::Credentials { registry: registry.to_owned(), source: Box::new(source) };
        let found = found.map_err(failed)?;
        account.credential = Some(found.clone());
        Ok(found)
    }
}

/// Tokens are preferred: a password is then shown to the token server alone.
fn choose(challenges: &[Challenge]) -> Result<Option<AuthMethod>, AuthError> {
    let bearer = challenges.iter().find_map(|challenge| match challenge {
        Challenge::Bearer(bearer) => Some(AuthMethod::Bearer(bearer.clone())),
        _ => None,
    });
    let basic = || challenges.contains(&Challenge::Basic).then_some(AuthMethod::Basic);
    match (bearer.or_else(basic), challenges.first()) {
        (Some(method), _) => Ok(Some(method)),
        (None, Some(Challenge::Other(name))) => {
            Err(AuthError::Scheme(crate::printable::printable(name, SCHEME_CHARS_MAX)))
        }
        (None, _) => Ok(None),
    }
}

fn check_realm(realm: &str, secure: bool) -> Result<(), AuthError> {
    let refused = || AuthError::Realm(crate::printable::printable(realm, REALM_CHARS_MAX));
    let uri: Uri = realm.parse().map_err(|_| refused())?;
    let bare = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    match uri.scheme_str() {
        Some("https") if bare => Ok(()),
        Some("http") if bare && !secure => Ok(()),
        _ => Err(refused()),
    }
}

/// The scopes that are needed, and what the registry asked for beyond them.
fn all_scopes(own: &[String], asked: Option<&str>) -> Vec<String> {
    let resource = |scope: &str| scope.rsplit_once(':').map(|(resource, _)| resource.to_owned());
    let mut scopes = own.to_vec();
    for scope in asked.unwrap_or_default().split(' ').filter(|scope| !scope.is_empty()).take(SCOPES_MAX) {
        if !scopes.iter().any(|known| known == scope || resource(known) == resource(scope)) {
            scopes.push(scope.to_owned());
        }
    }
    scopes
}

async fn fetch(
    exchange: &Exchange,
    bearer: &Bearer,
    scopes: &[String],
    credential: Option<&Credential>,
) -> Result<Held, AuthError> {
    let failed = |source| AuthError::Token { realm: bearer.realm.clone(), source };
    let mut response = ask(exchange, bearer, scopes, credential).await?;
    let body = response.bytes(TOKEN_BYTES_MAX).await.map_err(failed)?;
    let token =
        token::parse(&body).map_err(|source| AuthError::Answer { realm: bearer.realm.clone(), source })?;
    let shown = if credential.is_some() { Shown::Credential } else { Shown::Nothing };
    let authorization = show(&bearer.realm, &format!("Bearer {}", token.value.expose()), shown)?;
    Ok(Held { authorization, until: Instant::now() + token.lifetime })
}

async fn ask(
    exchange: &Exchange,
    bearer: &Bearer,
    scopes: &[String],
    credential: Option<&Credential>,
) -> Result<Response, AuthError> {
    let failed = |source| AuthError::Token { realm: bearer.realm.clone(), source };
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let (method, address, payload) = match credential {
        Some(Credential::IdentityToken { token, .. }) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
            let form = token::refresh_form(bearer, scopes, token.expose());
            (Method::POST, bearer.realm.clone(), Payload::Bytes(Bytes::from(form)))
        }
        Some(Credential::Basic { username, .. }) => {
            (Method::GET, token::address(bearer, scopes, Some(username)), Payload::Empty)
        }
        _ => (Method::GET, token::address(bearer, scopes, None), Payload::Empty),
    };
    let url: Uri = address.parse().map_err(|_| AuthError::Realm(bearer.realm.clone()))?;
    let authorization = basic(&bearer.realm, credential)?;
    let ask = Ask { method: &method, url: &url, headers: &headers, payload: &payload };
    let response = exchange.send(ask, authorization.as_ref()).await.map_err(failed)?;
    if response.status.is_success() {
        return Ok(response);
    }
    let shown = if credential.is_some() { Shown::Credential } else { Shown::Nothing };
    Err(failed(Failure::Status(refusal(response, shown).await)))
}

fn basic(owner: &str, credential: Option<&Credential>) -> Result<Option<Authorization>, AuthError> {
    let Some(Credential::Basic { username, password }) = credential else { return Ok(None) };
    let pair = BASE64.encode(format!("{username}:{}", password.expose()));
    show(owner, &format!("Basic {pair}"), Shown::Credential).map(Some)
}

fn show(owner: &str, field: &str, shown: Shown) -> Result<Authorization, AuthError> {
    let mut field = HeaderValue::from_str(field).map_err(|_| AuthError::Unsendable(owner.to_owned()))?;
    field.set_sensitive(true);
    Ok(Authorization { field, shown })
}

const TOKEN_BYTES_MAX: u64 = 256 << 10;
const SCOPES_MAX: usize = 16;
const SCHEME_CHARS_MAX: usize = 40;
const REALM_CHARS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_server_must_be_as_safe_as_the_registry() {
        assert!(check_realm("https://auth.example/token", true).is_ok());
        assert!(check_realm("http://auth.example/token", false).is_ok());
        for realm in ["http://auth.example/token", "ftp://x", "/token", "", "https://me@auth.example/"] {
            assert!(matches!(check_realm(realm, true), Err(AuthError::Realm(_))), "{realm}");
        }
    }

    #[test]
    fn the_registrys_scopes_add_to_ours() {
        let own = ["repository:a:pull,push".to_owned()];
        assert_eq!(all_scopes(&own, Some("repository:a:pull")), own);
        assert_eq!(
            all_scopes(&own, Some("repository:b:pull registry:catalog:*")),
            ["repository:a:pull,push", "repository:b:pull", "registry:catalog:*"]
        );
        assert_eq!(all_scopes(&own, None), own);
    }

    #[test]
    fn tokens_are_preferred_to_passwords() {
        let bearer = Challenge::Bearer(Bearer { realm: "https://a/t".to_owned(), ..Bearer::default() });
        let chosen = choose(&[Challenge::Basic, bearer]).unwrap();
        assert!(matches!(chosen, Some(AuthMethod::Bearer(_))));
        assert!(matches!(choose(&[Challenge::Other("Negotiate".to_owned())]), Err(AuthError::Scheme(_))));
        assert!(choose(&[]).unwrap().is_none());
    }
}
