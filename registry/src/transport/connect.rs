//! Connections: straight to the server, or through the proxy that is set for it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::endpoint::is_loopback;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The proxies to go through, as the environment's `https_proxy`, `http_proxy` and `no_proxy` say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For https.
    pub https: String,
    /// For http.
    pub http: String,
    /// Hosts that are reached without a proxy, separated by commas.
    pub no_proxy: String,
}

/// Opens TCP connections, through a proxy where one is set.
#[derive(Clone)]
pub(super) struct Dial {
    tcp: HttpConnector,
    proxies: Arc<Routes>,
}

/// Which addresses are reached through which proxy. This machine itself is always reached without.
pub(super) struct Routes(Matcher);

impl Routes {
    pub(super) fn new(proxies: &Proxies) -> Routes {
        let matcher = Matcher::builder()
            .http(proxies.http.clone())
            .https(proxies.https.clone())
            .no(proxies.no_proxy.clone());
        Routes(matcher.build())
    }

    pub(super) fn intercept(&self, to: &Uri) -> Option<Intercept> {
        let authority = to.authority()?.as_str();
        if is_loopback(authority) { None } else { self.0.intercept(to) }
    }
}

impl Dial {
    pub(super) fn new(proxies: Arc<Routes>, timeout: Duration) -> Dial {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeout));
        tcp.set_keepalive(Some(KEEPALIVE));
        Dial { tcp, proxies }
    }

    async fn open(mut self, to: Uri) -> Result<Link, BoxError> {
        let Some(proxy) = self.proxies.intercept(&to) else {
            return Ok(Link { io: self.tcp.call(to).await?, proxied: false });
        };
        if to.scheme_str() != Some("https") {
            return Ok(Link { io: self.tcp.call(proxy.uri().clone()).await?, proxied: true });
        }
        let mut tunnel = Tunnel::new(proxy.uri().clone(), self.tcp);
        if let Some(auth) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(auth.clone());
        }
        Ok(Link { io: tunnel.call(to).await?, proxied: false })
    }
}

impl Service<Uri> for Dial {
    type Response = Link;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Link, BoxError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        Box::pin(self.clone().open(to))
    }
}

/// A TCP connection that knows whether requests on it are spoken to a proxy.
pub(super) struct Link {
    io: TokioIo<TcpStream>,
    proxied: bool,
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        self.io.inner().connected().proxy(self.proxied)
    }
}

impl Read for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl Write for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }
}

const KEEPALIVE: Duration = Duration::from_secs(30);
