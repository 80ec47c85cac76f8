//! The configuration that people expect of a container: Docker's defaults, and a builder to change them.

mod builder;
mod capabilities;
mod paths;

pub use builder::{Builder, Network, RootAccess, User};
pub use capabilities::capabilities;
pub use paths::{masked_paths, mounts, readonly_paths};
