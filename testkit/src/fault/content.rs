//! What the registry answers when nothing goes wrong: the distribution protocol over maps.

use tug_oci::{Digest, MediaType};

use super::{Demand, Reply, Request, State, StoredManifest};

impl State {
    pub(super) fn put_manifest(
        &mut self,
        repository: &str,
        tag: &str,
        media_type: MediaType,
        bytes: Vec<u8>,
    ) {
        let digest = Digest::of(&bytes).to_string();
        for name in [tag, &digest] {
            let key = (repository.to_owned(), name.to_owned());
            let manifest = StoredManifest { media_type: media_type.clone(), bytes: bytes.clone() };
            self.manifests.insert(key, manifest);
        }
    }

    /// Keeps what came of an upload before it was cut.
    pub(super) fn keep_partial(&mut self, request: &Request) {
        let path = request.path.split('?').next().unwrap_or_default();
        let id = path.rsplit('/').next().and_then(|id| id.parse().ok());
        if let Some(upload) = id.and_then(|id: u64| self.uploads.get_mut(&id)) {
            upload.extend_from_slice(&request.body);
        }
    }

    pub(super) fn answer(&mut self, request: &Request, port: u16) -> Reply {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        if path == "/token" {
            return self.token(request);
        }
        if let Some(refusal) = self.gate(request, port) {
            return refusal;
        }
        let Some(rest) = path.strip_prefix("/v2/") else { return Reply::status(404) };
        if rest.is_empty() {
            return Reply::status(200).body("{}");
        }
        if let Some((repository, name)) = rest.split_once("/manifests/") {
            return self.manifest(request, repository, name);
        }
        if let Some((repository, id)) = rest.split_once("/blobs/uploads/") {
            return self.upload(request, repository, id, query);
        }
        match rest.split_once("/blobs/") {
            Some((repository, digest)) => self.blob(request, repository, digest),
            None => Reply::status(404),
        }
    }

    fn gate(&self, request: &Request, port: u16) -> Option<Reply> {
        let shown = request.header("authorization").unwrap_or_default();
        let refusal = |challenge: String| {
            Some(
                Reply::refusal(401, "UNAUTHORIZED", "authentication required")
                    .with("www-authenticate", challenge),
            )
        };
        match &self.demand {
            Demand::Nothing => None,
            Demand::Basic(user, password) if shown == basic(user, password) => None,
            Demand::Basic(..) => refusal("Basic realm=\"faulty\"".to_owned()),
            Demand::AnonymousToken | Demand::Token(..) => {
                let token = shown.strip_prefix("Bearer ");
                if token.is_some_and(|token| self.tokens.iter().any(|known| known == token)) {
                    return None;
                }
                refusal(format!("Bearer realm=\"http://127.0.0.1:{port}/token\",service=\"faulty\""))
            }
        }
    }

    fn token(&mut self, request: &Request) -> Reply {
        let shown = request.header("authorization").unwrap_or_default();
        if let Demand::Token(user, password) = &self.demand
            && shown != basic(user, password)
        {
            return Reply::status(401).body(r#"{"details":"incorrect username or password"}"#);
        }
        let token = format!("token-{}", self.next_id);
        self.next_id += 1;
        self.tokens.push(token.clone());
        Reply::status(200).body(serde_json::json!({"token": token, "expires_in": 300}).to_string())
    }

    fn manifest(&mut self, request: &Request, repository: &str, name: &str) -> Reply {
        if request.method == "PUT" {
            let media_type = request.header("content-type").unwrap_or_default();
            let digest = Digest::of(&request.body);
            self.put_manifest(repository, name, media_type.into(), request.body.clone());
            return Reply::status(201).with("docker-content-digest", digest.to_string());
        }
        match self.manifests.get(&(repository.to_owned(), name.to_owned())) {
            Some(StoredManifest { media_type, bytes }) => Reply::status(200)
                .with("content-type", media_type.as_str())
                .with("docker-content-digest", Digest::of(bytes).to_string())
                .body(bytes.clone()),
            None => Reply::refusal(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        }
    }

    fn blob(&self, request: &Request, repository: &str, digest: &str) -> Reply {
        let found = digest
            .parse::<Digest>()
            .ok()
            .filter(|digest| self.linked.contains(&(repository.to_owned(), digest.clone())));
        let Some(bytes) = found.and_then(|digest| self.blobs.get(&digest)) else {
            return Reply::refusal(404, "BLOB_UNKNOWN", "blob unknown to registry");
        };
        let from = request
            .header("range")
            .and_then(|range| range.strip_prefix("bytes="))
            .and_then(|range| range.strip_suffix('-'))
            .and_then(|from| from.parse::<usize>().ok());
        match from {
            None => Reply::status(200).body(bytes.clone()),
            Some(from) if from < bytes.len() => Reply::status(206)
                .with("content-range", format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len()))
                .body(&bytes[from..]),
            Some(_) => Reply::status(416),
        }
    }

    fn upload(&mut self, request: &Request, repository: &str, id: &str, query: &str) -> Reply {
        if request.method == "POST" {
            return self.begin(repository, query);
        }
        let Some((id, upload)) = id.parse::<u64>().ok().and_then(|id| Some((id, self.uploads.get_mut(&id)?)))
        else {
            return Reply::refusal(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
        };
        let location = format!("/v2/{repository}/blobs/uploads/{id}");
        let start = request.header("content-range").and_then(|range| range.split('-').next()?.parse().ok());
        if start.is_some_and(|start: usize| start != upload.len()) {
            return Reply::status(416);
        }
        upload.extend_from_slice(&request.body);
        let range = format!("0-{}", upload.len().saturating_sub(1));
        match request.method.as_str() {
            "GET" => Reply::status(204).with("location", location).with("range", range),
            "PATCH" => Reply::status(202).with("location", location).with("range", range),
            "PUT" => self.finish(repository, id, query),
            _ => Reply::status(405),
        }
    }

    fn begin(&mut self, repository: &str, query: &str) -> Reply {
        let mount = parameter(query, "mount").and_then(|digest| digest.parse::<Digest>().ok());
        let from = parameter(query, "from");
        if let (Some(digest), Some(from)) = (mount, from)
            && self.linked.contains(&(from, digest.clone()))
        {
            self.linked.insert((repository.to_owned(), digest.clone()));
            return Reply::status(201).with("location", format!("/v2/{repository}/blobs/{digest}"));
        }
        let id = self.next_id;
        self.next_id += 1;
        self.uploads.insert(id, Vec::new());
        Reply::status(202).with("location", format!("/v2/{repository}/blobs/uploads/{id}?state=secret"))
    }

    fn finish(&mut self, repository: &str, id: u64, query: &str) -> Reply {
        let bytes = self.uploads.remove(&id).unwrap_or_default();
        let wanted = parameter(query, "digest").and_then(|digest| digest.parse::<Digest>().ok());
        let found = Digest::of(&bytes);
        if wanted.as_ref() != Some(&found) {
            return Reply::refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
        }
        self.linked.insert((repository.to_owned(), found.clone()));
        self.blobs.insert(found.clone(), bytes);
        Reply::status(201).with("location", format!("/v2/{repository}/blobs/{found}"))
    }
}

/// A parameter of a query, with `%3A` and `%2F` read.
fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(found, _)| *found == name)?;
    Some(value.replace("%3A", ":").replace("%2F", "/"))
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", base64(format!("{user}:{password}").as_bytes()))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = (bits >> (18 - 6 * place)) & 63;
            let padded = place > group.len();
            text.push(if padded { '=' } else { char::from(DIGITS[digit as usize]) });
        }
    }
    text
}
