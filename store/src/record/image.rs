//! Records of names and images.

use rusqlite::{Connection, OptionalExtension as _, Transaction};
use tug_oci::{Descriptor, Digest, Reference};

use super::layer::{Flushed, note_flushed};
use super::{Database, RecordError, damaged, descriptor, json};

/// An image of the store, named or not.
#[derive(Clone, Debug)]
pub(crate) struct ImageRecord {
    /// Its manifest or index.
    pub(crate) target: Descriptor,
    /// When it came, seconds since 1970.
    pub(crate) added: i64,
}

/// All names and images of one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct ImageRecords {
    /// Sorted by name.
    pub(crate) names: Vec<(Reference, Descriptor)>,
    /// The newest first.
    pub(crate) images: Vec<ImageRecord>,
}

impl Database {
    /// What a name points to.
    pub(crate) fn name(&self, name: &Reference) -> Result<Option<Descriptor>, RecordError> {
        let key = name.to_string();
        let found = self.read(|connection| {
            connection
                .query_row("SELECT descriptor FROM names WHERE reference = ?1", [&key], |row| {
                    row.get::<_, String>(0)
                })
                .optional()
        })?;
        found.map(|text| descriptor(&key, &text)).transpose()
    }

    /// Points a name to a target. The target becomes an image, and what the name pointed to stays one.
    pub(crate) fn set_name(
        &self,
        name: &Reference,
        target: &Descriptor,
        (now, flushed): (i64, &Flushed),
    ) -> Result<(), RecordError> {
        self.write(|transaction| {
            note_flushed(transaction, flushed)?;
            insert_image(transaction, target, now)?;
            let change = "INSERT INTO names (reference, descriptor) VALUES (?1, ?2)
                 ON CONFLICT (reference) DO UPDATE SET descriptor = excluded.descriptor";
            transaction.execute(change, (name.to_string(), json(target))).map(drop)
        })
    }

    /// Removes a name; says whether it was there.
    pub(crate) fn remove_name(&self, name: &Reference) -> Result<bool, RecordError> {
        self.write(|transaction| {
            transaction
                .execute("DELETE FROM names WHERE reference = ?1", [name.to_string()])
                .map(|rows| rows > 0)
        })
    }

    /// Whether a target is an image here.
    pub(crate) fn has_image(&self, target: &Digest) -> Result<bool, RecordError> {
        self.read(|connection| {
            connection
                .query_row("SELECT 1 FROM images WHERE target = ?1", [target.to_string()], |_| Ok(()))
                .optional()
                .map(|row| row.is_some())
        })
    }

    /// Adds an image; one that is there keeps its time.
    pub(crate) fn add_image(
        &self,
        target: &Descriptor,
        (now, flushed): (i64, &Flushed),
    ) -> Result<(), RecordError> {
        self.write(|transaction| {
            note_flushed(transaction, flushed)?;
            insert_image(transaction, target, now)
        })
    }

    /// Removes an image that no name points to; says whether it is gone.
    pub(crate) fn forget_image(&self, target: &Digest) -> Result<bool, RecordError> {
        self.write(|transaction| {
            if is_named(transaction, target)? {
                return Ok(false);
            }
            transaction.execute("DELETE FROM images WHERE target = ?1", [target.to_string()])?;
            Ok(true)
        })
    }

    /// All names, sorted.
    pub(crate) fn names(&self) -> Result<Vec<(Reference, Descriptor)>, RecordError> {
        parse_names(self.read(select_names)?)
    }

    /// All names and images, read together.
    pub(crate) fn image_records(&self) -> Result<ImageRecords, RecordError> {
        let (names, images) = self.read(|connection| {
            // One transaction, so that a name that is moved in between does not make its old target vanish.
            let snapshot = connection.unchecked_transaction()?;
            let names = select_names(&snapshot)?;
            let mut select = snapshot
                .prepare("SELECT target, descriptor, added FROM images ORDER BY added DESC, target")?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            let images: Vec<(String, String, i64)> = rows.collect::<rusqlite::Result<_>>()?;
            Ok((names, images))
        })?;
        let image = |(key, text, added): (String, String, i64)| {
            Ok(ImageRecord { target: descriptor(&key, &text)?, added })
        };
        Ok(ImageRecords {
            names: parse_names(names)?,
            images: images.into_iter().map(image).collect::<Result<_, RecordError>>()?,
        })
    }

    /// Removes images and the names that point to them.
    pub(crate) fn drop_images(&self, targets: &[Digest]) -> Result<(), RecordError> {
        self.write_through(|transaction| {
            let mut image = transaction.prepare("DELETE FROM images WHERE target = ?1")?;
            let mut names = transaction.prepare(DELETE_NAMES_OF)?;
            for target in targets {
                image.execute([target.to_string()])?;
                names.execute([target.to_string()])?;
            }
            Ok(())
        })
    }
}

fn insert_image(transaction: &Transaction<'_>, target: &Descriptor, now: i64) -> rusqlite::Result<()> {
    let insert = "INSERT INTO images (target, descriptor, added) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    transaction.execute(insert, (target.digest.to_string(), json(target), now)).map(drop)
}

fn is_named(connection: &Connection, target: &Digest) -> rusqlite::Result<bool> {
    let named = "SELECT 1 FROM names WHERE json_extract(descriptor, '$.digest') = ?1 LIMIT 1";
    let row = connection.query_row(named, [target.to_string()], |_| Ok(())).optional()?;
    Ok(row.is_some())
}

fn select_names(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut select = connection.prepare("SELECT reference, descriptor FROM names ORDER BY reference")?;
    select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn parse_names(rows: Vec<(String, String)>) -> Result<Vec<(Reference, Descriptor)>, RecordError> {
    let parse = |(key, text): (String, String)| {
        let name = key.parse().map_err(|error| damaged(&key, &error))?;
        Ok((name, descriptor(&key, &text)?))
    };
    rows.into_iter().map(parse).collect()
}

const DELETE_NAMES_OF: &str = "DELETE FROM names WHERE json_extract(descriptor, '$.digest') = ?1";
