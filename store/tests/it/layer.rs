//! Layers in, out and in again.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;

use tug_oci::{Compression, Descriptor, DiffId, Digest, MediaType};
use tug_store::layer::{Layer, Settle, UnpackError, layer_fs};

use crate::fixture::{Fixture, told};

/// A foreign layer: in an order and with headers that are not our own.
fn foreign() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, text) in [("z/file", "z"), ("a/file", "a"), ("a/.wh.gone", "")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o640);
        header.set_mtime(1_000_000_000);
        header.set_username("somebody").unwrap();
        archive.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn receive(fixture: &Fixture, blob: &Descriptor, bytes: &[u8]) -> Result<Layer, UnpackError> {
    let mut receiver = fixture.store.layers().receive(&blob.media_type)?;
    // As an error on the way is told by the commit too, unless the digest does not fit.
    let _ = bytes.chunks(7).try_for_each(|piece| receiver.write_all(piece));
    receiver.commit(blob, None)
}

fn packed(fixture: &Fixture, layer: &DiffId) -> Vec<u8> {
    let mut bytes = Vec::new();
    fixture.store.layers().pack(layer, &mut bytes).unwrap();
    bytes
}

#[test]
fn a_received_layer_gives_back_its_own_bytes() {
    let fixture = Fixture::new();
    let layers = fixture.store.layers();
    let tar = foreign();
    let forms = [
        (MediaType::OCI_LAYER, tar.clone(), Compression::None),
        (MediaType::DOCKER_LAYER_GZIP, gzipped(&tar), Compression::Gzip),
        (MediaType::OCI_LAYER_ZSTD, zstd::bulk::compress(&tar, 1).unwrap(), Compression::Zstd),
    ];
    for (media_type, bytes, compression) in forms {
        let blob = Descriptor::of(media_type, &bytes);
        let layer = receive(&fixture, &blob, &bytes).unwrap();
        assert_eq!(layer, Layer { diff_id: DiffId(Digest::of(&tar)), size: tar.len() as u64 });
        assert_eq!(packed(&fixture, &layer.diff_id), tar);
        assert_eq!(layers.size(&layer.diff_id).unwrap(), Some(tar.len() as u64));
        assert_eq!(layers.blob(&layer.diff_id, compression).unwrap().digest, blob.digest);
        let mut opened = Vec::new();
        layers.open(&blob).unwrap().read_to_end(&mut opened).unwrap();
        assert_eq!(opened, bytes);
    }
    assert!(!fixture.has_leftovers());
    fixture.assert_sound();
}

#[test]
fn a_blob_that_is_here_is_unpacked() {
    let fixture = Fixture::new();
    let tar = foreign();
    let blob = fixture.store.content().put(MediaType::OCI_LAYER_GZIP, &gzipped(&tar)).unwrap();
    let wrong = DiffId(Digest::of(b"other"));
    let error = fixture.store.layers().unpack(&blob, &wrong).unwrap_err();
    assert!(matches!(error, UnpackError::WrongDiffId { .. }), "{error}");
    let wanted = DiffId(Digest::of(&tar));
    assert!(!fixture.store.layers().contains(&wanted));
    fixture.store.layers().unpack(&blob, &wanted).unwrap();
    let file = layer_fs(fixture.root(), &wanted).join("a/file");
    assert_eq!(fs::read_to_string(file).unwrap(), "a");
}

#[test]
fn what_is_wrong_with_a_layer_is_told_and_nothing_is_left() {
    let fixture = Fixture::new();
    let (tar, packed) = (foreign(), gzipped(&foreign()));
    let blob = Descriptor::of(MediaType::OCI_LAYER_GZIP, &packed);
    let cut = Descriptor::of(MediaType::OCI_LAYER_GZIP, &packed[..packed.len() - 9]);
    let text = Descriptor::of(MediaType::OCI_LAYER, &b"no archive ".repeat(100));
    let plain = Descriptor::of(MediaType::OCI_LAYER_GZIP, &tar);
    for (blob, bytes, says) in [
        (&blob, &packed[..packed.len() - 9], "came"),
        (&blob, &gzipped(b"of the same size or not")[..], "should have"),
        (&cut, &packed[..packed.len() - 9], "cannot read the archive"),
        (&text, &b"no archive ".repeat(100)[..], "check sum"),
        (&plain, &tar[..], "gzip"),
    ] {
        let error = told(&receive(&fixture, blob, bytes).unwrap_err());
        assert!(error.contains(says), "{error}");
    }
    let mut receiver = fixture.store.layers().receive(&blob.media_type).unwrap();
    receiver.write_all(&packed[..20]).unwrap();
    drop(receiver);
    assert!(!fixture.store.layers().contains(&DiffId(Digest::of(&tar))));
    assert!(!fixture.has_leftovers());
}

#[test]
fn a_bad_archive_ends_the_transfer_with_the_reason() {
    let fixture = Fixture::new();
    let mut receiver = fixture.store.layers().receive(&MediaType::OCI_LAYER.into()).unwrap();
    let endless = vec![b'x'; 64 << 10];
    let error = (0..1000).find_map(|_| receiver.write_all(&endless).err()).unwrap();
    assert!(told(error.get_ref().unwrap()).contains("check sum"), "{error}");
}

#[test]
fn many_receive_one_layer_at_once() {
    let fixture = Fixture::new();
    let bytes = gzipped(&foreign());
    let blob = Descriptor::of(MediaType::OCI_LAYER_GZIP, &bytes);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| receive(&fixture, &blob, &bytes))).collect();
        for one in all {
            one.join().unwrap().unwrap();
        }
    });
    assert!(!fixture.has_leftovers());
    fixture.assert_sound();
}

#[test]
fn a_staged_directory_becomes_a_layer_by_a_rename() {
    let fixture = Fixture::new();
    let staged = fixture.store.layers().stage().unwrap();
    fs::create_dir(staged.fs().join("folder")).unwrap();
    fs::write(staged.fs().join("folder/file"), "content").unwrap();
    fs::create_dir_all(staged.work().join("work/left")).unwrap();
    let inode = fs::metadata(staged.fs().join("folder/file")).unwrap().ino();
    let layer = staged.commit(Settle { epoch: Some(1_000) }).unwrap();
    let root = layer_fs(fixture.root(), &layer.diff_id);
    let file = fs::metadata(root.join("folder/file")).unwrap();
    assert_eq!((file.ino(), file.mtime()), (inode, 1_000));
    assert_eq!(fs::read_dir(root.parent().unwrap()).unwrap().count(), 1, "no work directory is kept");
    assert_eq!(DiffId(Digest::of(&packed(&fixture, &layer.diff_id))), layer.diff_id);
    assert!(!fixture.has_leftovers());
}

#[test]
fn a_staged_directory_that_is_dropped_is_gone() {
    let fixture = Fixture::new();
    let staged = fixture.store.layers().stage().unwrap();
    fs::write(staged.fs().join("file"), "").unwrap();
    drop(staged);
    assert!(!fixture.has_leftovers());
}

#[test]
fn packed_blobs_are_the_same_everywhere_and_made_once() {
    let (one, two) = (Fixture::new(), Fixture::new());
    for compression in [Compression::Gzip, Compression::Zstd] {
        let (here, there) = (one.layer("text"), two.layer("text"));
        let blob = one.store.layers().blob(&here, compression).unwrap();
        assert_eq!(blob, two.store.layers().blob(&there, compression).unwrap());
        assert_eq!(blob, one.store.layers().blob(&here, compression).unwrap());
        assert!(one.store.content().contains(&blob.digest));
        let unpacked = two.store.layers().unpack(&blob, &here).unwrap();
        assert_eq!(unpacked.diff_id, here);
    }
}

#[test]
fn a_plain_tar_is_opened_without_a_blob() {
    let fixture = Fixture::new();
    let layer = fixture.layer("text");
    let plain = fixture.store.layers().blob(&layer, Compression::None).unwrap();
    assert!(!fixture.store.content().contains(&plain.digest));
    let mut bytes = Vec::new();
    fixture.store.layers().open(&plain).unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(Descriptor::of(MediaType::OCI_LAYER, &bytes), plain);
}

#[test]
fn a_layer_that_was_changed_is_not_packed() {
    let fixture = Fixture::new();
    let layer = fixture.layer("text");
    fs::write(layer_fs(fixture.root(), &layer).join("file"), "changed").unwrap();
    let error = fixture.store.layers().pack(&layer, &mut io::sink()).unwrap_err();
    assert!(told(&error).contains("was changed"), "{error}");
    let plain = Descriptor::new(MediaType::OCI_LAYER.into(), layer.0.clone(), 0);
    let mut opened = fixture.store.layers().open(&plain).unwrap();
    assert!(opened.read_to_end(&mut Vec::new()).is_err());
}
