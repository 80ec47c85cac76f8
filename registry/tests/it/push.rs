//! Pushes: what the registry then has, that nothing is sent twice, and that uploads outlast faults.

use std::sync::atomic::{AtomicBool, Ordering};

use tug_oci::{Descriptor, Digest, Platform, Reference};
use tug_registry::credential::{Credential, Credentials, Secret};
use tug_registry::{Client, Options, Progress, PushError, Silent, Transfer, TransferKind, TransferState};
use tug_testkit::fault::{Demand, Fault, FaultyRegistry, Reply, Rule};
use tug_testkit::image::{File, SyntheticImage, image, image_for, index};
use tug_testkit::registry::{Guard, PASSWORD, USER};

use crate::support::{
    Recorder, TestStore, chain, client, docker_registry, faulty, impatient, options, reference, store,
};

/// A store that pulled an image of two layers.
fn with_image(client: &Client) -> (TestStore, SyntheticImage) {
    let (origin, store) = (faulty(), store());
    let image = image(&[vec![File::noise("noise", 3_000_000, 7)], vec![File::new("etc/name", "top")]]);
    origin.put_image("origin", "1", &image);
    let name = reference(&origin.authority(), "origin:1");
    client.pull(&store, &name, &Platform::host(), &Silent).expect("the origin has the image");
    (store, image)
}

fn has_all(registry: &FaultyRegistry, repository: &str, image: &SyntheticImage) {
    assert_eq!(registry.manifest(repository, "1").as_ref(), Some(&image.manifest));
    for (descriptor, _) in &image.blobs {
        assert!(registry.has_blob(repository, &descriptor.digest), "{}", descriptor.digest);
    }
}

fn options_for(guard: Guard, registry: &tug_testkit::registry::DockerRegistry) -> Options {
    let credential = Credential::Basic { username: USER.to_owned(), password: Secret::new(PASSWORD) };
    match guard {
        Guard::Plain => options(),
        _ => Options {
            certs_dirs: vec![registry.certs_d()],
            credentials: Credentials::Fixed { registry: registry.authority(), credential },
            ..options()
        },
    }
}

#[test]
fn round_trip_through_a_real_registry() {
    for guard in [Guard::Plain, Guard::Tls, Guard::TlsBasic] {
        let registry = docker_registry(guard);
        let client = client(options_for(guard, &registry));
        let (store, image) = with_image(&client);
        let name = reference(&registry.authority(), "team/app:1");
        let pushed = client.push(&store, &name, &image.descriptor, &Silent).unwrap();
        assert_eq!(pushed.descriptor, image.descriptor, "{guard:?}");
        assert_eq!(client.resolve(&name).unwrap().bytes, image.manifest);

        let recorder = Recorder::default();
        client.push(&store, &name, &image.descriptor, &recorder).unwrap();
        assert_eq!(recorder.count(TransferKind::Layer, TransferState::Exists), 2, "{guard:?}");

        let fresh = crate::support::store();
        let pulled = client.pull(&fresh, &name, &Platform::host(), &Silent).unwrap();
        assert_eq!(pulled.target, image.descriptor);
        assert_eq!(fresh.file(&image.diff_ids, "etc/name").unwrap(), b"top");
        fresh.assert_sound();
        assert_eq!(registry.log().contains("HTTP/2.0"), guard != Guard::Plain, "TLS speaks HTTP/2");
    }
}

#[test]
fn an_image_made_here_is_packed_first() {
    let registry = docker_registry(Guard::Plain);
    let (client, store) = (client(options()), store());
    let built = store.built_image("hello");
    let name = reference(&registry.authority(), "app:1");
    let pushed = client.push(&store, &name, &built, &Silent).unwrap();
    assert_ne!(pushed.descriptor.digest, built.digest, "plain tars are not sent");
    assert_eq!(client.resolve(&name).unwrap().descriptor, pushed.descriptor);
    assert_eq!(client.push(&store, &name, &built, &Silent).unwrap(), pushed, "the same each time");

    let fresh = crate::support::store();
    let pulled = client.pull(&fresh, &name, &Platform::host(), &Silent).unwrap();
    assert_eq!(fresh.file(pulled.image.diff_ids(), "built").unwrap(), b"hello");
    store.assert_sound();
}

#[test]
fn an_index_takes_its_children_with_it() {
    let registry = docker_registry(Guard::Plain);
    let origin = faulty();
    let (here, there): (Platform, Platform) = (Platform::host(), "linux/s390x".parse().unwrap());
    let image_here = image_for(here.clone(), &[vec![File::new("arch", "here")]]);
    let image_there = image_for(there.clone(), &[vec![File::new("arch", "there")]]);
    let (descriptor, bytes) = index(&[(here.clone(), &image_here), (there.clone(), &image_there)]);
    origin.put_image("app", "here", &image_here);
    origin.put_image("app", "there", &image_there);
    origin.put_manifest("app", "1", &descriptor.media_type, &bytes);
    let (client, store) = (client(options()), store());
    let from = reference(&origin.authority(), "app:1");
    let name = reference(&registry.authority(), "app:1");
    client.pull(&store, &from, &here, &Silent).unwrap();
    let error = client.push(&store, &name, &descriptor, &Silent).unwrap_err();
    assert_eq!(
        chain(&error),
        format!(
            "the image for linux/s390x ({}) is neither in the store nor in the registry",
            image_there.descriptor.digest
        )
    );
    client.pull(&store, &from, &there, &Silent).unwrap();
    assert_eq!(client.push(&store, &name, &descriptor, &Silent).unwrap().descriptor, descriptor);
    assert_eq!(client.resolve(&name).unwrap().bytes, bytes);
    for platform in [here, there] {
        client.pull(&crate::support::store(), &name, &platform, &Silent).unwrap();
    }
}

#[test]
fn a_blob_of_a_neighbouring_repository_is_mounted() {
    let registry = docker_registry(Guard::Plain);
    let client = client(options());
    let (store, image) = with_image(&client);
    let first = reference(&registry.authority(), "first:1");
    client.push(&store, &first, &image.descriptor, &Silent).unwrap();
    store.names().set(&first, &image.descriptor).unwrap();
    let recorder = Recorder::default();
    let second = reference(&registry.authority(), "second:1");
    client.push(&store, &second, &image.descriptor, &recorder).unwrap();
    assert_eq!(recorder.count(TransferKind::Layer, TransferState::Mounted), 2);
    client.pull(&crate::support::store(), &second, &Platform::host(), &Silent).unwrap();
}

#[test]
fn a_digest_in_the_reference_must_be_the_images() {
    let (registry, client) = (faulty(), client(options()));
    let (store, image) = with_image(&client);
    let name = |digest: &Digest| -> Reference { reference(&registry.authority(), &format!("app@{digest}")) };
    let error = client.push(&store, &name(&Digest::of(b"other")), &image.descriptor, &Silent).unwrap_err();
    assert!(matches!(error, PushError::DigestDiffers { .. }), "{}", chain(&error));
    assert_eq!(registry.count("PUT", ""), 0);
    client.push(&store, &name(&image.descriptor.digest), &image.descriptor, &Silent).unwrap();
    assert!(registry.manifest("app", &image.descriptor.digest.to_string()).is_some());
}

/// Pushes to a registry with faults; all must arrive in the end.
fn outlasts(rules: Vec<Rule>) -> FaultyRegistry {
    let (registry, client) = (faulty(), client(impatient()));
    let (store, image) = with_image(&client);
    let text = format!("{rules:?}");
    for rule in rules {
        registry.fail(rule);
    }
    let name = reference(&registry.authority(), "app:1");
    let result = client.push(&store, &name, &image.descriptor, &Silent);
    if let Err(error) = result {
        panic!("{text}: {}", chain(&error));
    }
    has_all(&registry, "app", &image);
    registry
}

#[test]
fn failures_that_pass_are_outlasted() {
    for fault in [Fault::Answer(Reply::status(503)), Fault::Close, Fault::Answer(Reply::status(429))] {
        for (method, path) in [("HEAD", ""), ("POST", ""), ("PUT", "/uploads/"), ("PUT", "/manifests/")] {
            outlasts(vec![Rule::new(method, path, 2, fault.clone())]);
        }
    }
    outlasts(vec![Rule::new("PUT", "/uploads/", 1, Fault::Stall)]);
}

#[test]
fn a_cut_upload_goes_on_where_the_server_says() {
    let registry = outlasts(vec![Rule::new("PUT", "/uploads/", 3, Fault::CutUpload(1_000_000))]);
    let sent: usize = registry.requests().iter().map(|request| request.body.len()).sum();
    assert!(sent < 3_300_000, "{sent} bytes were sent of about 3,000,000");
    assert!(registry.count("PATCH", "/uploads/") > 0);
}

#[test]
fn a_server_that_forgets_a_cut_upload_gets_it_anew() {
    outlasts(vec![
        Rule::new("PUT", "/uploads/", 1, Fault::CutUpload(1_000_000)),
        Rule::new("GET", "/uploads/", 1, Fault::Answer(Reply::status(404))),
    ]);
}

#[test]
fn a_server_that_takes_no_single_piece_gets_chunks() {
    let registry = outlasts(vec![Rule::new("PUT", "/uploads/", 1, Fault::Answer(Reply::status(413)))]);
    assert!(registry.count("PATCH", "/uploads/") > 0);
}

#[test]
fn a_lost_answer_is_not_a_lost_blob() {
    let registry = outlasts(vec![Rule::new("PUT", "/uploads/", 1, Fault::CutBody(0))]);
    assert!(registry.count("PUT", "/uploads/") <= 4);
}

#[test]
fn a_registry_without_head_is_sent_everything() {
    outlasts(vec![Rule::new("HEAD", "", 100, Fault::Answer(Reply::status(405)))]);
}

#[test]
fn a_mount_that_is_declined_becomes_an_upload() {
    let (registry, client) = (faulty(), client(options()));
    let (store, image) = with_image(&client);
    // The store thinks that a neighbour has the blobs; the registry knows better.
    store.names().set(&reference(&registry.authority(), "neighbour:1"), &image.descriptor).unwrap();
    client.push(&store, &reference(&registry.authority(), "app:1"), &image.descriptor, &Silent).unwrap();
    has_all(&registry, "app", &image);
    assert_eq!(registry.count("POST", "mount=sha256"), 2);
    assert_eq!(registry.count("POST", "/uploads/"), 3, "no second upload is opened");
}

/// Takes every token away when the first bytes are on their way.
struct Revoking<'a>(&'a FaultyRegistry, AtomicBool);

impl Progress for Revoking<'_> {
    fn report(&self, transfer: Transfer<'_>) {
        let moving = matches!(transfer.state, TransferState::Bytes { .. });
        if moving && !self.1.swap(true, Ordering::SeqCst) {
            self.0.revoke_tokens();
        }
    }
}

#[test]
fn a_token_that_ends_on_the_way_is_renewed() {
    let (registry, client) = (faulty(), client(options()));
    let (store, image) = with_image(&client);
    registry.demand(Demand::AnonymousToken);
    let name = reference(&registry.authority(), "app:1");
    let revoking = Revoking(&registry, AtomicBool::new(false));
    client.push(&store, &name, &image.descriptor, &revoking).unwrap();
    has_all(&registry, "app", &image);
    assert!(revoking.1.load(Ordering::SeqCst));
    assert!(registry.count("GET", "/token") >= 2);
    let scope = "scope=repository%3Aapp%3Apull%2Cpush";
    assert!(registry.requests().iter().any(|request| request.path.contains(scope)));

    let fresh = crate::support::store();
    let revoking = Revoking(&registry, AtomicBool::new(false));
    client.pull(&fresh, &name, &Platform::host(), &revoking).unwrap();
    fresh.assert_sound();
}

#[test]
fn refusals_are_passed_on_and_nothing_gets_the_name() {
    let (registry, client) = (faulty(), client(options()));
    let (store, image) = with_image(&client);
    let denied = Reply::refusal(403, "DENIED", "read only");
    registry.fail(Rule::new("POST", "", 100, Fault::Answer(denied)));
    let name = reference(&registry.authority(), "app:1");
    let error = client.push(&store, &name, &image.descriptor, &Silent).unwrap_err();
    let text = chain(&error);
    assert!(
        text.contains(&format!("to {name}: POST http://{}/v2/app/blobs/uploads/: 403", registry.authority())),
        "{text}"
    );
    assert!(text.ends_with("403 Forbidden (DENIED: read only)"), "{text}");
    assert_eq!(registry.manifest("app", "1"), None);
}

#[test]
fn upload_states_do_not_reach_an_error() {
    let (registry, client) = (faulty(), client(options()));
    let (store, image) = with_image(&client);
    registry.fail(Rule::new("PUT", "/uploads/", 100, Fault::Answer(Reply::status(400))));
    let name = reference(&registry.authority(), "app:1");
    let error = client.push(&store, &name, &image.descriptor, &Silent).unwrap_err();
    assert!(!format!("{} {error:?}", chain(&error)).contains("state=secret"), "{}", chain(&error));
}

#[test]
fn an_image_that_is_not_here_is_not_pushed() {
    let (registry, client, store) = (faulty(), client(options()), store());
    let nothing = Descriptor::of(tug_oci::MediaType::OCI_MANIFEST, b"{}");
    let error =
        client.push(&store, &reference(&registry.authority(), "app:1"), &nothing, &Silent).unwrap_err();
    assert!(chain(&error).contains("is not in the store"), "{}", chain(&error));
    assert_eq!(registry.requests().len(), 0);
}
