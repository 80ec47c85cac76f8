//! Collection: what is reachable stays, the rest goes.

use std::fs;

use tug_oci::{Compression, Digest, Index, Manifest, MediaType, Platform};
use tug_store::cache::CacheRecord;
use tug_store::gc::{CollectError, Collected, Policy};
use tug_store::image::Image;

use crate::child::Child;
use crate::fixture::{Fixture, name};

fn collect(fixture: &Fixture, policy: Policy) -> Collected {
    let collected = fixture.store.collect(&policy).unwrap();
    fixture.assert_sound();
    assert!(!fixture.has_leftovers());
    collected
}

fn is_whole(fixture: &Fixture, image: &Image) -> bool {
    let content = fixture.store.content();
    content.contains(&image.descriptor.digest)
        && content.contains(image.id())
        && image.diff_ids().iter().all(|layer| fixture.store.layers().contains(layer))
}

fn is_gone(fixture: &Fixture, image: &Image) -> bool {
    let content = fixture.store.content();
    !content.contains(&image.descriptor.digest)
        && !content.contains(image.id())
        && !image.diff_ids().iter().any(|layer| fixture.store.layers().contains(layer))
}

#[test]
fn garbage_goes_and_images_stay() {
    let fixture = Fixture::new();
    let (named, unnamed) = (fixture.image(&["a", "b"]), fixture.image(&["c"]));
    fixture.store.names().set(&name("app:1"), &named.descriptor).unwrap();
    fixture.store.content().put("text/plain", b"garbage").unwrap();
    let layer = fixture.layer("garbage");
    let collected = collect(&fixture, Policy::default());
    assert_eq!((collected.blobs, collected.layers, collected.records), (1, 1, 0));
    assert!(collected.bytes > 0 && collected.images.is_empty());
    assert!(is_whole(&fixture, &named) && is_whole(&fixture, &unnamed));
    assert!(!fixture.store.layers().contains(&layer));
    let again = collect(&fixture, Policy::default());
    assert_eq!((again.blobs, again.layers, again.bytes), (0, 0, 0));
}

#[test]
fn dangling_images_go_when_asked() {
    let fixture = Fixture::new();
    let (named, unnamed) = (fixture.image(&["shared", "a"]), fixture.image(&["shared", "b"]));
    fixture.store.names().set(&name("app:1"), &named.descriptor).unwrap();
    let collected = collect(&fixture, Policy { dangling: true, ..Policy::default() });
    assert_eq!(collected.images, [unnamed.id().to_string()]);
    assert_eq!((collected.blobs, collected.layers), (2, 1));
    assert!(is_whole(&fixture, &named));
    assert_eq!(fixture.store.images().list().unwrap().len(), 1);
}

#[test]
fn all_images_go_when_asked_but_not_the_cache() {
    let fixture = Fixture::new();
    let image = fixture.image(&["a", "b"]);
    fixture.store.names().set(&name("app:1"), &image.descriptor).unwrap();
    let (key, layer) = (Digest::of(b"key"), image.diff_ids()[0].clone());
    let record = CacheRecord { value: b"v".to_vec(), layers: vec![layer.clone()] };
    fixture.store.cache().put(&key, &record).unwrap();
    let collected = collect(&fixture, Policy { all_images: true, ..Policy::default() });
    assert_eq!(collected.images, ["app:1"]);
    assert_eq!((collected.layers, collected.records), (1, 0));
    assert!(fixture.store.names().list().unwrap().is_empty());
    assert_eq!(fixture.store.cache().get(&key).unwrap(), Some(record));
    let collected = collect(&fixture, Policy { cache: true, ..Policy::default() });
    assert_eq!((collected.layers, collected.records), (1, 1));
    assert!(is_gone(&fixture, &image));
    assert_eq!(fixture.store.cache().get(&key).unwrap(), None);
}

#[test]
fn a_record_goes_with_its_layer() {
    let fixture = Fixture::new();
    let (kept, lost) = (fixture.layer("kept"), fixture.layer("lost"));
    let record = CacheRecord { value: Vec::new(), layers: vec![kept.clone(), lost.clone()] };
    fixture.store.cache().put(&Digest::of(b"key"), &record).unwrap();
    fs::remove_dir_all(fixture.root().join("layers/sha256").join(lost.0.hex())).unwrap();
    let problems = fixture.store.fsck().unwrap().problems;
    assert!(matches!(problems.as_slice(), [one] if one.contains(&lost.to_string())), "{problems:?}");
    let collected = collect(&fixture, Policy::default());
    assert_eq!((collected.records, collected.layers), (1, 1));
    assert!(!fixture.store.layers().contains(&kept));
}

#[test]
fn packed_blobs_stay_and_go_with_their_layer() {
    let fixture = Fixture::new();
    let image = fixture.image(&["a"]);
    let packed = fixture.store.images().packed(&image, Compression::Gzip).unwrap();
    let blob = &packed.manifest.layers[0].digest;
    // The manifest of the packed form was not recorded.
    assert_eq!(collect(&fixture, Policy { cache: true, ..Policy::default() }).blobs, 1);
    assert!(fixture.store.content().contains(blob));
    let again = fixture.store.images().packed(&image, Compression::Gzip).unwrap();
    assert_eq!(again.descriptor, packed.descriptor);
    collect(&fixture, Policy { dangling: true, ..Policy::default() });
    assert!(!fixture.store.content().contains(blob));
    assert!(is_gone(&fixture, &image));
}

#[test]
fn an_index_keeps_what_of_it_is_here() {
    let fixture = Fixture::new();
    let content = fixture.store.content();
    let image = fixture.image(&["a"]);
    let index = Index::of(vec![image.descriptor.clone(), crate::fixture::nowhere()]);
    let index = content.put(MediaType::OCI_INDEX, &serde_json::to_vec(&index).unwrap()).unwrap();
    fixture.store.names().set(&name("app:1"), &index).unwrap();
    let collected = collect(&fixture, Policy { dangling: true, ..Policy::default() });
    // The record of the manifest alone goes, its content does not.
    assert_eq!((collected.images.len(), collected.blobs, collected.layers), (1, 0, 0));
    assert!(is_whole(&fixture, &image));
}

#[test]
fn an_image_cannot_hide_the_content_of_another() {
    let fixture = Fixture::new();
    let content = fixture.store.content();
    let victim = fixture.image(&["a"]);
    fixture.store.names().set(&name("victim:1"), &victim.descriptor).unwrap();
    // Names the victim's manifest as a layer and as an index.
    let empty = content.put(MediaType::OCI_EMPTY, b"{}").unwrap();
    let layer = tug_oci::Descriptor { media_type: MediaType::OCI_LAYER.into(), ..victim.descriptor.clone() };
    let hostile = serde_json::to_vec(&Manifest::image(empty, vec![layer])).unwrap();
    let hostile = content.put(MediaType::OCI_MANIFEST, &hostile).unwrap();
    let entry = tug_oci::Descriptor { media_type: MediaType::OCI_INDEX.into(), ..victim.descriptor.clone() };
    let index = content.put(MediaType::OCI_INDEX, &serde_json::to_vec(&Index::of(vec![entry])).unwrap());
    fixture.store.names().set(&name("a:1"), &hostile).unwrap();
    fixture.store.names().set(&name("b:1"), &index.unwrap()).unwrap();
    fixture.store.collect(&Policy::default()).unwrap();
    assert!(is_whole(&fixture, &victim));
}

#[test]
fn a_broken_image_is_told_and_can_be_removed() {
    let fixture = Fixture::new();
    let image = fixture.image(&["a"]);
    fixture.store.names().set(&name("app:1"), &image.descriptor).unwrap();
    fs::remove_file(fixture.root().join("blobs/sha256").join(image.id().hex())).unwrap();
    let problems = fixture.store.fsck().unwrap().problems;
    let wanted = format!("blob {} is not in the store", image.id());
    assert!(
        problems.iter().any(|one| one.starts_with("name app:1: ") && one.ends_with(&wanted)),
        "{problems:?}"
    );
    let layer = fixture.root().join("layers/sha256").join(image.diff_ids()[0].0.hex()).join("fs/file");
    fs::write(layer, "changed").unwrap();
    let problems = fixture.store.fsck().unwrap().problems;
    let wanted = format!("layer {} is not whole", image.diff_ids()[0]);
    assert!(problems.iter().any(|one| one.starts_with(&wanted)), "{problems:?}");
    collect(&fixture, Policy { all_images: true, ..Policy::default() });
    assert!(fixture.store.images().list().unwrap().is_empty());
}

#[test]
fn builds_and_collections_take_turns() {
    let fixture = Fixture::new();
    let mut builders: Vec<Child> =
        ["a", "b", "c"].iter().map(|who| Child::start("build", fixture.root(), who)).collect();
    let policy = Policy { dangling: true, cache: true, ..Policy::default() };
    for builder in &mut builders {
        builder.ready(1);
        match fixture.store.collect(&policy) {
            Ok(_) | Err(CollectError::InUse(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    builders.into_iter().for_each(Child::finish);
    fixture.assert_sound();
    collect(&fixture, policy);
    for who in ["a", "b", "c"] {
        let target = fixture.store.names().get(&name(&format!("app-{who}"))).unwrap().unwrap();
        let image = fixture.store.images().read(&target, &Platform::host()).unwrap();
        assert!(is_whole(&fixture, &image));
    }
    assert_eq!(fs::read_dir(fixture.root().join("layers/sha256")).unwrap().count(), 4);
}

#[test]
fn usage_says_who_holds_what() {
    let fixture = Fixture::new();
    let big = |letter: &str| letter.repeat(200_000);
    let named = fixture.image(&["shared", &big("a")]);
    fixture.image(&["shared", &big("b")]);
    fixture.store.names().set(&name("app:1"), &named.descriptor).unwrap();
    let cached = fixture.layer(&big("c"));
    let record = CacheRecord { value: Vec::new(), layers: vec![cached, named.diff_ids()[1].clone()] };
    fixture.store.cache().put(&Digest::of(b"key"), &record).unwrap();
    let before = fixture.store.usage().unwrap().garbage_bytes;
    fixture.layer(&big("d"));
    fixture.store.content().put("text/plain", big("e").as_bytes()).unwrap();
    let usage = fixture.store.usage().unwrap();
    assert_eq!((usage.images, usage.records), (2, 1));
    let about = |bytes: u64, times: u64| (200_000 * times..200_000 * times + 100_000).contains(&bytes);
    assert!(about(usage.image_bytes, 2), "{usage:?}");
    assert!(about(usage.image_bytes_reclaimable, 1), "{usage:?}");
    assert!(about(usage.cache_bytes, 1), "{usage:?}");
    assert!(about(usage.garbage_bytes - before, 2), "{usage:?}");
    fixture.store.collect(&Policy { dangling: true, cache: true, ..Policy::default() }).unwrap();
    let usage = fixture.store.usage().unwrap();
    assert!(about(usage.image_bytes, 1), "{usage:?}");
    assert_eq!((usage.image_bytes_reclaimable, usage.cache_bytes, usage.images), (0, 0, 1));
}
