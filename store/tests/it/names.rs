//! Names: what they point to, for many at once.

use tug_store::Store;
use tug_store::name::NameError;

use crate::child::Child;
use crate::fixture::{Fixture, bare, name, nowhere};

#[test]
fn a_name_points_where_it_was_last_set() {
    let fixture = Fixture::new();
    let (images, names) = (fixture.store.images(), fixture.store.names());
    let (old, new) = (images.write(&bare("old")).unwrap(), images.write(&bare("new")).unwrap());
    assert_eq!(names.get(&name("app:1")).unwrap(), None);
    names.set(&name("app:1"), &old.descriptor).unwrap();
    names.set(&name("app:1"), &new.descriptor).unwrap();
    names
        .set(
            &name("a.example/b@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
            &old.descriptor,
        )
        .unwrap();
    let again = Store::open(fixture.root()).unwrap();
    assert_eq!(again.names().get(&name("docker.io/library/app:1")).unwrap(), Some(new.descriptor));
    let listed: Vec<String> = again.names().list().unwrap().iter().map(|(name, _)| name.familiar()).collect();
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    assert_eq!(listed, [format!("a.example/b@sha256:{digest}"), "app:1".to_owned()]);
    assert!(names.remove(&name("app:1")).unwrap());
    assert!(!names.remove(&name("app:1")).unwrap());
    assert_eq!(names.get(&name("app:1")).unwrap(), None);
}

#[test]
fn a_name_never_points_to_nothing() {
    let fixture = Fixture::new();
    let error = fixture.store.names().set(&name("app:1"), &nowhere()).unwrap_err();
    assert!(matches!(error, NameError::NoContent { .. }), "{error}");
    assert_eq!(fixture.store.names().get(&name("app:1")).unwrap(), None);
}

#[test]
fn threads_with_their_own_stores_set_names_at_once() {
    const EACH: usize = 50;
    let fixture = Fixture::new();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let root = fixture.root();
            scope.spawn(move || {
                let store = Store::open(root).unwrap();
                for round in 0..EACH {
                    let image = store.images().write(&bare(&format!("{thread} {round}"))).unwrap();
                    store.names().set(&name(&format!("app-{thread}:{round}")), &image.descriptor).unwrap();
                    store.names().set(&name("contested:1"), &image.descriptor).unwrap();
                }
            });
        }
    });
    let names = fixture.store.names().list().unwrap();
    assert_eq!(names.len(), 8 * EACH + 1);
    fixture.assert_sound();
}

#[test]
fn processes_that_start_on_no_store_at_all_set_names_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("deep/store");
    let children: Vec<Child> =
        (0..4).map(|number| Child::start("set-names", &root, &number.to_string())).collect();
    children.into_iter().for_each(Child::finish);
    let store = Store::open(&root).unwrap();
    assert_eq!(store.names().list().unwrap().len(), 4 * crate::child::NAMES_EACH);
    assert_eq!(store.fsck().unwrap().problems, Vec::<String>::new());
}
