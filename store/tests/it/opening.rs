//! Opening: a store is made where there is none, and what is no store is told.

use std::fs;

use tug_store::Store;

use crate::fixture::{Fixture, told};

#[test]
fn a_store_is_closed_to_other_users() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = Fixture::new();
    assert_eq!(fs::metadata(fixture.root()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_file_is_no_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "").unwrap();
    let error = told(&Store::open(&path).err().unwrap());
    assert!(error.starts_with(&format!("cannot make the store's directory {}", path.display())), "{error}");
}

#[test]
fn a_database_that_is_none_is_told() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("store.db"), "no database at all, but long enough".repeat(100)).unwrap();
    let error = told(&Store::open(directory.path()).err().unwrap());
    assert!(error.contains("file is not a database"), "{error}");
}

#[test]
fn a_store_of_a_later_version_is_left_alone() {
    let fixture = Fixture::new();
    let records = rusqlite::Connection::open(fixture.root().join("store.db")).unwrap();
    records.pragma_update(None, "user_version", 999).unwrap();
    let error = told(&Store::open(fixture.root()).err().unwrap());
    assert!(error.ends_with("version 999, this program knows up to 1; use a newer tug"), "{error}");
}
