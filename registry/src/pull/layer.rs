//! Layers, side by side: each streamed from the registry into the store, which checks and unpacks it on the way.

use std::collections::HashSet;
use std::io::{self, Write};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::{mpsc, oneshot};
use tug_oci::{Descriptor, DiffId, MediaKind};
use tug_store::Store;
use tug_store::content::IngestError;
use tug_store::image::Image;
use tug_store::layer::{Receiver, UnpackError};

use super::{Pull, PullError};
use crate::fetch::{self, Delivery};
use crate::progress::{Transfer, TransferKind, TransferState};
use crate::repository::{Access, Repository};

impl Pull<'_> {
    /// Fetches the layers of an image that the store does not have; says how many.
    pub(crate) async fn layers(&self, image: &Image) -> Result<usize, PullError> {
        let _lease = self.store.lease()?;
        let repository = Repository::of(self.session, self.reference, Access::Pull);
        let mut missing = Vec::new();
        let mut seen = HashSet::new();
        for (layer, diff_id) in image.manifest.layers.iter().zip(image.diff_ids()) {
            if !matches!(layer.media_type.kind(), MediaKind::Layer(_)) {
                let (digest, media_type) = (layer.digest.clone(), layer.media_type.clone());
                return Err(PullError::LayerType { digest, media_type });
            }
            // An image may have one layer twice.
            if !seen.insert((&layer.digest, diff_id)) {
                continue;
            }
            let transfer = LayerTransfer { pull: self, repository: &repository, layer, diff_id };
            if self.store.layers().contains(diff_id) {
                transfer.tell(TransferState::Exists);
            } else {
                transfer.tell(TransferState::Waiting);
                missing.push(transfer);
            }
        }
        let count = missing.len();
        let transfers = missing.into_iter().map(|transfer| async move { transfer.run().await });
        let transfers = stream::iter(transfers).buffer_unordered(self.parallel);
        transfers.try_for_each(|()| async { Ok(()) }).await?;
        Ok(count)
    }
}

struct LayerTransfer<'a> {
    pull: &'a Pull<'a>,
    repository: &'a Repository<'a>,
    layer: &'a Descriptor,
    diff_id: &'a DiffId,
}

impl LayerTransfer<'_> {
    async fn run(&self) -> Result<(), PullError> {
        let _turn = self.pull.turns.take(self.diff_id).await;
        if self.pull.store.layers().contains(self.diff_id) {
            self.tell(TransferState::Exists);
            return Ok(());
        }
        let result = self.fetch().await;
        self.tell(if result.is_ok() { TransferState::Done } else { TransferState::Failed });
        result
    }

    async fn fetch(&self) -> Result<(), PullError> {
        let (pieces, taken) = mpsc::channel(PIECES_AHEAD);
        // The layer is committed on this word only: a transfer that is given up leaves nothing.
        let (finish, finished) = oneshot::channel();
        let (store, layer, diff_id) = (self.pull.store.clone(), self.layer.clone(), self.diff_id.clone());
        let intake = Intake { layer, diff_id, taken, finished };
        let receiving = tokio::task::spawn_blocking(move || intake.receive(&store));
        let delivery = fetch::stream(self.repository, self.layer, &pieces, &|state| self.tell(state)).await;
        if let Ok(Delivery::Complete) = &delivery {
            // An intake that ended before tells why by what it returns.
            let _ = finish.send(());
        }
        drop(pieces);
        let received = match receiving.await {
            Ok(received) => received,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        let digest = || self.layer.digest.clone();
        delivery.map_err(|source| PullError::Fetch { what: "layer", digest: digest(), source })?;
        match received {
            Ok(Received::Whole) => Ok(()),
            Ok(Received::GivenUp) => {
                let source = io::Error::other("the transfer ended early");
                Err(PullError::Write { digest: digest(), source })
            }
            Err(ReceiveError::Unpack(source)) => Err(PullError::Unpack { digest: digest(), source }),
            Err(ReceiveError::Write(source)) => Err(PullError::Write { digest: digest(), source }),
        }
    }

    fn tell(&self, state: TransferState) {
        let (digest, kind) = (&self.layer.digest, TransferKind::Layer);
        self.pull.progress.report(Transfer { digest, kind, state });
    }
}

/// The blocking side of a transfer.
struct Intake {
    layer: Descriptor,
    diff_id: DiffId,
    taken: mpsc::Receiver<Bytes>,
    finished: oneshot::Receiver<()>,
}

enum Received {
    Whole,
    GivenUp,
}

enum ReceiveError {
    Unpack(Box<UnpackError>),
    Write(io::Error),
}

impl Intake {
    fn receive(mut self, store: &Store) -> Result<Received, ReceiveError> {
        let unpack = |source| ReceiveError::Unpack(Box::new(source));
        let mut receiver = store.layers().receive(&self.layer.media_type).map_err(unpack)?;
        let refused = self.pour(&mut receiver)?;
        if self.finished.try_recv().is_err() {
            return match refused {
                Some(refused) => Err(ReceiveError::Write(refused)),
                None => Ok(Received::GivenUp),
            };
        }
        match (receiver.commit(&self.layer, Some(&self.diff_id)), refused) {
            (Ok(_), None) => Ok(Received::Whole),
            // Bytes that are not the ones wanted explain an archive that makes no sense.
            (Err(error), None) => Err(unpack(error)),
            (Err(error @ UnpackError::Ingest(IngestError::WrongDigest { .. })), Some(_)) => {
                Err(unpack(error))
            }
            (_, Some(refused)) => Err(ReceiveError::Write(refused)),
        }
    }

    /// Writes all pieces. Gives the unpacker's complaint when it had one: the rest is then only hashed, so that it
    /// can be told whether the registry sent the wrong bytes, unless that rest is long.
    fn pour(&mut self, receiver: &mut Receiver) -> Result<Option<io::Error>, ReceiveError> {
        let mut refused = None;
        let mut done = 0;
        while let Some(piece) = self.taken.blocking_recv() {
            let written = receiver.write_all(&piece);
            done += piece.len() as u64;
            let Err(error) = written else { continue };
            let unpacker = error.get_ref().is_some_and(|inner| inner.is::<UnpackError>());
            if !unpacker || refused.is_some() || self.layer.size.saturating_sub(done) > HASHED_REST_BYTES_MAX
            {
                return Err(ReceiveError::Write(error));
            }
            refused = Some(error);
        }
        Ok(refused)
    }
}

/// Pieces between network and disk; bounds what a transfer holds in memory.
const PIECES_AHEAD: usize = 32;
const HASHED_REST_BYTES_MAX: u64 = 64 << 20;
