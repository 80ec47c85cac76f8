//! Drives the built `tug` as a person would. Needs root, busybox-static, docker-registry, skopeo, umoci, podman, buildah,
//! mmdebstrap and a Debian mirror.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

mod archive;
mod build;
mod buildah;
mod crash;
mod debian;
mod images;
mod interrupt;
mod mistakes;
mod registry;
mod run;
mod sandbox;
mod store;
mod together;
