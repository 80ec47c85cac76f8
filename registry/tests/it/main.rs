//! The registry client against a real `docker-registry` and against one that fails on command.

mod faults;
mod login;
mod proxy;
mod pull;
mod push;
mod resolve;
mod skopeo;
mod storm;
mod support;
