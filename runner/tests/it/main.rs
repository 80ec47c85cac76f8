//! Containers of a busybox image, run as a user of the library would. They need root.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to end")]

mod container;
mod files;
mod hostile;
mod lifecycle;
mod process;
mod terminal;
