//! Image archives: docker archives, OCI archives and OCI layout directories in and out; a file system out.

mod export;
mod layout;
mod load;
mod save;
mod spool;

pub use export::{ExportError, export_dir, flatten};
pub use load::{LoadError, Loaded, read, read_path};
pub use save::{SaveError, Saved, write_docker, write_oci, write_oci_dir};
