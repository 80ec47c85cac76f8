//! The store: blobs, layers as directories, snapshots, image names, cache records, leases and their collection.
//!
//! A store is one directory that many processes use at once, without a daemon. Blobs and layers are named by
//! digest and come into being by one rename; records live in one SQLite database. Whatever kills a process, what
//! it leaves is either whole or garbage that [`Store::collect`] removes.
//!
//! *Invariant*: a name never points to content that is not there whole: content is committed first, then the
//! record that speaks of it.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = tug_store::Store::open("/var/lib/tug".as_ref())?;
//! let lease = store.lease()?;              // what this process makes or uses from here on is kept
//! let blob = store.content().put("text/plain", b"hello")?;
//! assert!(store.content().contains(&blob.digest));
//! # drop(lease); Ok(()) }
//! ```

pub mod archive;
mod beneath;
pub mod cache;
pub mod content;
mod flush;
pub mod fsck;
pub mod gc;
pub mod image;
mod inventory;
pub mod layer;
pub mod lease;
pub mod name;
mod reach;
mod record;
mod root;
mod scratch;
pub mod snapshot;
pub mod store;
mod tarball;
mod tree;
pub mod usage;
pub mod view;

pub use flush::{FlushError, RecoverError};
pub use reach::ReachError;
pub use record::RecordError;
pub use store::{OpenError, Store};
pub use tarball::TarError;
