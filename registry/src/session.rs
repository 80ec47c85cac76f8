//! Requests to registries: address found, authorization shown, failures tried again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hyper::header::{HeaderMap, WWW_AUTHENTICATE};
use hyper::{Method, StatusCode, Uri};
use tokio::sync::OnceCell;

use crate::auth::{AuthError, Authorizer, Purpose, parse_challenges};
use crate::endpoint::{self, Scheme};
use crate::exchange::{Ask, Authorization, Exchange, refusal};
use crate::transport::redirect::same_origin;
use crate::transport::retry::{Backoff, Retry};
use crate::transport::{Failure, Outlook, Payload, Response, Shown};

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

/// Speaks to registries.
pub(crate) struct Session {
    pub(crate) exchange: Arc<Exchange>,
    authorizer: Authorizer,
    retry: Retry,
    schemes: Mutex<HashMap<String, Arc<OnceCell<Scheme>>>>,
}

/// What is asked of a registry.
#[derive(Clone)]
pub(crate) struct Call<'a> {
    pub(crate) purpose: Purpose<'a>,
    pub(crate) method: Method,
    pub(crate) target: Target,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Payload,
    /// Statuses besides 2xx that are an answer.
    pub(crate) answers: &'static [StatusCode],
}

/// What a call is addressed to.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// A path of the registry, from `/v2/` on.
    Path(String),
    /// An address that the registry gave.
    Url(Uri),
}

impl<'a> Call<'a> {
    /// A call without headers and body.
    pub(crate) fn new(purpose: Purpose<'a>, method: Method, path: String) -> Call<'a> {
        Call {
            purpose,
            method,
            target: Target::Path(path),
            headers: HeaderMap::new(),
            payload: Payload::Empty,
            answers: &[],
        }
    }
}

impl Session {
    pub(crate) fn new(exchange: Arc<Exchange>, authorizer: Authorizer, retry: Retry) -> Session {
        Session { exchange, authorizer, retry, schemes: Mutex::default() }
    }

    /// Makes a call, tried again while that helps.
    pub(crate) async fn call(&self, call: &Call<'_>) -> Result<Response, RequestError> {
        let mut backoff = self.backoff();
        loop {
            match self.attempt(call).await {
                Ok(response) => return Ok(response),
                Err(error) => self.pause(&mut backoff, error).await?,
            }
        }
    }

    /// Makes a call and reads the whole answer, tried again while that helps.
    pub(crate) async fn call_whole(
        &self,
        call: &Call<'_>,
        limit: u64,
    ) -> Result<(Response, Bytes), RequestError> {
        let mut backoff = self.backoff();
        loop {
            let error = match self.attempt(call).await {
                Err(error) => error,
                Ok(mut response) => match response.bytes(limit).await {
                    Ok(body) => return Ok((response, body)),
                    Err(failure) => self.failed(call, Some(&response.url), failure.into()),
                },
            };
            self.pause(&mut backoff, error).await?;
        }
    }

    pub(crate) fn backoff(&self) -> Backoff {
        Backoff::new(self.retry)
    }

    /// Waits before the next try, or gives the error back when there shall be none.
    pub(crate) async fn pause(&self, backoff: &mut Backoff, error: RequestError) -> Result<(), RequestError> {
        self.pause_for(backoff, error.outlook(), error).await
    }

    /// The same for an error whose outlook the caller knows better.
    pub(crate) async fn pause_for(
        &self,
        backoff: &mut Backoff,
        outlook: Outlook,
        error: RequestError,
    ) -> Result<(), RequestError> {
        match backoff.pause(outlook) {
            Some(pause) => {
                tokio::time::sleep(pause).await;
                Ok(())
            }
            None => Err(error),
        }
    }

    /// Makes a call once. The response has a status of success or one of the call's answers.
    pub(crate) async fn attempt(&self, call: &Call<'_>) -> Result<Response, RequestError> {
        let base = self
            .base(call.purpose.registry)
            .await
            .map_err(|(url, failure)| self.failed(call, url.as_ref(), failure.into()))?;
        let url = match &call.target {
            Target::Path(path) => address(&base, path),
            Target::Url(url) => Ok(url.clone()),
        };
        let url = url.map_err(|failure| self.failed(call, None, failure.into()))?;
        let result = self.authorized(call, &base, &url).await;
        result.map_err(|problem| self.failed(call, Some(&url), problem))
    }

    async fn authorized(&self, call: &Call<'_>, base: &Uri, url: &Uri) -> Result<Response, Problem> {
        let ask = Ask { method: &call.method, url, headers: &call.headers, payload: &call.payload };
        // An upload may be sent elsewhere; whoever is there has no business with the credentials.
        let own = same_origin(base, url);
        let mut renewed = false;
        loop {
            let shown = match own {
                true => self.authorizer.authorization(&self.exchange, call.purpose).await?,
                false => None,
            };
            let response = self.exchange.send(ask.clone(), shown.as_ref()).await?;
            if response.status.is_success() || call.answers.contains(&response.status) {
                return Ok(response);
            }
            let unauthorized = response.status == StatusCode::UNAUTHORIZED;
            if unauthorized && !renewed && same_origin(base, &response.url) {
                renewed = true;
                if self.challenged(call, &response, shown.as_ref()).await? {
                    continue;
                }
            }
            let shown = shown.map_or(Shown::Nothing, |authorization| authorization.shown);
            return Err(Failure::Status(refusal(response, shown).await).into());
        }
    }

    async fn challenged(
        &self,
        call: &Call<'_>,
        response: &Response,
        refused: Option<&Authorization>,
    ) -> Result<bool, AuthError> {
        let fields = response.headers.get_all(WWW_AUTHENTICATE);
        let challenges = parse_challenges(fields.iter().map(|field| field.as_bytes()));
        let secure = response.url.scheme_str() == Some("https");
        self.authorizer.challenged(call.purpose, &challenges, refused, secure).await
    }

    /// The registry's root. Where it might be spoken to in clear, it is asked once which way it listens.
    async fn base(&self, registry: &str) -> Result<Uri, (Option<Uri>, Failure)> {
        let authority = endpoint::authority(registry);
        let transport = &self.exchange.transport;
        let certificates = transport.has_certificates(authority);
        let schemes = endpoint::schemes(registry, transport.security(authority), certificates);
        let root = |scheme: Scheme| {
            let text = format!("{}://{authority}/", scheme.as_str());
            text.parse::<Uri>().map_err(|_| (None, Failure::Address(text)))
        };
        if let [only] = schemes {
            return root(*only);
        }
        let cell = {
            let mut cells = self.schemes.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(cells.entry(registry.to_owned()).or_default())
        };
        let scheme = cell.get_or_try_init(|| async {
            let mut last = None;
            for &scheme in schemes {
                let url = root(scheme)?;
                match self.listens(&url).await {
                    Ok(()) => return Ok(scheme),
                    Err(failure) if !may_speak_in_clear(&failure) => return Err((Some(url), failure)),
                    Err(failure) => last = Some((Some(url), failure)),
                }
            }
            Err(last.expect("there is a scheme to try"))
        });
        root(*scheme.await?)
    }

    async fn listens(&self, base: &Uri) -> Result<(), Failure> {
        let url = address(base, "/v2/")?;
        let headers = HeaderMap::new();
        let ask = Ask { method: &Method::GET, url: &url, headers: &headers, payload: &Payload::Empty };
        self.exchange.send(ask, None).await.map(drop)
    }

    /// An error that says what was tried.
    pub(crate) fn failed(&self, call: &Call<'_>, url: Option<&Uri>, problem: Problem) -> RequestError {
        let what = match (url, &call.target) {
            (Some(url), _) | (None, Target::Url(url)) => without_query(url),
            (None, Target::Path(path)) => format!("{}{path}", endpoint::authority(call.purpose.registry)),
        };
        RequestError {
            registry: call.purpose.registry.to_owned(),
            tried: format!("{} {what}", call.method),
            problem: Box::new(problem),
        }
    }
}

/// Whether what answered (or did not) to TLS may be a server that speaks in clear.
fn may_speak_in_clear(failure: &Failure) -> bool {
    !matches!(
        failure,
        Failure::Certificate(_) | Failure::TlsSetup { .. } | Failure::Status(_) | Failure::Redirect(_)
    )
}

fn address(base: &Uri, path: &str) -> Result<Uri, Failure> {
    let text = format!("{}{}", base.to_string().trim_end_matches('/'), path);
    text.parse().map_err(|_| Failure::Address(text))
}

/// Queries hold signatures and upload states: nothing for an error message.
fn without_query(url: &Uri) -> String {
    url.to_string().split('?').next().unwrap_or_default().to_owned()
}

impl RequestError {
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
            Problem::Failure(Failure::Certificate(_)) => Some(format!(
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

    fn refusal(&self) -> Option<&crate::transport::Refusal> {
        match &*self.problem {
            Problem::Failure(Failure::Status(refusal))
            | Problem::Auth(AuthError::Token { source: Failure::Status(refusal), .. }) => Some(refusal),
            _ => None,
        }
    }
}

fn status_hint(host: &str, status: u16, shown: Shown) -> Option<String> {
    Some(match (status, shown) {
        (401, Shown::Nothing) => format!("log in first: tug login {host}"),
        (401, Shown::Credential) => {
            format!("the credentials were not accepted; log in anew: tug login {host}")
        }
        (403, Shown::Nothing) => format!("it may be private; log in first: tug login {host}"),
        (403, Shown::Credential) => "the account may not do this".to_owned(),
        (404, _) => "check the name and the tag".to_owned(),
        (429, Shown::Nothing) => format!("wait, or log in for a higher limit: tug login {host}"),
        (429, Shown::Credential) => "wait and try again".to_owned(),
        _ => return None,
    })
}
