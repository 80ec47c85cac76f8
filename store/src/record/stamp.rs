//! File stamps: what a context's files were when they were hashed.
//!
//! A context has one stamp a file and is read whole in every build, so its stamps are one sheet in one row: ten thousand rows
//! cost ten times the reading.

use std::collections::HashMap;

use rusqlite::OptionalExtension as _;
use tug_oci::Digest;

use super::{Database, RecordError};

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
    /// Removes all stamps of all trees.
    pub(crate) fn drop_stamps(&self) -> Result<(), RecordError> {
        self.write(|transaction| transaction.execute("DELETE FROM stamps", []).map(drop))
    }

    /// All stamps of a tree. A sheet that cannot be read counts as none: its files are hashed again.
    pub(crate) fn stamps(&self, tree: &str) -> Result<HashMap<Vec<u8>, FileStamp>, RecordError> {
        self.read(|connection| sheet(connection, tree))
    }

    /// Changes stamps of a tree in one transaction.
    pub(crate) fn put_stamps(
        &self,
        tree: &str,
        changed: &[(Vec<u8>, FileStamp)],
        gone: &[Vec<u8>],
    ) -> Result<(), RecordError> {
        self.write(|transaction| {
            // Read in the transaction: another build of this context may have written since this one began.
            let mut stamps = sheet(transaction, tree)?;
            gone.iter().for_each(|path| drop(stamps.remove(path)));
            stamps.extend(changed.iter().cloned());
            let insert = "INSERT OR REPLACE INTO stamps (tree, sheet) VALUES (?1, ?2)";
            transaction.execute(insert, (tree, encode(&stamps))).map(drop)
        })
    }
}

fn sheet(connection: &rusqlite::Connection, tree: &str) -> rusqlite::Result<HashMap<Vec<u8>, FileStamp>> {
    let mut select = connection.prepare("SELECT sheet FROM stamps WHERE tree = ?1")?;
    let decoded = select.query_row([tree], |row| Ok(decode(row.get_ref(0)?.as_blob()?))).optional()?;
    Ok(decoded.flatten().unwrap_or_default())
}

/// Each entry: size, mtime, ctime, inode (8 bytes each), lengths of path and digest (4 bytes each), path, digest; numbers are
/// little-endian.
fn encode(stamps: &HashMap<Vec<u8>, FileStamp>) -> Vec<u8> {
    let mut sheet = Vec::with_capacity(stamps.len() * ENTRY_BYTES_USUAL);
    for (path, stamp) in stamps {
        let digest = stamp.digest.to_string();
        sheet.extend(stamp.size.to_le_bytes());
        sheet.extend(stamp.mtime_ns.to_le_bytes());
        sheet.extend(stamp.ctime_ns.to_le_bytes());
        sheet.extend(stamp.inode.to_le_bytes());
        sheet.extend((path.len() as u32).to_le_bytes());
        sheet.extend((digest.len() as u32).to_le_bytes());
        sheet.extend(path);
        sheet.extend(digest.as_bytes());
    }
    sheet
}

/// `None` for bytes that [`encode`] did not write.
fn decode(mut sheet: &[u8]) -> Option<HashMap<Vec<u8>, FileStamp>> {
    let mut stamps = HashMap::with_capacity(sheet.len() / ENTRY_BYTES_USUAL);
    while !sheet.is_empty() {
        let rest = &mut sheet;
        let size = u64::from_le_bytes(number(rest)?);
        let mtime_ns = i64::from_le_bytes(number(rest)?);
        let ctime_ns = i64::from_le_bytes(number(rest)?);
        let inode = u64::from_le_bytes(number(rest)?);
        let path_len = u32::from_le_bytes(number(rest)?);
        let digest_len = u32::from_le_bytes(number(rest)?);
        let path = rest.split_off(..path_len as usize)?.to_vec();
        let digest: Digest =
            std::str::from_utf8(rest.split_off(..digest_len as usize)?).ok()?.parse().ok()?;
        stamps.insert(path, FileStamp { size, mtime_ns, ctime_ns, inode, digest });
    }
    Some(stamps)
}

fn number<const N: usize>(sheet: &mut &[u8]) -> Option<[u8; N]> {
    sheet.split_off(..N)?.try_into().ok()
}

/// Of an entry with a path of usual length.
const ENTRY_BYTES_USUAL: usize = 140;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_gives_back_what_went_in_and_a_damaged_one_nothing() {
        let stamp = |size: u64| FileStamp {
            size,
            mtime_ns: -1,
            ctime_ns: i64::MAX,
            inode: u64::MAX,
            digest: Digest::of(&size.to_le_bytes()),
        };
        let stamps: HashMap<_, _> = [(b"a".to_vec(), stamp(1)), (b"b/\xff".to_vec(), stamp(2))].into();
        let sheet = encode(&stamps);
        assert_eq!(decode(&sheet), Some(stamps));
        assert_eq!(decode(&[]), Some(HashMap::new()));
        let one = encode(&[(b"a".to_vec(), stamp(1))].into());
        for end in 1..one.len() {
            assert_eq!(decode(&one[..end]), None, "{end} bytes");
        }
    }
}
