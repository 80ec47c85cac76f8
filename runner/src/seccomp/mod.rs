//! System call filters: Docker's default profile, and the compiler from profiles to the kernel's programs.

mod bpf;
mod compile;
mod profile;
mod table;

pub use compile::CompileError;
pub(crate) use compile::compile;
pub(crate) use profile::default_profile;
