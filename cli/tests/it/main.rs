//! Drives the built `tug` as a person would. Needs root, busybox-static, docker-registry, skopeo, umoci and podman.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

mod archive;
mod build;
mod images;
mod interrupt;
mod mistakes;
mod registry;
mod run;
mod sandbox;
mod store;
