//! Containers as a person asks for them: image config and arguments → what the runtime is given.

pub(crate) mod capability;
pub(crate) mod command;
pub(crate) mod host_files;
pub(crate) mod name;
pub(crate) mod user;
