//! The record database: one SQLite file that many processes read and write at once.
//!
//! Every change is one transaction that is whole or not there. `synchronous=NORMAL` may lose the last ones when the
//! machine (not the process) dies, but never orders a record before an older one.

mod cache;
mod image;
mod layer;
mod stamp;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use tug_oci::Descriptor;

pub use cache::CacheRecord;
pub(crate) use image::{ImageRecord, ImageRecords};
pub(crate) use layer::{Flushed, LayerRecord};
pub use stamp::FileStamp;

/// Why a record cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// SQLite says no: disk full, locked for too long, not a database.
    #[error("cannot {doing} the store's records")]
    Sqlite {
        /// What was attempted.
        doing: &'static str,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// The database was written by a later version.
    #[error(
        "store's records have version {found}, this program knows up to {SCHEMA_VERSION}; use a newer tug"
    )]
    Newer {
        /// Its schema version.
        found: i64,
    },
    /// A row that cannot be understood.
    #[error("store's record {row:?} is damaged: {why}")]
    Damaged {
        /// Which row.
        row: String,
        /// What is wrong with it.
        why: String,
    },
}

impl RecordError {
    /// Whether it was for want of room.
    pub(crate) fn is_disk_full(&self) -> bool {
        match self {
            RecordError::Sqlite { source, .. } => {
                source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
            }
            _ => false,
        }
    }
}

/// One connection; the threads of a process take turns on it.
pub(crate) struct Database {
    connection: Mutex<Connection>,
}

impl Database {
    /// Opens the database, making it or bringing its schema up to date where needed.
    pub(crate) fn open(path: &Path) -> Result<Database, RecordError> {
        let connection = connect(path).map_err(|source| RecordError::Sqlite { doing: "open", source })?;
        let database = Database { connection: Mutex::new(connection) };
        database.migrate()?;
        Ok(database)
    }

    /// Reads.
    pub(crate) fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, RecordError> {
        query(&self.lock()).map_err(|source| RecordError::Sqlite { doing: "read", source })
    }

    /// Changes in one transaction.
    pub(crate) fn write<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, RecordError> {
        let failed = |source| RecordError::Sqlite { doing: "write", source };
        let mut connection = self.lock();
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let value = change(&transaction).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(value)
    }

    /// Changes in one transaction that is on disk when this returns: what is removed after it may not come back by a
    /// power cut.
    pub(crate) fn write_through<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, RecordError> {
        self.read(|connection| connection.pragma_update(None, "synchronous", "FULL"))?;
        let changed = self.write(change);
        self.read(|connection| connection.pragma_update(None, "synchronous", "NORMAL"))?;
        changed
    }

    /// What SQLite finds wrong with the file, a line each.
    pub(crate) fn check(&self) -> Result<Vec<String>, RecordError> {
        let lines: Vec<String> = self.read(|connection| {
            let mut check = connection.prepare("PRAGMA integrity_check")?;
            check.query_map([], |row| row.get(0))?.collect()
        })?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }

    /// A panic while the lock was held rolled its transaction back, so the connection is still good.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn migrate(&self) -> Result<(), RecordError> {
        let version = |connection: &Connection| {
            connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
        };
        let found = self.read(version)?;
        if found > SCHEMA_VERSION {
            return Err(RecordError::Newer { found });
        }
        if found == SCHEMA_VERSION {
            return Ok(());
        }
        // Another process may have been first; its version is seen only inside the transaction.
        self.write(|transaction| match version(transaction)? {
            0 => {
                transaction.execute_batch(SCHEMA)?;
                transaction.pragma_update(None, "user_version", SCHEMA_VERSION)
            }
            _ => Ok(()),
        })
    }
}

/// Seconds since 1970, as records have it.
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// A descriptor as it stands in a row.
fn json(descriptor: &Descriptor) -> String {
    serde_json::to_string(descriptor).expect("a descriptor is made of strings and numbers")
}

/// The descriptor in a row.
fn descriptor(row: &str, json: &str) -> Result<Descriptor, RecordError> {
    serde_json::from_str(json).map_err(|error| damaged(row, &error))
}

fn damaged(row: &str, why: &dyn std::fmt::Display) -> RecordError {
    RecordError::Damaged { row: row.to_owned(), why: why.to_string() }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    into_wal(&connection)?;
    connection.execute_batch("PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;")?;
    Ok(connection)
}

/// The switch to WAL of a new database needs it alone for a moment, and SQLite gives up at once where two do it
/// together; who loses tries again.
fn into_wal(connection: &Connection) -> rusqlite::Result<()> {
    let mut tries = 0;
    loop {
        let switched = connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get::<_, String>(0));
        match switched {
            Err(error) if is_busy(&error) && tries < WAL_TRIES_MAX => {
                tries += 1;
                std::thread::sleep(WAL_PAUSE);
            }
            other => return other.map(drop),
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
    )
}

const SCHEMA_VERSION: i64 = 1;
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);
const WAL_TRIES_MAX: u32 = 600;
const WAL_PAUSE: Duration = Duration::from_millis(10);

const SCHEMA: &str = "
CREATE TABLE names (
    reference TEXT PRIMARY KEY,
    descriptor TEXT NOT NULL
) WITHOUT ROWID, STRICT;
CREATE TABLE images (
    target TEXT PRIMARY KEY,
    descriptor TEXT NOT NULL,
    added INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
CREATE TABLE cache (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    created INTEGER NOT NULL,
    used INTEGER NOT NULL
) STRICT;
CREATE TABLE cache_layers (
    key TEXT NOT NULL REFERENCES cache (key) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    diff_id TEXT NOT NULL,
    PRIMARY KEY (key, position)
) WITHOUT ROWID, STRICT;
CREATE TABLE stamps (
    tree TEXT PRIMARY KEY,
    sheet BLOB NOT NULL
) STRICT;
CREATE TABLE layers (
    diff_id TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    leaning TEXT,
    flushed INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID, STRICT;
CREATE INDEX layers_unflushed ON layers (diff_id) WHERE flushed = 0;
CREATE TABLE boot (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL
) STRICT;
CREATE TABLE layer_blobs (
    diff_id TEXT NOT NULL,
    compression TEXT NOT NULL,
    descriptor TEXT NOT NULL,
    PRIMARY KEY (diff_id, compression)
) WITHOUT ROWID, STRICT;
";
