//! What the tests share: registries, clients, and a way to put an image there without the client under test.

use std::error::Error;
use std::sync::Mutex;
use std::time::Duration;

use tempfile::TempDir;
use tug_oci::{Descriptor, DiffId, ImageConfig, Platform, Reference, RootFs};
use tug_registry::{Client, Options, Progress, Retry, Timeouts, Transfer, TransferKind, TransferState};
use tug_store::Store;
use tug_store::layer::{Settle, layer_fs};
use tug_testkit::fault::FaultyRegistry;
use tug_testkit::registry::{DockerRegistry, Guard};

/// A registry that lets everyone in.
pub(crate) fn docker_registry(guard: Guard) -> DockerRegistry {
    DockerRegistry::start(guard).expect("docker-registry starts")
}

/// A registry that fails on command.
pub(crate) fn faulty() -> FaultyRegistry {
    FaultyRegistry::start().expect("the loopback interface is there")
}

/// Options that try again quickly and do not wait long.
pub(crate) fn options() -> Options {
    Options {
        retry: Retry { attempts: 6, first: Duration::from_millis(1), longest: Duration::from_millis(20) },
        timeouts: Timeouts { connect: Duration::from_secs(10), stall: Duration::from_secs(10) },
        ..Options::default()
    }
}

/// The same, for tests in which a stall has to be noticed.
pub(crate) fn impatient() -> Options {
    let timeouts = Timeouts { connect: Duration::from_secs(10), stall: Duration::from_millis(300) };
    Options { timeouts, ..options() }
}

pub(crate) fn client(options: Options) -> Client {
    Client::new(options).expect("a client can be made")
}

pub(crate) fn reference(authority: &str, rest: &str) -> Reference {
    format!("{authority}/{rest}").parse().expect("the reference is well formed")
}

/// An error with its causes, as a person would see it.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// A store in a directory that goes with the test.
pub(crate) struct TestStore {
    pub(crate) store: Store,
    _dir: TempDir,
}

impl std::ops::Deref for TestStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

pub(crate) fn store() -> TestStore {
    let dir = tempfile::tempdir().expect("there is room for a store");
    let store = Store::open(&dir.path().join("store")).expect("the store opens");
    TestStore { store, _dir: dir }
}

impl TestStore {
    /// Nothing is wrong, and nothing half-done lies about.
    pub(crate) fn assert_sound(&self) {
        let report = self.fsck().expect("the store can be checked");
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        let root = self.root();
        for entry in ["ingest", "staging"] {
            let left = std::fs::read_dir(root.join(entry)).map_or(0, Iterator::count);
            assert_eq!(left, 0, "something is left in {entry}");
        }
    }

    /// An image as a build makes it: a layer that was never packed.
    pub(crate) fn built_image(&self, content: &str) -> Descriptor {
        let staged = self.layers().stage().expect("a layer can be staged");
        std::fs::write(staged.fs().join("built"), content).expect("a file can be written");
        let layer = staged.commit(Settle { epoch: Some(0) }).expect("the layer can be committed");
        let config = ImageConfig {
            created: None,
            author: None,
            platform: Platform::host(),
            config: None,
            rootfs: RootFs::of(vec![layer.diff_id]),
            history: Vec::new(),
        };
        self.images().write(&config).expect("the image can be written").descriptor
    }

    /// What a file of the image's layers holds, from the top.
    pub(crate) fn file(&self, diff_ids: &[DiffId], path: &str) -> Option<Vec<u8>> {
        let in_layer = |layer: &DiffId| std::fs::read(layer_fs(self.root(), layer).join(path)).ok();
        diff_ids.iter().rev().find_map(in_layer)
    }
}

/// Keeps every state that was reported.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Vec<(String, TransferKind, TransferState)>>);

impl Progress for Recorder {
    fn report(&self, transfer: Transfer<'_>) {
        self.0.lock().expect("no test panics while it reports").push((
            transfer.digest.to_string(),
            transfer.kind,
            transfer.state,
        ));
    }
}

impl Recorder {
    /// How many things of a kind came to a state.
    pub(crate) fn count(&self, kind: TransferKind, state: TransferState) -> usize {
        self.0
            .lock()
            .expect("no test panics while it reports")
            .iter()
            .filter(|(_, k, s)| *k == kind && *s == state)
            .count()
    }
}
