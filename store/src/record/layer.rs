//! Records of layers and of the blobs they are packed as.

use std::collections::HashSet;

use rusqlite::{OptionalExtension as _, Transaction};
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

/// Proof that all content so far is on disk. The record that it was asked for notes these layers as flushed.
#[derive(Debug)]
pub(crate) struct Flushed {
    pub(crate) layers: Vec<DiffId>,
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
            let mut insert = transaction.prepare(
                "INSERT INTO layers (diff_id, size, leaning) VALUES (?1, ?2, ?3)
                 ON CONFLICT (diff_id) DO UPDATE SET size = excluded.size, leaning = excluded.leaning",
            )?;
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
        self.select_layers("SELECT diff_id FROM layers")
    }

    /// Layers that may be in the kernel's memory alone.
    pub(crate) fn unflushed_layers(&self) -> Result<Vec<DiffId>, RecordError> {
        self.select_layers("SELECT diff_id FROM layers WHERE flushed = 0")
    }

    /// Layers that are on disk for sure.
    pub(crate) fn flushed_layers(&self) -> Result<HashSet<DiffId>, RecordError> {
        Ok(self.select_layers("SELECT diff_id FROM layers WHERE flushed = 1")?.into_iter().collect())
    }

    /// The run of the machine in which the store was last put right.
    pub(crate) fn boot(&self) -> Result<Option<String>, RecordError> {
        let select = "SELECT id FROM boot";
        self.read(|connection| connection.query_row(select, [], |row| row.get(0)).optional())
    }

    /// Notes that the store was put right in this run of the machine.
    pub(crate) fn set_boot(&self, id: &str) -> Result<(), RecordError> {
        self.write(|transaction| {
            transaction.execute("INSERT OR REPLACE INTO boot (one, id) VALUES (1, ?1)", [id]).map(drop)
        })
    }

    fn select_layers(&self, select: &'static str) -> Result<Vec<DiffId>, RecordError> {
        let rows: Vec<String> =
            self.read(|connection| connection.prepare(select)?.query_map([], |row| row.get(0))?.collect())?;
        let parse = |text: String| text.parse().map(DiffId).map_err(|error| super::damaged(&text, &error));
        rows.into_iter().map(parse).collect()
    }

    /// Notes that layers are not to be trusted should the machine go down now.
    pub(crate) fn doubt_layers(&self, layers: &[DiffId]) -> Result<(), RecordError> {
        if layers.is_empty() {
            return Ok(());
        }
        self.write_through(|transaction| {
            let mut update = transaction.prepare("UPDATE layers SET flushed = 0 WHERE diff_id = ?1")?;
            layers.iter().try_for_each(|layer| update.execute([layer.to_string()]).map(drop))
        })
    }

    /// Removes the records of layers that are gone, and of blobs that are.
    pub(crate) fn drop_layers(
        &self,
        layers: &[DiffId],
        blobs: &[(DiffId, Descriptor)],
    ) -> Result<(), RecordError> {
        if layers.is_empty() && blobs.is_empty() {
            return Ok(());
        }
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

pub(super) fn note_flushed(transaction: &Transaction<'_>, flushed: &Flushed) -> rusqlite::Result<()> {
    let mut update = transaction.prepare("UPDATE layers SET flushed = 1 WHERE diff_id = ?1")?;
    flushed.layers.iter().try_for_each(|layer| update.execute([layer.to_string()]).map(drop))
}

fn name(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "none",
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
    }
}
