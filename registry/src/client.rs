//! The client: what the outside holds in its hand. Blocking; the runtime inside is its own business.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use hyper::header::HeaderValue;
use tokio::runtime::Runtime;
use tug_oci::{Descriptor, Platform, Reference};
use tug_store::Store;
use tug_store::image::Image;

use crate::auth::Authorizer;
use crate::credential::{Credentials, Secret};
use crate::exchange::Exchange;
use crate::login::{LoginError, LoginOutcome};
use crate::progress::{Progress, Silent};
use crate::pull::{Pull, PullError, Pulled, Turns};
use crate::push::{Push, PushError, Pushed};
use crate::resolve::{ResolveError, Resolved};
use crate::session::Session;
use crate::transport::{Proxies, Retry, Setup, Timeouts, Transport};

/// What a client is told; nothing is read from the environment.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where credentials are looked up.
    pub credentials: Credentials,
    /// Directories that hold a directory `host[:port]` with `*.crt`, `*.cert` and `*.key`. The first that has one counts.
    pub certs_dirs: Vec<PathBuf>,
    /// Files with the authorities that the system trusts (PEM). The first that can be read counts.
    pub root_bundles: Vec<PathBuf>,
    /// Registries (`host[:port]`) that may be spoken to in clear and with any certificate.
    pub insecure: HashSet<String>,
    /// The proxies.
    pub proxies: Proxies,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// How often to try again.
    pub retry: Retry,
    /// Blobs of one image on their way at once; at least 1.
    pub parallel: usize,
    /// What to call oneself.
    pub user_agent: String,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            credentials: Credentials::Anonymous,
            certs_dirs: CERTS_DIRS.map(PathBuf::from).to_vec(),
            root_bundles: ROOT_BUNDLES.map(PathBuf::from).to_vec(),
            insecure: HashSet::new(),
            proxies: Proxies::default(),
            timeouts: Timeouts::default(),
            retry: Retry::default(),
            parallel: 4,
            user_agent: concat!("tug/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No threads to run on.
    #[error("cannot start the registry client")]
    Runtime(#[source] io::Error),
    /// A user agent that no header may hold.
    #[error("user agent {0:?} holds characters that no header may hold")]
    UserAgent(String),
}

/// A registry client. May be shared between threads; keeps connections and tokens for the next call.
///
/// Its calls block, so an asynchronous program makes them on a thread for blocking work.
pub struct Client {
    runtime: Runtime,
    session: Session,
    parallel: usize,
    retry: Retry,
    turns: Turns,
}

impl Client {
    /// A client. Opens no connection yet.
    pub fn new(options: Options) -> Result<Client, ClientError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads.min(THREADS_MAX))
            .thread_name("tug-registry")
            .enable_all()
            .build()
            .map_err(ClientError::Runtime)?;
        let user_agent = HeaderValue::from_str(&options.user_agent)
            .map_err(|_| ClientError::UserAgent(options.user_agent.clone()))?;
        let transport = Transport::new(Setup {
            certs_dirs: options.certs_dirs,
            root_bundles: options.root_bundles,
            insecure: options.insecure,
            proxies: options.proxies,
            timeouts: options.timeouts,
        });
        let exchange = Arc::new(Exchange::new(transport, user_agent));
        let session = Session::new(exchange, Authorizer::new(options.credentials), options.retry);
        let (parallel, retry) = (options.parallel.max(1), options.retry);
        Ok(Client { runtime, session, parallel, retry, turns: Turns::default() })
    }

    /// Asks the registry what a reference points to: manifest or index, whole, its digest checked.
    pub fn resolve(&self, reference: &Reference) -> Result<Resolved, ResolveError> {
        self.runtime.block_on(crate::resolve::resolve(&self.session, reference))
    }

    /// Pulls an image for a platform and names it in the store. What the store has is not fetched again.
    pub fn pull(
        &self,
        store: &Store,
        reference: &Reference,
        platform: &Platform,
        progress: &dyn Progress,
    ) -> Result<Pulled, PullError> {
        self.runtime.block_on(self.pulling(store, reference, progress).run(platform))
    }

    /// Fetches manifest and config only. Nothing is named or recorded: the caller's lease keeps it.
    pub fn pull_config(
        &self,
        store: &Store,
        reference: &Reference,
        platform: &Platform,
    ) -> Result<Image, PullError> {
        let pull = self.pulling(store, reference, &Silent);
        self.runtime.block_on(pull.image(platform)).map(|(_, image)| image)
    }

    /// Fetches the layers of an image that the store does not have yet. The caller's lease keeps them.
    pub fn fetch_layers(
        &self,
        store: &Store,
        reference: &Reference,
        image: &Image,
        progress: &dyn Progress,
    ) -> Result<(), PullError> {
        let pull = self.pulling(store, reference, progress);
        self.runtime.block_on(pull.layers(image)).map(drop)
    }

    /// Pushes what a manifest or index descriptor of the store leads to. Layers that were never packed are packed
    /// first; blobs that the registry has are not sent.
    pub fn push(
        &self,
        store: &Store,
        reference: &Reference,
        target: &Descriptor,
        progress: &dyn Progress,
    ) -> Result<Pushed, PushError> {
        let push = Push { session: &self.session, store, reference, progress, parallel: self.parallel };
        self.runtime.block_on(push.run(target))
    }

    /// Asks the registry whether it takes a user's password. Keeps nothing: that is the caller's to do, with
    /// [`CredentialFile::store`](crate::credential::CredentialFile::store).
    pub fn login(
        &self,
        registry: &str,
        username: &str,
        password: Secret,
    ) -> Result<LoginOutcome, LoginError> {
        let credential = crate::login::credential(username, password);
        let authorizer = crate::login::authorizer(registry, &credential);
        let session = Session::new(Arc::clone(&self.session.exchange), authorizer, self.retry);
        self.runtime.block_on(crate::login::login(&session, registry))?;
        Ok(LoginOutcome { credential })
    }

    fn pulling<'a>(
        &'a self,
        store: &'a Store,
        reference: &'a Reference,
        progress: &'a dyn Progress,
    ) -> Pull<'a> {
        let (session, parallel, turns) = (&self.session, self.parallel, &self.turns);
        Pull { session, store, reference, progress, parallel, turns }
    }
}

const CERTS_DIRS: [&str; 2] = ["/etc/docker/certs.d", "/etc/containers/certs.d"];
const ROOT_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
const THREADS_MAX: usize = 4;
