//! Images: written, read for a platform, found, packed.

use tug_oci::{
    Compression, Descriptor, DiffId, Digest, ImageConfig, Index, Manifest, MediaKind, MediaType, Platform,
};
use tug_store::image::{Image, ImageError};

use crate::fixture::{Fixture, bare, config, name, nowhere, told};

fn put_json(fixture: &Fixture, media_type: &str, value: &impl serde::Serialize) -> Descriptor {
    fixture.store.content().put(media_type, &serde_json::to_vec(value).unwrap()).unwrap()
}

fn for_platform(fixture: &Fixture, platform: &str) -> Descriptor {
    let platform: Platform = platform.parse().unwrap();
    let config = ImageConfig { platform: platform.clone(), ..config(Vec::new()) };
    let config = put_json(fixture, MediaType::OCI_CONFIG, &config);
    let manifest = put_json(fixture, MediaType::OCI_MANIFEST, &Manifest::image(config, Vec::new()));
    Descriptor { platform: Some(platform), ..manifest }
}

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

#[test]
fn an_image_is_read_as_it_was_written() {
    let fixture = Fixture::new();
    let written = fixture.image(&["a", "b"]);
    let read = fixture.store.images().read(&written.descriptor, &Platform::host()).unwrap();
    assert_eq!((&read.manifest, &read.config), (&written.manifest, &written.config));
    for (blob, layer) in read.manifest.layers.iter().zip(read.diff_ids()) {
        assert_eq!(blob.digest, layer.0);
        assert_eq!(blob.media_type.kind(), MediaKind::Layer(Compression::None));
        assert_eq!(Some(blob.size), fixture.store.layers().size(layer).unwrap());
    }
    let again = fixture.image(&["a", "b"]);
    assert_eq!(again.descriptor, written.descriptor);
    assert_eq!(fixture.store.images().list().unwrap().len(), 1);
    fixture.assert_sound();
}

#[test]
fn an_image_of_a_layer_that_is_not_here_is_refused() {
    let fixture = Fixture::new();
    let missing = DiffId(Digest::of(b"missing"));
    let error = fixture.store.images().write(&config(vec![missing.clone()])).unwrap_err();
    assert_eq!(told(&error), format!("layer {missing} is not in the store"));
    assert!(fixture.store.images().list().unwrap().is_empty());
}

#[test]
fn an_index_gives_the_platform_that_is_asked_for() {
    let fixture = Fixture::new();
    let (amd, arm) = (for_platform(&fixture, "linux/amd64"), for_platform(&fixture, "linux/arm64"));
    let remote = Descriptor { platform: Some(platform("linux/s390x")), ..nowhere() };
    let inner = put_json(&fixture, MediaType::OCI_INDEX, &Index::of(vec![amd, arm.clone(), remote]));
    let outer = put_json(&fixture, MediaType::OCI_INDEX, &Index::of(vec![inner.clone()]));
    let images = fixture.store.images();
    for target in [&inner, &outer] {
        let image = images.read(target, &platform("linux/arm64/v8")).unwrap();
        assert_eq!(image.descriptor.digest, arm.digest);
        assert_eq!(image.config.platform.architecture, "arm64");
    }
    let none = images.read(&inner, &platform("linux/riscv64")).unwrap_err();
    let (all, here) = ("linux/amd64, linux/arm64, linux/s390x", "linux/amd64, linux/arm64");
    assert_eq!(told(&none), format!("image {} is not made for linux/riscv64; it is for {all}", inner.digest));
    let remote = images.read(&inner, &platform("linux/s390x")).unwrap_err();
    assert_eq!(
        told(&remote),
        format!("image {} is not in the store for linux/s390x; here it is for {here}", inner.digest)
    );
}

#[test]
fn indexes_in_indexes_end() {
    let fixture = Fixture::new();
    let mut target = for_platform(&fixture, "linux/amd64");
    for _ in 0..4 {
        target = put_json(&fixture, MediaType::OCI_INDEX, &Index::of(vec![target]));
    }
    let images = fixture.store.images();
    images.read(&target, &platform("linux/amd64")).unwrap();
    target = put_json(&fixture, MediaType::OCI_INDEX, &Index::of(vec![target]));
    assert!(matches!(images.read(&target, &platform("linux/amd64")), Err(ImageError::Nested(_))));
}

#[test]
fn what_lies_is_no_image() {
    let fixture = Fixture::new();
    let (images, host) = (fixture.store.images(), Platform::host());
    let config = put_json(&fixture, MediaType::OCI_CONFIG, &bare("x"));
    let layer = Descriptor::of(MediaType::OCI_LAYER, b"layer");
    let uneven = put_json(&fixture, MediaType::OCI_MANIFEST, &Manifest::image(config.clone(), vec![layer]));
    assert!(matches!(images.read(&uneven, &host), Err(ImageError::LayerCount { blobs: 1, diff_ids: 0, .. })));
    let short = Descriptor { size: config.size - 1, ..config };
    let short = put_json(&fixture, MediaType::OCI_MANIFEST, &Manifest::image(short, Vec::new()));
    assert!(matches!(images.read(&short, &host), Err(ImageError::Size { .. })));
    let empty = put_json(&fixture, MediaType::OCI_EMPTY, &serde_json::json!({}));
    let artifact = put_json(&fixture, MediaType::OCI_MANIFEST, &Manifest::image(empty, Vec::new()));
    assert!(matches!(images.read(&artifact, &host), Err(ImageError::NotAnImage { .. })));
    let huge = fixture.store.content().put(MediaType::OCI_MANIFEST, &vec![b' '; (4 << 20) + 1]).unwrap();
    assert!(told(&images.read(&huge, &host).unwrap_err()).contains("at most 4194304 are read"));
}

#[test]
fn an_image_is_found_by_whatever_it_is_called() {
    let fixture = Fixture::new();
    let (images, names) = (fixture.store.images(), fixture.store.names());
    let (one, two) = (images.write(&bare("one")).unwrap(), images.write(&bare("two")).unwrap());
    names.set(&name("app:1"), &one.descriptor).unwrap();
    names.set(&name("localhost:5000/app:2"), &one.descriptor).unwrap();
    let digest = |image: &Image| image.descriptor.digest.clone();
    let found = |text: &str| images.find(text).unwrap().map(|listed| listed.target.digest);
    let at = |repository: &str, image: &Image| format!("{repository}@{}", image.descriptor.digest);
    for text in ["app:1", "docker.io/library/app:1", "localhost:5000/app:2", &at("app", &one)] {
        assert_eq!(found(text), Some(digest(&one)), "{text}");
    }
    for text in ["app", "app:2", &at("app", &two), &at("other", &one), "0123", "abc", "Not A Name"] {
        assert_eq!(found(text), None, "{text}");
    }
    for image in [&one, &two] {
        for whole in [image.id(), &image.descriptor.digest] {
            for text in [whole.to_string().as_str(), whole.hex(), whole.short(), &whole.to_string()[..19]] {
                assert_eq!(found(text), Some(digest(image)), "{text}");
            }
        }
    }
    let listed = images.find("app:1").unwrap().unwrap();
    let familiar: Vec<String> = listed.names.iter().map(|name| name.familiar()).collect();
    assert_eq!(familiar, ["app:1", "localhost:5000/app:2"]);
}

#[test]
fn an_ambiguous_id_names_what_it_may_be() {
    let fixture = Fixture::new();
    let images = fixture.store.images();
    // Enough images that two of their digests begin alike: 600 digests, 65,536 beginnings.
    let all: Vec<Image> = (0..300).map(|n| images.write(&bare(&n.to_string())).unwrap()).collect();
    let mut digests: Vec<&Digest> =
        all.iter().flat_map(|image| [image.id(), &image.descriptor.digest]).collect();
    digests.sort();
    let alike = digests.windows(2).find(|pair| pair[0].hex()[..4] == pair[1].hex()[..4]).unwrap();
    let error = told(&images.find(&alike[0].hex()[..4]).unwrap_err());
    for digest in alike {
        assert!(error.contains(&digest.to_string()), "{error}");
    }
    assert!(error.contains("is ambiguous"), "{error}");
}

#[test]
fn the_named_one_of_two_forms_is_found() {
    let fixture = Fixture::new();
    let images = fixture.store.images();
    let plain = fixture.image(&["a"]);
    let packed = images.packed(&plain, Compression::Gzip).unwrap();
    assert_eq!(packed.id(), plain.id());
    images.record(&packed.descriptor).unwrap();
    for image in [&plain, &packed] {
        fixture.store.names().set(&name("app:1"), &image.descriptor).unwrap();
        let found = images.find(plain.id().short()).unwrap().unwrap();
        assert_eq!(found.target.digest, image.descriptor.digest);
    }
}

#[test]
fn packing_gives_blobs_that_are_here() {
    let fixture = Fixture::new();
    let images = fixture.store.images();
    let plain = fixture.image(&["a", "b", "a", "c"]);
    let packed = images.packed(&plain, Compression::Gzip).unwrap();
    assert_eq!(packed.manifest.config, plain.manifest.config);
    assert_eq!(packed.manifest.layers.len(), 4);
    assert_eq!(packed.manifest.layers[0], packed.manifest.layers[2]);
    for layer in &packed.manifest.layers {
        assert_eq!(layer.media_type.kind(), MediaKind::Layer(Compression::Gzip));
        assert!(fixture.store.content().contains(&layer.digest));
    }
    let again = images.packed(&packed, Compression::Zstd).unwrap();
    assert_eq!(again.descriptor, packed.descriptor);
    let read = images.read(&packed.descriptor, &Platform::host()).unwrap();
    assert_eq!(read.diff_ids(), plain.diff_ids());
    // The form for a registry is no image of its own until it is recorded.
    assert_eq!(images.list().unwrap().len(), 1);
}

#[test]
fn an_image_without_a_name_stays_until_forgotten() {
    let fixture = Fixture::new();
    let (images, names) = (fixture.store.images(), fixture.store.names());
    let (old, new) = (images.write(&bare("old")).unwrap(), images.write(&bare("new")).unwrap());
    names.set(&name("app:1"), &old.descriptor).unwrap();
    names.set(&name("app:1"), &new.descriptor).unwrap();
    let mut listed: Vec<(Digest, usize)> =
        images.list().unwrap().into_iter().map(|row| (row.target.digest, row.names.len())).collect();
    listed.sort_by_key(|(_, names)| *names);
    assert_eq!(listed, [(old.descriptor.digest.clone(), 0), (new.descriptor.digest.clone(), 1)]);
    let error = images.forget(&new.descriptor).unwrap_err();
    assert!(told(&error).ends_with("still has the names app:1"), "{error}");
    images.forget(&old.descriptor).unwrap();
    assert_eq!(images.list().unwrap().len(), 1);
    assert!(images.record(&nowhere()).is_err());
}
