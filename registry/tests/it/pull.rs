//! Pulls: what lands in the store, and that nothing lands there when the registry fails or lies.

use tug_oci::{Descriptor, Manifest, MediaType, Platform};
use tug_registry::{Freshness, PullError, Silent, TransferKind, TransferState};
use tug_testkit::fault::{Fault, FaultyRegistry, Reply, Rule};
use tug_testkit::image::{File, SyntheticImage, gzip, image, image_for, index, tar_of};

use crate::support::{Recorder, chain, client, faulty, impatient, options, reference, store};

fn three_layers() -> SyntheticImage {
    image(&[
        vec![File::new("etc/name", "lowest"), File::noise("noise", 300_000, 1)],
        vec![File::noise("more", 2_000_000, 2)],
        vec![File::new("etc/name", "top")],
    ])
}

fn with_image() -> (FaultyRegistry, SyntheticImage) {
    let (registry, image) = (faulty(), three_layers());
    registry.put_image("team/app", "1", &image);
    (registry, image)
}

#[test]
fn an_image_lands_in_the_store_with_its_name() {
    let (registry, image) = with_image();
    let (client, store, recorder) = (client(options()), store(), Recorder::default());
    let name = reference(&registry.authority(), "team/app:1");
    let pulled = client.pull(&store, &name, &Platform::host(), &recorder).unwrap();
    assert_eq!(pulled.target, image.descriptor);
    assert_eq!(pulled.freshness, Freshness::New);
    assert_eq!(store.names().get(&name).unwrap(), Some(image.descriptor.clone()));
    let read = store.images().read(&image.descriptor, &Platform::host()).unwrap();
    assert_eq!(read.diff_ids(), image.diff_ids);
    assert_eq!(store.file(&image.diff_ids, "etc/name").unwrap(), b"top");
    assert_eq!(store.file(&image.diff_ids, "more").unwrap(), File::noise("", 2_000_000, 2).content);
    assert_eq!(recorder.count(TransferKind::Layer, TransferState::Done), 3);
    store.assert_sound();
}

#[test]
fn what_is_here_is_not_fetched_again() {
    let (registry, _) = with_image();
    let (client, store) = (client(options()), store());
    let name = reference(&registry.authority(), "team/app:1");
    client.pull(&store, &name, &Platform::host(), &Silent).unwrap();
    let before = registry.count("GET", "/blobs/");
    let recorder = Recorder::default();
    let again = client.pull(&store, &name, &Platform::host(), &recorder).unwrap();
    assert_eq!(again.freshness, Freshness::UpToDate);
    assert_eq!(registry.count("GET", "/blobs/"), before);
    assert_eq!(recorder.count(TransferKind::Layer, TransferState::Exists), 3);
}

#[test]
fn layers_may_be_left_for_later() {
    let (registry, image) = with_image();
    let (client, store) = (client(options()), store());
    let name = reference(&registry.authority(), "team/app:1");
    let found = client.pull_config(&store, &name, &Platform::host()).unwrap();
    assert_eq!(found.diff_ids(), image.diff_ids);
    assert_eq!(registry.count("GET", "/blobs/"), 1, "the config");
    client.fetch_layers(&store, &name, &found, &Silent).unwrap();
    assert!(image.diff_ids.iter().all(|layer| store.layers().contains(layer)));
    assert_eq!(store.names().get(&name).unwrap(), None);
}

#[test]
fn an_index_gives_the_image_for_the_platform() {
    let registry = faulty();
    let (here, there): (Platform, Platform) = (Platform::host(), "linux/s390x".parse().unwrap());
    let image_here = image_for(here.clone(), &[vec![File::new("arch", "here")]]);
    let image_there = image_for(there.clone(), &[vec![File::new("arch", "there")]]);
    let (descriptor, bytes) = index(&[(there.clone(), &image_there), (here.clone(), &image_here)]);
    registry.put_image("app", "here", &image_here);
    registry.put_image("app", "there", &image_there);
    registry.put_manifest("app", "1", &descriptor.media_type, &bytes);
    let (client, store) = (client(options()), store());
    let name = reference(&registry.authority(), "app:1");
    let pulled = client.pull(&store, &name, &here, &Silent).unwrap();
    assert_eq!((&pulled.target, pulled.image.descriptor.digest), (&descriptor, image_here.descriptor.digest));
    let pulled = client.pull(&store, &name, &there, &Silent).unwrap();
    assert_eq!(pulled.image.descriptor.digest, image_there.descriptor.digest);
    let error = client.pull(&store, &name, &"linux/386".parse().unwrap(), &Silent).unwrap_err();
    let wanted = format!("{name} has no image for linux/386; it has linux/s390x, {here}");
    assert_eq!(chain(&error), wanted);
    store.assert_sound();
}

#[test]
fn by_digest_nothing_is_asked_twice() {
    let (registry, image) = with_image();
    let (client, store) = (client(options()), store());
    let name = reference(&registry.authority(), &format!("team/app:1@{}", image.descriptor.digest));
    client.pull(&store, &name, &Platform::host(), &Silent).unwrap();
    let before = registry.requests().len();
    client.pull(&store, &name, &Platform::host(), &Silent).unwrap();
    assert_eq!(registry.requests().len(), before);
    assert_eq!(
        store.names().get(&name.with_digest(image.descriptor.digest.clone())).unwrap(),
        Some(image.descriptor)
    );
}

/// Pulls while a fault holds; what the person is told.
fn refused(fault: Fault, path: &str) -> String {
    let (registry, image) = with_image();
    // The biggest layer, so that the fault hits in the middle.
    let layer = image.blobs[2].0.digest.to_string();
    let path = if path.is_empty() { &layer } else { path };
    registry.fail(Rule::new("GET", path, 1000, fault));
    let store = store();
    let name = reference(&registry.authority(), "team/app:1");
    let pulled = client(impatient()).pull(&store, &name, &Platform::host(), &Silent);
    let error = pulled.expect_err("the registry fails");
    let named = store.names().get(&name).expect("names can be read");
    assert_eq!(named, None, "no name of a failed pull");
    assert!(!store.layers().contains(&image.diff_ids[1]), "no layer of wrong bytes");
    store.assert_sound();
    chain(&error)
}

fn assert_says(text: &str, wanted: &str) {
    assert!(text.contains(wanted), "{text:?} does not say {wanted:?}");
}

#[test]
fn a_layer_of_the_wrong_digest_is_refused() {
    let text = refused(Fault::FlipByte, "");
    assert_says(&text, "cannot unpack layer sha256:");
    assert_says(&text, "the bytes that came have digest sha256:");
}

#[test]
fn a_layer_of_the_wrong_length_is_refused() {
    let text = refused(Fault::Longer(10), "");
    assert_says(&text, "cannot fetch layer sha256:");
    assert_says(&text, "bytes, wanted");
    assert_says(&refused(Fault::Shorter(10), ""), "bytes, wanted");
}

#[test]
fn a_layer_that_never_comes_whole_is_given_up() {
    assert_says(&refused(Fault::CutBody(1000), ""), "connection lost");
    assert_says(&refused(Fault::StallBody(1000), ""), "nothing came for 0.3 s");
}

#[test]
fn refusals_are_passed_on() {
    let denied = Reply::refusal(403, "DENIED", "requested access to the resource is denied");
    let text = refused(Fault::Answer(denied), "");
    assert_says(&text, "403 Forbidden (DENIED: requested access to the resource is denied)");
    assert_says(&refused(Fault::Answer(Reply::status(401)), ""), "401 Unauthorized");
    assert_says(&refused(Fault::Answer(Reply::status(404)), ""), "404 Not Found");
    assert_says(&refused(Fault::Answer(Reply::status(500)), ""), "500 Internal Server Error");
    assert_says(&refused(Fault::FlipByte, "/manifests/"), "body has digest");
}

#[test]
fn a_cut_download_goes_on_where_it_stood() {
    let (registry, image) = with_image();
    let layer = &image.blobs[2].0;
    let path = &layer.digest.to_string();
    for count in [700_000, 500_000, 1] {
        registry.fail(Rule::new("GET", path, 1, Fault::CutBody(count)));
    }
    let (store, recorder) = (store(), Recorder::default());
    let name = reference(&registry.authority(), "team/app:1");
    client(options()).pull(&store, &name, &Platform::host(), &recorder).unwrap();
    let requests = registry.requests();
    let ranges: Vec<_> =
        requests.iter().filter(|request| request.path.contains(path)).map(|r| r.header("range")).collect();
    assert_eq!(ranges, [None, Some("bytes=700000-"), Some("bytes=1200000-"), Some("bytes=1200001-")]);
    assert_eq!(recorder.count(TransferKind::Layer, TransferState::Retrying), 3);
    assert_eq!(store.file(&image.diff_ids, "more").unwrap(), File::noise("", 2_000_000, 2).content);
    store.assert_sound();
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    let (registry, image) = with_image();
    let path = &image.blobs[2].0.digest.to_string();
    registry.fail(Rule::new("GET", path, 1, Fault::CutBody(700_000)));
    registry.fail(Rule::new("GET", path, 1, Fault::NoRanges));
    let store = store();
    let name = reference(&registry.authority(), "team/app:1");
    client(options()).pull(&store, &name, &Platform::host(), &Silent).unwrap();
    assert_eq!(store.file(&image.diff_ids, "more").unwrap(), File::noise("", 2_000_000, 2).content);
    store.assert_sound();
}

#[test]
fn a_config_that_names_other_layers_is_refused() {
    let registry = faulty();
    let good = image(&[vec![File::new("a", "1")]]);
    let other = gzip(&tar_of(&[File::new("a", "2")]));
    let layer = Descriptor::of(MediaType::OCI_LAYER_GZIP, &other);
    let manifest = Manifest::image(good.blobs[0].0.clone(), vec![layer.clone()]);
    let manifest = serde_json::to_vec(&manifest).unwrap();
    registry.put_image("app", "good", &good);
    registry.put_blob("app", &layer.digest, &other);
    registry.put_manifest("app", "1", &MediaType::OCI_MANIFEST.into(), &manifest);
    let store = store();
    let name = reference(&registry.authority(), "app:1");
    let error = client(options()).pull(&store, &name, &Platform::host(), &Silent).unwrap_err();
    assert!(matches!(error, PullError::Unpack { .. }), "{}", chain(&error));
    assert_says(&chain(&error), "but the archive that came is");
    store.assert_sound();
}

#[test]
fn a_layer_that_is_no_archive_is_refused() {
    let registry = faulty();
    let good = image(&[vec![File::new("a", "1")]]);
    let junk = b"this is no gzip".to_vec();
    let layer = Descriptor::of(MediaType::OCI_LAYER_GZIP, &junk);
    let manifest = Manifest::image(good.blobs[0].0.clone(), vec![layer.clone()]);
    registry.put_image("app", "good", &good);
    registry.put_blob("app", &layer.digest, &junk);
    registry.put_manifest(
        "app",
        "1",
        &MediaType::OCI_MANIFEST.into(),
        &serde_json::to_vec(&manifest).unwrap(),
    );
    let store = store();
    let name = reference(&registry.authority(), "app:1");
    let error = client(options()).pull(&store, &name, &Platform::host(), &Silent).unwrap_err();
    assert_says(&chain(&error), &format!("layer {}", layer.digest));
    store.assert_sound();
}

#[test]
fn an_index_in_itself_or_an_artifact_is_refused() {
    let registry = faulty();
    let good = image(&[]);
    let artifact = Descriptor::of("application/vnd.example.sbom", b"{}");
    let manifest = serde_json::to_vec(&Manifest::image(artifact, Vec::new())).unwrap();
    registry.put_manifest("app", "sbom", &MediaType::OCI_MANIFEST.into(), &manifest);
    let (client, store) = (client(options()), store());
    let name = reference(&registry.authority(), "app:sbom");
    let error = client.pull(&store, &name, &Platform::host(), &Silent).unwrap_err();
    assert_says(&chain(&error), "is no image: its config has media type application/vnd.example.sbom");

    registry.put_image("app", "image", &good);
    let mut inner = good.descriptor.clone();
    for depth in 0..8 {
        let bytes = serde_json::to_vec(&tug_oci::Index::of(vec![inner])).unwrap();
        inner = Descriptor::of(MediaType::OCI_INDEX, &bytes);
        registry.put_manifest("app", &format!("deep{depth}"), &inner.media_type, &bytes);
    }
    let name = reference(&registry.authority(), "app:deep7");
    let error = client.pull(&store, &name, &Platform::host(), &Silent).unwrap_err();
    assert!(matches!(error, PullError::Nested(_)), "{}", chain(&error));
    let name = reference(&registry.authority(), "app:deep2");
    client.pull(&store, &name, &Platform::host(), &Silent).unwrap();
    store.assert_sound();
}

#[test]
fn pulls_at_once_fetch_each_layer_once() {
    let (registry, image) = with_image();
    let (client, store) = (client(options()), store());
    let name = reference(&registry.authority(), "team/app:1");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| client.pull(&store, &name, &Platform::host(), &Silent).unwrap());
        }
    });
    for (layer, _) in &image.blobs[1..] {
        assert_eq!(registry.count("GET", &layer.digest.to_string()), 1);
    }
    store.assert_sound();
}
