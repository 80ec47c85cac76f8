//! Records of the build cache: what steps gave, and file stamps.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{OptionalExtension as _, Row, Transaction};
use tug_oci::{DiffId, Digest, ParseDigestError};

use super::{Database, RecordError, damaged};

/// What a step gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheRecord {
    /// What the builder wants to remember, in its own form.
    pub value: Vec<u8>,
    /// The layers that must exist for the record to be of use; the record goes when one of them does.
    pub layers: Vec<DiffId>,
}

/// A file's state when it was hashed, and the digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStamp {
    /// Size in bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Change time in nanoseconds since 1970.
    pub ctime_ns: i64,
    /// Inode number.
    pub inode: u64,
    /// The digest of the content.
    pub digest: Digest,
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

    /// Removes all stamps of all trees.
    pub(crate) fn drop_stamps(&self) -> Result<(), RecordError> {
        self.write(|transaction| transaction.execute("DELETE FROM stamps", []).map(drop))
    }

    /// All stamps of a tree.
    pub(crate) fn stamps(&self, tree: &str) -> Result<HashMap<Vec<u8>, FileStamp>, RecordError> {
        let read = self.read(|connection| {
            let mut select = connection
                .prepare("SELECT path, size, mtime, ctime, inode, digest FROM stamps WHERE tree = ?1")?;
            let mut rows = select.query([tree])?;
            let mut stamps = HashMap::with_capacity(STAMPS_USUAL);
            while let Some(row) = rows.next()? {
                match stamp(row)? {
                    Ok(stamp) => stamps.insert(row.get(0)?, stamp),
                    Err(error) => return Ok(Err(error)),
                };
            }
            Ok(Ok(stamps))
        })?;
        read.map_err(|error| damaged(tree, &error))
    }

    /// Changes stamps of a tree in one transaction.
    pub(crate) fn put_stamps(
        &self,
        tree: &str,
        changed: &[(Vec<u8>, FileStamp)],
        gone: &[Vec<u8>],
    ) -> Result<(), RecordError> {
        self.write(|transaction| {
            let mut delete = transaction.prepare("DELETE FROM stamps WHERE tree = ?1 AND path = ?2")?;
            gone.iter().try_for_each(|path| delete.execute((tree, path)).map(drop))?;
            insert_stamps(transaction, tree, changed)
        })
    }
}

/// The stamp in a row, read in place: a context has one for each of its files.
fn stamp(row: &Row<'_>) -> rusqlite::Result<Result<FileStamp, ParseDigestError>> {
    let (size, inode): (i64, i64) = (row.get(1)?, row.get(4)?);
    let (mtime_ns, ctime_ns) = (row.get(2)?, row.get(3)?);
    let digest = row.get_ref(5)?.as_str()?.parse();
    let (size, inode) = (size.cast_unsigned(), inode.cast_unsigned());
    Ok(digest.map(|digest| FileStamp { size, mtime_ns, ctime_ns, inode, digest }))
}

fn insert_stamps(
    transaction: &Transaction<'_>,
    tree: &str,
    stamps: &[(Vec<u8>, FileStamp)],
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare(
        "INSERT OR REPLACE INTO stamps (tree, path, size, mtime, ctime, inode, digest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for (path, stamp) in stamps {
        let (size, inode) = (stamp.size.cast_signed(), stamp.inode.cast_signed());
        insert.execute((
            tree,
            path,
            size,
            stamp.mtime_ns,
            stamp.ctime_ns,
            inode,
            stamp.digest.to_string(),
        ))?;
    }
    Ok(())
}

fn diff_id(row: &str, text: &str) -> Result<DiffId, RecordError> {
    text.parse().map(DiffId).map_err(|error| damaged(row, &error))
}

/// Room made ahead for the stamps of a tree.
const STAMPS_USUAL: usize = 4096;
