//! The registry client: a reference to a descriptor, and blobs both ways, over the distribution protocol.
//!
//! A [`Client`] is told all it needs in [`Options`]; it reads no environment and no home directory. Its calls block
//! and take and give plain values; that HTTP is spoken by an asynchronous library cannot be seen from outside.
//! Blobs are streamed: no layer is ever held in memory.
//!
//! What goes wrong and may pass (a reset, a stall, 429, 5xx) is tried again, and transfers go on where they stood;
//! what will not pass is reported at once with what was tried, what came back and what the user may do.
//!
//! *Invariant*: a credential goes to the registry it belongs to and to the token server that registry names; never
//! across a redirect, never into a log or an error.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = tug_registry::Client::new(tug_registry::Options::default())?;
//! let resolved = client.resolve(&"registry.example/app:1".parse()?)?;
//! println!("{} is {}", resolved.descriptor.media_type, resolved.descriptor.digest);
//! # Ok(()) }
//! ```

mod auth;
mod client;
pub mod credential;
mod endpoint;
mod exchange;
mod fetch;
mod login;
mod printable;
mod progress;
mod pull;
mod push;
mod repository;
mod resolve;
mod session;
mod store;
mod transport;

pub use client::{Client, ClientError, Options};
pub use login::{LoginError, LoginOutcome};
pub use progress::{Progress, Silent, Transfer, TransferKind, TransferState};
pub use pull::{Freshness, PullError, Pulled};
pub use push::{PushError, Pushed};
pub use resolve::{ResolveError, Resolved};
pub use session::RequestError;
pub use transport::{Proxies, Retry, Timeouts};
