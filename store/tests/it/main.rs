//! The store as its users see it: one binary for all integration tests.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod archive;
mod child;
mod collect;
mod content;
mod crash;
mod fixture;
mod full_disk;
mod images;
mod layer;
mod names;
mod opening;
mod snapshot;
mod stack;
mod stamps;
mod view;
