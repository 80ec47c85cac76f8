//! Builds into a real store. Processes are played by a fake executor that only knows a few words.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cache;
mod copy;
mod failure;
mod world;
