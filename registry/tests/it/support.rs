//! What the tests share: registries, clients, and a way to put an image there without the client under test.

use std::error::Error;
use std::time::Duration;

use tug_oci::Reference;
use tug_registry::{Client, Options, Retry, Timeouts};
use tug_testkit::fault::FaultyRegistry;
use tug_testkit::registry::{DockerRegistry, Guard};

/// A registry that lets everyone in.
pub(crate) fn docker_registry(guard: Guard) -> DockerRegistry {
    DockerRegistry::start(guard).expect("docker-registry starts")
}

/// A registry that fails on command.
pub(crate) fn faulty() -> FaultyRegistry {
    FaultyRegistry::start().expect("the loopback interface is there")
}

/// Options that try again quickly and do not wait long.
pub(crate) fn options() -> Options {
    Options {
        retry: Retry { attempts: 6, first: Duration::from_millis(1), longest: Duration::from_millis(20) },
        timeouts: Timeouts { connect: Duration::from_secs(10), stall: Duration::from_secs(10) },
        ..Options::default()
    }
}

/// The same, for tests in which a stall has to be noticed.
pub(crate) fn impatient() -> Options {
    let timeouts = Timeouts { connect: Duration::from_secs(10), stall: Duration::from_millis(300) };
    Options { timeouts, ..options() }
}

pub(crate) fn client(options: Options) -> Client {
    Client::new(options).expect("a client can be made")
}

pub(crate) fn reference(authority: &str, rest: &str) -> Reference {
    format!("{authority}/{rest}").parse().expect("the reference is well formed")
}

/// An error with its causes, as a person would see it.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
