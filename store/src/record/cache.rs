//! Records of the build cache: what steps gave.

use std::collections::BTreeMap;

use rusqlite::OptionalExtension as _;
use tug_oci::{DiffId, Digest};

use super::{Database, RecordError, damaged};

/// What a step gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheRecord {
    /// What the builder wants to remember, in its own form.
    pub value: Vec<u8>,
    /// The layers that must exist for the record to be of use; the record goes when one of them does.
    pub layers: Vec<DiffId>,
}

impl Database {
    /// A record and when it was last of use (seconds since 1970).
    pub(crate) fn cache_record(&self, key: &Digest) -> Result<Option<(CacheRecord, i64)>, RecordError> {
        let key = key.to_string();
        let found = self.read(|connection| {
            let snapshot = connection.unchecked_transaction()?;
            let select = "SELECT value, used FROM cache WHERE key = ?1";
            let row = snapshot.query_row(select, [&key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let Some((value, used)) = row else { return Ok(None) };
            let mut layers =
                snapshot.prepare("SELECT diff_id FROM cache_layers WHERE key = ?1 ORDER BY position")?;
            let layers = layers.query_map([&key], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            Ok(Some((value, used, layers)))
        })?;
        let Some((value, used, layers)) = found else { return Ok(None) };
        let layers: Vec<String> = layers;
        let layers = layers.iter().map(|text| diff_id(&key, text)).collect::<Result<_, _>>()?;
        Ok(Some((CacheRecord { value, layers }, used)))
    }

    /// Notes that a record was of use.
    pub(crate) fn touch_cache_record(&self, key: &Digest, now: i64) -> Result<(), RecordError> {
        self.write(|transaction| {
            transaction.execute("UPDATE cache SET used = ?2 WHERE key = ?1", (key.to_string(), now)).map(drop)
        })
    }

    /// Writes a record, in place of one of the same key.
    pub(crate) fn put_cache_record(
        &self,
        key: &Digest,
        record: &CacheRecord,
        now: i64,
    ) -> Result<(), RecordError> {
        let key = key.to_string();
        self.write(|transaction| {
            transaction.execute("DELETE FROM cache WHERE key = ?1", [&key])?;
            let insert = "INSERT INTO cache (key, value, created, used) VALUES (?1, ?2, ?3, ?3)";
            transaction.execute(insert, (&key, &record.value, now))?;
            let mut layer = transaction
                .prepare("INSERT INTO cache_layers (key, position, diff_id) VALUES (?1, ?2, ?3)")?;
            for (position, diff_id) in (0_i64..).zip(&record.layers) {
                layer.execute((&key, position, diff_id.to_string()))?;
            }
            Ok(())
        })
    }

    /// The layers of each record; a record without layers is there with none.
    pub(crate) fn cache_layers(&self) -> Result<BTreeMap<String, Vec<DiffId>>, RecordError> {
        let rows: Vec<(String, Option<String>)> = self.read(|connection| {
            let mut select = connection.prepare(
                "SELECT cache.key, diff_id FROM cache LEFT JOIN cache_layers USING (key) ORDER BY cache.key, position",
            )?;
            select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })?;
        let mut records: BTreeMap<String, Vec<DiffId>> = BTreeMap::new();
        for (key, layer) in rows {
            let layer = layer.map(|text| diff_id(&key, &text)).transpose()?;
            records.entry(key).or_default().extend(layer);
        }
        Ok(records)
    }

    /// Removes records.
    pub(crate) fn drop_cache_records(&self, keys: &[String]) -> Result<(), RecordError> {
        self.write_through(|transaction| {
            let mut delete = transaction.prepare("DELETE FROM cache WHERE key = ?1")?;
            keys.iter().try_for_each(|key| delete.execute([key]).map(drop))
        })
    }
}

fn diff_id(row: &str, text: &str) -> Result<DiffId, RecordError> {
    text.parse().map(DiffId).map_err(|error| damaged(row, &error))
}
