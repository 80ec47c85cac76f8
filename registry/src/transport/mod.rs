//! One request, one response: connections, TLS, proxies and time-outs. Knows nothing of registries.

mod body;
mod connect;
mod failure;
pub(crate) mod redirect;
pub(crate) mod retry;
mod tls;
mod verify;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use hyper::header::{HOST, PROXY_AUTHORIZATION};
use hyper::{Method, Request, Uri, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;

pub(crate) use body::{OpenSource, Outgoing, Payload, Response};
pub use connect::Proxies;
pub(crate) use failure::{Failure, Outlook, Refusal, Shown};
pub use retry::Retry;

use crate::endpoint::Security;
use body::{Pulse, SourceError};
use connect::{Dial, Routes};
use tls::HostCertificates;

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// While neither side moves a byte.
    pub stall: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts { connect: Duration::from_secs(15), stall: Duration::from_secs(60) }
    }
}

/// What a transport is made of.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) certs_dirs: Vec<PathBuf>,
    pub(crate) root_bundles: Vec<PathBuf>,
    pub(crate) insecure: HashSet<String>,
    pub(crate) proxies: Proxies,
    pub(crate) timeouts: Timeouts,
}

type Http = legacy::Client<HttpsConnector<Dial>, Outgoing>;

/// Sends requests. Keeps connections for the next.
pub(crate) struct Transport {
    setup: Setup,
    proxies: Arc<Routes>,
    roots: OnceLock<Vec<CertificateDer<'static>>>,
    /// One client for each way to do TLS: hosts of their own by name, the rest under the empty name.
    clients: Mutex<HashMap<String, Http>>,
}

/// One request, without the things that every request has.
pub(crate) struct Sending<'a> {
    pub(crate) method: &'a Method,
    pub(crate) url: &'a Uri,
    pub(crate) headers: header::HeaderMap,
    pub(crate) payload: &'a Payload,
}

impl Transport {
    pub(crate) fn new(setup: Setup) -> Transport {
        let proxies = Arc::new(Routes::new(&setup.proxies));
        Transport { setup, proxies, roots: OnceLock::new(), clients: Mutex::new(HashMap::new()) }
    }

    /// Whether `certs.d` speaks of a host.
    pub(crate) fn has_certificates(&self, authority: &str) -> bool {
        tls::host_dir(&self.setup.certs_dirs, authority).is_some()
    }

    /// Whether a person named the host insecure.
    pub(crate) fn security(&self, authority: &str) -> Security {
        match self.setup.insecure.contains(authority) {
            true => Security::Waived,
            false => Security::Required,
        }
    }

    /// Sends one request and waits for the head of the response.
    pub(crate) async fn send(&self, sending: Sending<'_>) -> Result<Response, Failure> {
        let url = sending.url.clone();
        let client = self.client(&url)?;
        let (outgoing, pulse) = sending.payload.start();
        let mut request = Request::new(outgoing);
        *request.method_mut() = sending.method.clone();
        *request.uri_mut() = url.clone();
        *request.headers_mut() = sending.headers;
        request.headers_mut().remove(HOST);
        if url.scheme_str() == Some("http")
            && let Some(proxy) = self.proxies.intercept(&url)
            && let Some(auth) = proxy.basic_auth()
        {
            request.headers_mut().insert(PROXY_AUTHORIZATION, auth.clone());
        }
        let stall = self.setup.timeouts.stall;
        let response = unless_stalled(client.request(request), &pulse, stall).await?;
        Ok(Response::new(response, url, stall))
    }

    fn client(&self, url: &Uri) -> Result<Http, Failure> {
        let authority = url.authority().map_or("", |authority| authority.as_str());
        let dir = tls::host_dir(&self.setup.certs_dirs, authority);
        let security = self.security(authority);
        let own = dir.is_some() || security == Security::Waived;
        let key = if own { authority } else { "" };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(key) {
            return Ok(client.clone());
        }
        let failed = |source| Failure::TlsSetup { host: authority.to_owned(), source: Box::new(source) };
        let host = dir.map_or(Ok(HostCertificates::default()), |dir| HostCertificates::read(&dir));
        let roots = self.roots.get_or_init(|| tls::system_roots(&self.setup.root_bundles));
        let config = host.and_then(|host| tls::config(roots, &host, security)).map_err(failed)?;
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(Dial::new(Arc::clone(&self.proxies), self.setup.timeouts.connect));
        let client = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        clients.insert(key.to_owned(), client.clone());
        Ok(client)
    }
}

/// Waits for a response as long as the body goes out or the server answers within the stall limit.
async fn unless_stalled(
    response: legacy::ResponseFuture,
    pulse: &Pulse,
    stall: Duration,
) -> Result<hyper::Response<hyper::body::Incoming>, Failure> {
    tokio::pin!(response);
    let mut seen = pulse.count();
    loop {
        match tokio::time::timeout(stall, &mut response).await {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(error)) => return Err(failure_of(&error)),
            Err(_) if pulse.count() != seen => seen = pulse.count(),
            Err(_) => return Err(Failure::Stalled(stall)),
        }
    }
}

fn failure_of(error: &legacy::Error) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(SourceError(source)) = inner.downcast_ref::<SourceError>() {
            return Failure::Source(std::io::Error::new(source.kind(), source.to_string()));
        }
        cause = inner.source();
    }
    Failure::of(error, error.is_connect())
}

/// Connections that nobody uses are closed after this long.
const IDLE: Duration = Duration::from_secs(60);
