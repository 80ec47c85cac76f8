//! A registry in memory that fails on command. Speaks just enough HTTP/1.1 and distribution protocol for a client
//! to be tested against; one thread for each connection.

mod content;
mod http;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tug_oci::{Digest, MediaType};

use crate::image::SyntheticImage;
pub use http::{Reply, Request};

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Another answer than the right one.
    Answer(Reply),
    /// The connection is closed without an answer.
    Close,
    /// The connection is closed after so many bytes of the answer's body; the head promised all of them.
    CutBody(usize),
    /// Nothing is said after so many bytes of the answer's body, and the connection stays open.
    StallBody(usize),
    /// Nothing is ever said.
    Stall,
    /// One byte of the body is another than it should be.
    FlipByte,
    /// The body comes with so many more bytes, and a head that says so.
    Longer(usize),
    /// The body comes with so many bytes less, and a head that says so.
    Shorter(usize),
    /// The connection is closed after so many bytes of the request's body were taken.
    CutUpload(usize),
    /// The `Range` field is not looked at.
    NoRanges,
}

/// When something goes wrong.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The method it is about; empty for all.
    pub method: String,
    /// What the path must hold.
    pub path: String,
    /// How often.
    pub times: u32,
    /// What goes wrong.
    pub fault: Fault,
}

impl Rule {
    /// A fault for so many requests of a method (empty for all) whose path holds a text.
    pub fn new(method: &str, path: &str, times: u32, fault: Fault) -> Rule {
        Rule { method: method.to_owned(), path: path.to_owned(), times, fault }
    }
}

/// What a client must show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Nothing.
    Nothing,
    /// A user and password.
    Basic(String, String),
    /// A token, which anybody may have.
    AnonymousToken,
    /// A token, had for a user and password.
    Token(String, String),
}

/// The registry. Ends when dropped.
pub struct FaultyRegistry {
    shared: Arc<Shared>,
    port: u16,
    acceptor: Option<JoinHandle<()>>,
}

pub(crate) struct Shared {
    state: Mutex<State>,
    ended: AtomicBool,
    port: u16,
}

pub(crate) struct StoredManifest {
    pub(crate) media_type: MediaType,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) struct State {
    pub(crate) blobs: HashMap<Digest, Vec<u8>>,
    /// By repository and tag or digest.
    pub(crate) manifests: HashMap<(String, String), StoredManifest>,
    /// Which repository has which blob.
    pub(crate) linked: HashSet<(String, Digest)>,
    pub(crate) uploads: BTreeMap<u64, Vec<u8>>,
    pub(crate) next_id: u64,
    pub(crate) demand: Demand,
    pub(crate) tokens: Vec<String>,
    rules: Vec<Rule>,
    storm: Option<Storm>,
    requests: Vec<Request>,
    connections: Vec<TcpStream>,
}

impl FaultyRegistry {
    /// Starts an empty registry without faults.
    pub fn start() -> io::Result<FaultyRegistry> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let state = State {
            blobs: HashMap::new(),
            manifests: HashMap::new(),
            linked: HashSet::new(),
            uploads: BTreeMap::new(),
            next_id: 1,
            demand: Demand::Nothing,
            tokens: Vec::new(),
            rules: Vec::new(),
            storm: None,
            requests: Vec::new(),
            connections: Vec::new(),
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), ended: AtomicBool::new(false), port });
        let accepting = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || accepting.accept(&listener));
        Ok(FaultyRegistry { shared, port, acceptor: Some(acceptor) })
    }

    /// `127.0.0.1:port`, as it stands in a reference.
    pub fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Puts an image into a repository, under its digest and a tag.
    pub fn put_image(&self, repository: &str, tag: &str, image: &SyntheticImage) {
        for (descriptor, bytes) in &image.blobs {
            self.put_blob(repository, &descriptor.digest, bytes);
        }
        self.put_manifest(repository, tag, &image.descriptor.media_type, &image.manifest);
    }

    /// Puts a blob into a repository under a digest, whether it fits or not.
    pub fn put_blob(&self, repository: &str, digest: &Digest, bytes: &[u8]) {
        let mut state = self.shared.lock();
        state.blobs.insert(digest.clone(), bytes.to_vec());
        state.linked.insert((repository.to_owned(), digest.clone()));
    }

    /// Puts a manifest or index into a repository, under its digest and a tag.
    pub fn put_manifest(&self, repository: &str, tag: &str, media_type: &MediaType, bytes: &[u8]) {
        self.shared.lock().put_manifest(repository, tag, media_type.clone(), bytes.to_vec());
    }

    /// The bytes of a manifest that a client pushed.
    pub fn manifest(&self, repository: &str, name: &str) -> Option<Vec<u8>> {
        let key = (repository.to_owned(), name.to_owned());
        self.shared.lock().manifests.get(&key).map(|manifest| manifest.bytes.clone())
    }

    /// Whether a blob is in a repository.
    pub fn has_blob(&self, repository: &str, digest: &Digest) -> bool {
        self.shared.lock().linked.contains(&(repository.to_owned(), digest.clone()))
    }

    /// What clients must show from now on. Tokens that were given are forgotten.
    pub fn demand(&self, demand: Demand) {
        let mut state = self.shared.lock();
        state.demand = demand;
        state.tokens.clear();
    }

    /// Makes every token that was given so far worthless.
    pub fn revoke_tokens(&self) {
        self.shared.lock().tokens.clear();
    }

    /// Adds a fault. Of several rules for one request the first counts.
    pub fn fail(&self, rule: Rule) {
        self.shared.lock().rules.push(rule);
    }

    /// From now on so many of a hundred requests go wrong in one of the ways that pass. Which ones, `seed` decides.
    pub fn storm(&self, percent: u64, seed: u64) {
        self.shared.lock().storm = Some(Storm { percent, state: seed | 1 });
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }

    /// How many requests so far had this method and this in their path.
    pub fn count(&self, method: &str, path: &str) -> usize {
        self.requests()
            .iter()
            .filter(|request| request.method == method && request.path.contains(path))
            .count()
    }
}

impl Drop for FaultyRegistry {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        for connection in self.shared.lock().connections.drain(..) {
            // A connection that is closed already is as well.
            let _ = connection.shutdown(Shutdown::Both);
        }
        // Wakes the acceptor.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else { continue };
            if let Ok(copy) = stream.try_clone() {
                self.lock().connections.push(copy);
            }
            let shared = Arc::clone(self);
            std::thread::spawn(move || {
                // A client that goes away is no fault of the registry's.
                let _ = shared.serve(&stream);
                let _ = stream.shutdown(Shutdown::Both);
            });
        }
    }

    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        let mut reader = io::BufReader::new(stream.try_clone()?);
        while let Some(mut request) = http::read_head(&mut reader)? {
            let fault = self.lock().fault_for(&request);
            let limit = match &fault {
                Some(Fault::CutUpload(count)) => Some(*count),
                _ => None,
            };
            let complete = http::read_body(&mut reader, &mut request, limit)?;
            self.lock().requests.push(request.clone());
            if !complete {
                self.lock().keep_partial(&request);
                return Ok(());
            }
            let reply = match &fault {
                Some(Fault::Answer(reply)) => reply.clone(),
                Some(Fault::Close) => return Ok(()),
                Some(Fault::Stall) => return self.hold(stream),
                Some(Fault::NoRanges) => {
                    request.headers.remove("range");
                    self.answer(&request)
                }
                _ => self.answer(&request),
            };
            if !self.write(stream, &request, reply, fault.as_ref())? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn answer(&self, request: &Request) -> Reply {
        self.lock().answer(request, self.port)
    }

    /// Writes a reply with its fault; `false` when the connection is at its end.
    fn write(
        &self,
        mut stream: &TcpStream,
        request: &Request,
        mut reply: Reply,
        fault: Option<&Fault>,
    ) -> io::Result<bool> {
        let body_sent = request.method != "HEAD";
        match fault {
            Some(Fault::FlipByte) => {
                if let Some(byte) = reply.body.last_mut() {
                    *byte ^= 1;
                }
            }
            Some(Fault::Longer(count)) => reply.body.extend(std::iter::repeat_n(0, *count)),
            Some(Fault::Shorter(count)) => reply.body.truncate(reply.body.len().saturating_sub(*count)),
            _ => {}
        }
        let cut = match fault {
            Some(Fault::CutBody(count) | Fault::StallBody(count)) => Some((*count).min(reply.body.len())),
            _ => None,
        };
        http::write(&mut stream, &reply, if body_sent { cut.unwrap_or(reply.body.len()) } else { 0 })?;
        match fault {
            Some(Fault::CutBody(_)) => Ok(false),
            Some(Fault::StallBody(_)) => self.hold(stream).map(|()| false),
            _ => Ok(true),
        }
    }

    /// Keeps a connection open without a word until the client or the registry ends it.
    fn hold(&self, mut stream: &TcpStream) -> io::Result<()> {
        let mut ignored = [0; 4096];
        while io::Read::read(&mut stream, &mut ignored)? > 0 {}
        Ok(())
    }
}

impl State {
    fn fault_for(&mut self, request: &Request) -> Option<Fault> {
        let fits = |rule: &&mut Rule| {
            rule.times > 0
                && (rule.method.is_empty() || rule.method == request.method)
                && request.path.contains(&rule.path)
        };
        match self.rules.iter_mut().find(fits) {
            Some(rule) => {
                rule.times -= 1;
                Some(rule.fault.clone())
            }
            None => self.storm.as_mut().and_then(Storm::next),
        }
    }
}

/// Faults at random.
struct Storm {
    percent: u64,
    state: u64,
}

impl Storm {
    fn next(&mut self) -> Option<Fault> {
        if self.random() % 100 >= self.percent {
            return None;
        }
        let place = (self.random() % 400_000) as usize;
        Some(match self.random() % 7 {
            0 => Fault::Close,
            1 => Fault::Answer(Reply::status(429).with("retry-after", "0")),
            2 => Fault::Answer(Reply::status(500)),
            3 => Fault::Answer(Reply::status(503)),
            4 | 5 => Fault::CutBody(place),
            _ => Fault::CutUpload(place),
        })
    }

    /// xorshift64.
    fn random(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state >> 11
    }
}
