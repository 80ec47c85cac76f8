//! Records of layers and of the blobs they are packed as.

use rusqlite::OptionalExtension as _;
use tug_oci::{Compression, Descriptor, DiffId};

use super::{Database, RecordError};

/// What is known of a layer besides its directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LayerRecord {
    /// The size of its tar in bytes.
    pub(crate) size: u64,
    /// How it leans on what lies below, in the layer store's own form.
    pub(crate) leaning: Option<String>,
}

impl Database {
    /// The record of a layer.
    pub(crate) fn layer(&self, layer: &DiffId) -> Result<Option<LayerRecord>, RecordError> {
        self.read(|connection| {
            let mut select = connection.prepare("SELECT size, leaning FROM layers WHERE diff_id = ?1")?;
            select
                .query_row([layer.to_string()], |row| {
                    Ok(LayerRecord { size: row.get::<_, i64>(0)?.cast_unsigned(), leaning: row.get(1)? })
                })
                .optional()
        })
    }

    /// Writes the record of a layer, in place of one that is there.
    pub(crate) fn put_layer(&self, layer: &DiffId, record: &LayerRecord) -> Result<(), RecordError> {
        self.write(|transaction| {
            let mut insert = transaction
                .prepare("INSERT OR REPLACE INTO layers (diff_id, size, leaning) VALUES (?1, ?2, ?3)")?;
            insert.execute((layer.to_string(), record.size.cast_signed(), &record.leaning)).map(drop)
        })
    }

    /// The blob that a layer is packed as, when one was recorded. It may have been collected since.
    pub(crate) fn layer_blob(
        &self,
        layer: &DiffId,
        compression: Compression,
    ) -> Result<Option<Descriptor>, RecordError> {
        let found: Option<String> = self.read(|connection| {
            let mut select = connection
                .prepare("SELECT descriptor FROM layer_blobs WHERE diff_id = ?1 AND compression = ?2")?;
            select.query_row((layer.to_string(), name(compression)), |row| row.get(0)).optional()
        })?;
        found.map(|json| super::descriptor(&layer.to_string(), &json)).transpose()
    }

    /// Records the blob that a layer is packed as.
    pub(crate) fn put_layer_blob(
        &self,
        layer: &DiffId,
        compression: Compression,
        blob: &Descriptor,
    ) -> Result<(), RecordError> {
        let json = super::json(blob);
        self.write(|transaction| {
            let mut insert = transaction.prepare(
                "INSERT OR REPLACE INTO layer_blobs (diff_id, compression, descriptor) VALUES (?1, ?2, ?3)",
            )?;
            insert.execute((layer.to_string(), name(compression), json)).map(drop)
        })
    }
}

impl Database {
    /// All blobs that layers are packed as.
    pub(crate) fn layer_blobs(&self) -> Result<Vec<(DiffId, Descriptor)>, RecordError> {
        let rows: Vec<(String, String)> = self.read(|connection| {
            let mut select = connection.prepare("SELECT diff_id, descriptor FROM layer_blobs")?;
            select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })?;
        let parse = |(key, text): (String, String)| {
            let layer = key.parse().map(DiffId).map_err(|error| super::damaged(&key, &error))?;
            Ok((layer, super::descriptor(&key, &text)?))
        };
        rows.into_iter().map(parse).collect()
    }

    /// All layers that are recorded.
    pub(crate) fn layers(&self) -> Result<Vec<DiffId>, RecordError> {
        let rows: Vec<String> = self.read(|connection| {
            let mut select = connection.prepare("SELECT diff_id FROM layers")?;
            select.query_map([], |row| row.get(0))?.collect()
        })?;
        let parse = |text: String| text.parse().map(DiffId).map_err(|error| super::damaged(&text, &error));
        rows.into_iter().map(parse).collect()
    }

    /// Removes the records of layers that are gone, and of blobs that are.
    pub(crate) fn drop_layers(
        &self,
        layers: &[DiffId],
        blobs: &[(DiffId, Descriptor)],
    ) -> Result<(), RecordError> {
        self.write(|transaction| {
            let mut layer = transaction.prepare("DELETE FROM layers WHERE diff_id = ?1")?;
            let mut blob =
                transaction.prepare("DELETE FROM layer_blobs WHERE diff_id = ?1 AND descriptor = ?2")?;
            layers.iter().try_for_each(|gone| layer.execute([gone.to_string()]).map(drop))?;
            blobs
                .iter()
                .try_for_each(|(of, gone)| blob.execute((of.to_string(), super::json(gone))).map(drop))
        })
    }
}

fn name(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "none",
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
    }
}
