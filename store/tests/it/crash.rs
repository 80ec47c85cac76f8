//! Processes that are killed: whatever they were at, the store is sound.

use std::fs;

use tug_store::Store;
use tug_store::gc::Policy;

use crate::child::Child;
use crate::fixture::{Fixture, name};

#[test]
fn killed_in_the_middle_of_an_ingest() {
    let fixture = Fixture::new();
    let mut child = Child::start("ingest", fixture.root(), "");
    child.ready(1);
    child.kill();
    fixture.assert_sound();
    assert!(fixture.has_leftovers());
    let collected = fixture.store.collect(&Policy::default()).unwrap();
    assert!(collected.bytes >= 100_000, "{collected:?}");
    assert!(!fixture.has_leftovers());
}

#[test]
fn killed_while_writing_images_and_names() {
    let fixture = Fixture::new();
    for round in 0..10 {
        let mut child = Child::start("set-names-forever", fixture.root(), &round.to_string());
        child.ready(1 + 3 * round);
        child.kill();
        fixture.assert_sound();
        for said in 0..3 * round {
            let name = name(&format!("app-{round}:{said}"));
            assert!(fixture.store.names().get(&name).unwrap().is_some(), "{name} was set before the kill");
        }
    }
    fixture.store.collect(&Policy::default()).unwrap();
    fixture.assert_sound();
    assert!(!fixture.has_leftovers());
}

#[test]
fn killed_while_building() {
    let fixture = Fixture::new();
    for round in 0..20 {
        let mut child = Child::start("build-forever", fixture.root(), &(round % 3).to_string());
        child.ready(1 + round);
        child.kill();
        fixture.assert_sound();
    }
    let collected = fixture.store.collect(&Policy { dangling: true, ..Policy::default() }).unwrap();
    assert!(!collected.images.is_empty());
    fixture.assert_sound();
    assert!(!fixture.has_leftovers());
    assert_eq!(fixture.store.names().list().unwrap().len(), 3);
}

#[test]
fn a_killed_process_holds_no_lease() {
    let fixture = Fixture::new();
    let garbage = fixture.store.content().put("text/plain", b"garbage").unwrap();
    let mut child = Child::start("lease", fixture.root(), "");
    child.ready(1);
    child.kill();
    assert_eq!(fixture.store.collect(&Policy::default()).unwrap().blobs, 1);
    assert!(!fixture.store.content().contains(&garbage.digest));
}

#[test]
fn leftovers_of_the_living_stay() {
    let fixture = Fixture::new();
    let ingest = fixture.store.content().ingest().unwrap();
    fs::write(fixture.root().join("ingest/left"), "left").unwrap();
    fs::create_dir_all(fixture.root().join("staging/left/fs/deep")).unwrap();
    fixture.store.collect(&Policy::default()).unwrap();
    let left = fs::read_dir(fixture.root().join("ingest")).unwrap().count();
    assert_eq!(left, 1);
    ingest.commit().unwrap();
    assert!(!fixture.has_leftovers());
}

#[test]
fn after_the_machine_went_down_only_what_was_flushed_is_trusted() {
    let fixture = Fixture::new();
    let named = fixture.image(&["named"]);
    let (flushed, hollow, unknown) =
        (named.diff_ids()[0].clone(), fixture.layer("not flushed"), fixture.layer("record lost"));
    let layers_here = |wanted: [bool; 3]| {
        let store = Store::open(fixture.root()).unwrap();
        assert_eq!([&flushed, &hollow, &unknown].map(|layer| store.layers().contains(layer)), wanted);
    };
    layers_here([true, true, true]);
    // Stands in for another run of the machine, which lost the last record.
    let records = rusqlite::Connection::open(fixture.root().join("store.db")).unwrap();
    records.execute("UPDATE boot SET id = 'another'", []).unwrap();
    records.execute("DELETE FROM layers WHERE diff_id = ?1", [unknown.to_string()]).unwrap();
    drop(records);
    layers_here([true, false, false]);
    fixture.assert_sound();
    // Once for each run: what is made in this one stays.
    assert_eq!(fixture.layer("not flushed"), hollow);
    layers_here([true, true, false]);
}
