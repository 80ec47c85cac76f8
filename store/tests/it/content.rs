//! Blobs: what goes in comes out, and what is wrong never gets in.

use std::fs;
use std::io::{Read, Write};

use tug_oci::{Algorithm, Digest, Digester};
use tug_store::content::{IngestError, ReadError};

use crate::fixture::{Fixture, told};

#[test]
fn a_blob_is_visible_once_it_is_committed() {
    let fixture = Fixture::new();
    let content = fixture.store.content();
    let wanted = Digest::of(b"hello");
    let mut ingest = content.ingest().unwrap();
    ingest.write_all(b"hel").unwrap();
    ingest.write_all(b"lo").unwrap();
    assert!(!content.contains(&wanted));
    assert_eq!(ingest.commit().unwrap(), (wanted.clone(), 5));
    assert!(content.contains(&wanted));
    let mut blob = content.open(&wanted).unwrap().unwrap();
    let mut bytes = Vec::new();
    blob.read_to_end(&mut bytes).unwrap();
    assert_eq!((blob.size(), bytes.as_slice()), (5, b"hello".as_slice()));
    let path = fixture.root().join("blobs/sha256").join(wanted.hex());
    assert_eq!(fs::read(path).unwrap(), b"hello");
    assert!(!fixture.has_leftovers());
}

#[test]
fn wrong_bytes_are_refused_and_leave_nothing() {
    let fixture = Fixture::new();
    let content = fixture.store.content();
    let wanted = Digest::of(b"hello");
    let ingest = |bytes: &[u8]| {
        let mut ingest = content.ingest().unwrap();
        ingest.write_all(bytes).unwrap();
        ingest.commit_as(&wanted, 5)
    };
    let cut = ingest(b"hell").unwrap_err();
    assert!(matches!(cut, IngestError::WrongSize { wanted: 5, found: 4, .. }), "{cut}");
    let lie = ingest(b"hullo").unwrap_err();
    assert!(lie.to_string().contains(&Digest::of(b"hullo").to_string()), "{lie}");
    assert!(!content.contains(&wanted) && !content.contains(&Digest::of(b"hullo")));
    assert!(!fixture.has_leftovers());
    ingest(b"hello").unwrap();
    assert!(content.contains(&wanted));
    fixture.assert_sound();
}

#[test]
fn a_dropped_ingest_leaves_nothing() {
    let fixture = Fixture::new();
    let mut ingest = fixture.store.content().ingest().unwrap();
    ingest.write_all(b"half").unwrap();
    assert!(fixture.has_leftovers());
    drop(ingest);
    assert!(!fixture.has_leftovers());
}

#[test]
fn a_sha512_name_is_checked_too() {
    let fixture = Fixture::new();
    let content = fixture.store.content();
    let mut digester = Digester::new(Algorithm::Sha512);
    digester.update(b"hello");
    let wanted = digester.finish();
    for mut ingest in [content.ingest().unwrap(), content.ingest_hashed(Algorithm::Sha512).unwrap()] {
        ingest.write_all(b"hello").unwrap();
        ingest.commit_as(&wanted, 5).unwrap();
    }
    assert_eq!(content.read(&wanted, 100).unwrap(), b"hello");
    let mut lie = content.ingest().unwrap();
    lie.write_all(b"hullo").unwrap();
    assert!(matches!(lie.commit_as(&wanted, 5), Err(IngestError::WrongDigest { .. })));
}

#[test]
fn reading_checks_size_and_digest() {
    let fixture = Fixture::new();
    let content = fixture.store.content();
    let blob = content.put("text/plain", b"hello").unwrap();
    assert!(matches!(content.read(&blob.digest, 4), Err(ReadError::TooLarge { size: 5, limit: 4, .. })));
    fs::write(fixture.root().join("blobs/sha256").join(blob.digest.hex()), b"hullo").unwrap();
    assert!(matches!(content.read(&blob.digest, 5), Err(ReadError::Damaged { .. })));
    let problems = fixture.store.fsck().unwrap().problems;
    assert!(matches!(problems.as_slice(), [one] if one.contains("is damaged")), "{problems:?}");
    // What is written again is whole again.
    content.put("text/plain", b"hello").unwrap();
    assert_eq!(content.read(&blob.digest, 5).unwrap(), b"hello");
    fixture.assert_sound();
}

#[test]
fn a_missing_blob_is_told() {
    let fixture = Fixture::new();
    let digest = Digest::of(b"nothing");
    assert!(fixture.store.content().open(&digest).unwrap().is_none());
    let error = fixture.store.content().read(&digest, 1).unwrap_err();
    assert_eq!(told(&error), format!("blob {digest} is not in the store"));
}

#[test]
fn many_threads_may_write_the_same_blob() {
    let fixture = Fixture::new();
    let bytes = vec![7; 100_000];
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| fixture.store.content().put("text/plain", &bytes).unwrap());
        }
    });
    assert_eq!(fixture.store.content().read(&Digest::of(&bytes), 100_000).unwrap(), bytes);
    assert!(!fixture.has_leftovers());
}
