//! Builds into a real store. Processes are played by a fake executor that only knows a few words.

mod cache;
mod copy;
mod failure;
mod world;
