//! The store held against its own rules.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use tug_oci::{DiffId, Digest, Digester};

use crate::inventory::Inventory;
use crate::lease::{Lease, LeaseError};
use crate::reach::{Reach, ReachError, with_sources};
use crate::record::RecordError;

/// What was checked and found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Blobs whose digest was computed anew.
    pub blobs: u64,
    /// Layers whose tar was hashed anew.
    pub layers: u64,
    /// Names followed to their layers.
    pub names: u64,
    /// What is wrong, a sentence each. Empty: the store is sound.
    pub problems: Vec<String>,
}

/// Why the check could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FsckError {
    /// A collection is under way.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// A directory of the store cannot be read.
    #[error("cannot list {path}")]
    List {
        /// The directory.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// What a name leads to cannot be read.
    #[error("cannot follow the names of images")]
    Reach(#[from] ReachError),
    /// The database.
    #[error("cannot check the store's records")]
    Record(#[from] RecordError),
}

/// Checks blobs, layers and records. Leftovers of killed processes are no problem: the collector takes them.
pub(crate) fn check(store: Inventory<'_>) -> Result<Report, FsckError> {
    let _lease = Lease::shared(store.root)?;
    let mut report = Report::default();
    check_records(store, &mut report)?;
    check_blobs(store, &mut report)?;
    check_layers(store, &mut report)?;
    Ok(report)
}

fn check_blobs(store: Inventory<'_>, report: &mut Report) -> Result<(), FsckError> {
    let blobs = store.blobs().map_err(|source| FsckError::List { path: store.root.blobs(), source })?;
    for (wanted, path) in blobs.named {
        report.blobs += 1;
        let mut digester = Digester::new(wanted.algorithm());
        match File::open(&path).and_then(|mut file| io::copy(&mut file, &mut digester)) {
            Ok(_) => differs("blob", &wanted, &digester.finish(), report),
            Err(error) => report.problems.push(format!("blob {wanted} cannot be read: {error}")),
        }
    }
    let stray = |path: PathBuf| format!("{} is no blob: its name is no digest", path.display());
    report.problems.extend(blobs.stray.into_iter().map(stray));
    Ok(())
}

fn check_layers(store: Inventory<'_>, report: &mut Report) -> Result<(), FsckError> {
    let layers = store.layers().map_err(|source| FsckError::List { path: store.root.layers(), source })?;
    let recorded: HashSet<DiffId> = store.records.layers()?.into_iter().collect();
    for (wanted, _) in layers.named {
        report.layers += 1;
        let mut digester = Digester::new(wanted.algorithm());
        let layer = DiffId(wanted);
        if !recorded.contains(&layer) {
            report.problems.push(format!("layer {layer} has no record"));
        }
        match store.layers.pack(&layer, &mut digester) {
            Ok(_) => differs("layer", &layer.0, &digester.finish(), report),
            Err(error) => {
                report.problems.push(format!("layer {layer} is not whole: {}", with_sources(&error)));
            }
        }
    }
    let stray = |path: PathBuf| format!("{} is no layer: its name is no digest", path.display());
    report.problems.extend(layers.stray.into_iter().map(stray));
    Ok(())
}

fn differs(kind: &str, wanted: &Digest, found: &Digest, report: &mut Report) {
    if wanted != found {
        report.problems.push(format!("{kind} {wanted} is damaged: its bytes have digest {found}"));
    }
}

fn check_records(store: Inventory<'_>, report: &mut Report) -> Result<(), FsckError> {
    let damage = store.records.check()?.into_iter();
    report
        .problems
        .extend(damage.map(|line| format!("database {}: {line}", store.root.database().display())));
    let Some(records) = understood(store.records.image_records(), report)? else { return Ok(()) };
    let mut reach = Reach::default();
    let names = records.names.iter().map(|(name, target)| (format!("name {}", name.familiar()), target));
    let images = records.images.iter().map(|image| (format!("image {}", image.target.digest), &image.target));
    for (subject, target) in names.chain(images) {
        reach.follow(store.content, store.layers, target)?;
        report.problems.extend(reach.problems.drain(..).map(|problem| format!("{subject}: {problem}")));
    }
    report.names = records.names.len() as u64;
    let Some(cache) = understood(store.records.cache_layers(), report)? else { return Ok(()) };
    for (key, layers) in cache {
        let missing = layers.iter().filter(|layer| !store.layers.contains(layer));
        let missing = missing.map(|layer| format!("cache record {key}: layer {layer} is missing"));
        report.problems.extend(missing);
    }
    Ok(())
}

/// A record that makes no sense is a problem of the store, not of the check.
fn understood<T>(read: Result<T, RecordError>, report: &mut Report) -> Result<Option<T>, FsckError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error @ RecordError::Damaged { .. }) => {
            report.problems.push(error.to_string());
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
