//! The image of a solved plan: config, history and times.

use tug_oci::{History, ImageConfig, RootFs};
use tug_solver::KeyBuilder;
use tug_store::Store;
use tug_store::cache::{CacheError, CacheRecord};

use crate::clock::{self, rfc3339};
use crate::filesystem::{Layers, Step};
use crate::lower::{HistoryItem, Plan};

/// The config of the image that the plan's target became.
///
/// When it was made is remembered by what it is, so that a build in which nothing changed gives the same bytes.
pub(crate) fn config(store: &Store, plan: &Plan, layers: &Layers) -> Result<ImageConfig, CacheError> {
    let mut config = plan.config.clone();
    config.history = history(&plan.history, &layers.steps, plan.epoch);
    config.rootfs = RootFs::of(layers.diff_ids.clone());
    let created = match plan.epoch {
        Some(epoch) => epoch,
        None => created(store, &config, layers)?,
    };
    let text = rfc3339(created);
    for entry in config.history.iter_mut().filter(|entry| entry.comment.as_deref() == Some(COMMENT)) {
        entry.created.get_or_insert_with(|| text.clone());
    }
    config.created = Some(text);
    Ok(config)
}

/// The past: each step has the time it was done; what changed the config only has that of the step before it.
fn history(items: &[HistoryItem], steps: &[Step], epoch: Option<i64>) -> Vec<History> {
    let mut steps = steps.iter();
    let mut last = epoch.map(rfc3339);
    let made = |created: Option<String>, created_by: &str, empty_layer: bool| History {
        created,
        created_by: Some(created_by.to_owned()),
        author: None,
        comment: Some(COMMENT.to_owned()),
        empty_layer,
    };
    let mut history = Vec::with_capacity(items.len());
    for item in items {
        history.push(match item {
            HistoryItem::Base(base) => base.clone(),
            HistoryItem::Metadata(text) => made(last.clone(), text, true),
            HistoryItem::Step(text) => {
                let step = steps.next().copied().unwrap_or(Step { layer: false, created: 0 });
                last = Some(rfc3339(epoch.unwrap_or(step.created)));
                made(last.clone(), text, !step.layer)
            }
        });
    }
    history
}

fn created(store: &Store, config: &ImageConfig, layers: &Layers) -> Result<i64, CacheError> {
    let mut key = KeyBuilder::new("image 1");
    key.bytes(&serde_json::to_vec(config).expect("a config has a JSON form"));
    let key = crate::worker::digest(&key.finish());
    if let Some(record) = store.cache().get(&key)?
        && let Ok(text) = String::from_utf8(record.value)
        && let Ok(created) = text.parse()
    {
        return Ok(created);
    }
    let now = clock::now();
    let record = CacheRecord { value: now.to_string().into_bytes(), layers: layers.diff_ids.clone() };
    store.cache().put(&key, &record)?;
    Ok(now)
}

const COMMENT: &str = "buildkit.dockerfile.v0";
