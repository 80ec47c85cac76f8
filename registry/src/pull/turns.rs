//! Who fetches what right now in this process, so that two pulls at once fetch a shared layer once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;
use tug_oci::DiffId;

/// One turn for each layer.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<DiffId, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// Waits until nobody else fetches the layer. Whoever has the turn looks first whether the layer is there now.
    pub(super) async fn take(&self, layer: &DiffId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Turns that nobody has or waits for are forgotten.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry(layer.clone()).or_default())
        };
        turn.lock_owned().await
    }
}
