//! The registry client against a real `docker-registry` and against one that fails on command.

mod faults;
mod login;
mod resolve;
mod support;
