//! Cache records and file stamps.

use std::collections::HashMap;

use tug_oci::{DiffId, Digest};
use tug_store::cache::{CacheRecord, FileStamp};

use crate::fixture::Fixture;

fn stamp(size: u64) -> FileStamp {
    let digest = Digest::of(&size.to_le_bytes());
    FileStamp { size, mtime_ns: -1, ctime_ns: i64::MAX, inode: u64::MAX, digest }
}

#[test]
fn a_record_comes_back_as_it_was_put() {
    let fixture = Fixture::new();
    let (cache, key) = (fixture.store.cache(), Digest::of(b"key"));
    assert_eq!(cache.get(&key).unwrap(), None);
    let layers = vec![fixture.layer("b"), fixture.layer("a"), fixture.layer("b")];
    for value in [vec![0, 255, 7], Vec::new()] {
        let record = CacheRecord { value, layers: layers.clone() };
        cache.put(&key, &record).unwrap();
        assert_eq!(cache.get(&key).unwrap(), Some(record));
    }
}

#[test]
fn a_record_whose_layer_is_gone_is_no_record() {
    let fixture = Fixture::new();
    let (cache, key) = (fixture.store.cache(), Digest::of(b"key"));
    let gone = DiffId(Digest::of(b"no such layer"));
    cache.put(&key, &CacheRecord { value: vec![1], layers: vec![fixture.layer("a"), gone] }).unwrap();
    assert_eq!(cache.get(&key).unwrap(), None);
}

#[test]
fn stamps_change_by_path_and_stay_with_their_tree() {
    let fixture = Fixture::new();
    let cache = fixture.store.cache();
    let path = |text: &str| text.as_bytes().to_vec();
    let odd = vec![b'x', 0xff, 0xfe];
    let first = [(path("a"), stamp(1)), (path("b"), stamp(2)), (odd.clone(), stamp(3))];
    cache.put_stamps("/one", &first, &[]).unwrap();
    cache.put_stamps("/two", &first[..1], &[]).unwrap();
    cache.put_stamps("/one", &[(path("a"), stamp(9))], &[path("b"), path("not there")]).unwrap();
    let wanted = HashMap::from([(path("a"), stamp(9)), (odd, stamp(3))]);
    assert_eq!(cache.stamps("/one").unwrap(), wanted);
    assert_eq!(cache.stamps("/two").unwrap(), HashMap::from([(path("a"), stamp(1))]));
    assert!(cache.stamps("/three").unwrap().is_empty());
}
