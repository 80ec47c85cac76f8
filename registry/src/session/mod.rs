//! Requests to registries: address found, authorization shown, failures tried again.

mod error;

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
pub(crate) use error::Problem;
pub use error::RequestError;

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
        let base = self.base(call).await?;
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
    async fn base(&self, call: &Call<'_>) -> Result<Uri, RequestError> {
        let registry = call.purpose.registry;
        let authority = endpoint::authority(registry);
        let transport = &self.exchange.transport;
        let certificates = transport.has_certificates(authority);
        let schemes = endpoint::schemes(registry, transport.security(authority), certificates);
        let root =
            |scheme| root(scheme, authority).map_err(|failure| self.failed(call, None, failure.into()));
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
                let url = address(&root(scheme)?, "/v2/");
                let url = url.map_err(|failure| self.failed(call, None, failure.into()))?;
                let Err(failure) = self.listens(&url).await else { return Ok(scheme) };
                let lasting = !may_speak_in_clear(&failure);
                let error = self.failed(call, Some(&url), failure.into());
                if lasting {
                    return Err(error);
                }
                last = Some(error);
            }
            Err(last.expect("there is a scheme to try"))
        });
        root(*scheme.await?)
    }

    async fn listens(&self, url: &Uri) -> Result<(), Failure> {
        let headers = HeaderMap::new();
        let ask = Ask { method: &Method::GET, url, headers: &headers, payload: &Payload::Empty };
        self.exchange.send(ask, None).await.map(drop)
    }

    /// An error that says what was tried.
    pub(crate) fn failed(&self, call: &Call<'_>, url: Option<&Uri>, problem: Problem) -> RequestError {
        let what = match (url, &call.target) {
            (Some(url), _) | (None, Target::Url(url)) => without_query(url),
            (None, Target::Path(path)) => format!("{}{path}", endpoint::authority(call.purpose.registry)),
        };
        let registry = call.purpose.registry.to_owned();
        RequestError::new(registry, format!("{} {what}", call.method), problem)
    }
}

/// Whether what answered (or did not) to TLS may be a server that speaks in clear.
fn may_speak_in_clear(failure: &Failure) -> bool {
    !matches!(
        failure,
        Failure::Certificate(_)
            | Failure::UnknownIssuer
            | Failure::TlsSetup { .. }
            | Failure::Status(_)
            | Failure::Redirect(_)
    )
}

fn root(scheme: Scheme, authority: &str) -> Result<Uri, Failure> {
    let text = format!("{}://{authority}/", scheme.as_str());
    text.parse().map_err(|_| Failure::Address(text))
}

fn address(base: &Uri, path: &str) -> Result<Uri, Failure> {
    let text = format!("{}{}", base.to_string().trim_end_matches('/'), path);
    text.parse().map_err(|_| Failure::Address(text))
}

/// Queries hold signatures and upload states: nothing for an error message.
fn without_query(url: &Uri) -> String {
    url.to_string().split('?').next().unwrap_or_default().to_owned()
}
