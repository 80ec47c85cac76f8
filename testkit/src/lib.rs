//! Synthetic images, real registries and faults: what several crates' tests share. Never a normal dependency.

pub mod fault;
pub mod image;
pub mod proxy;
pub mod registry;
