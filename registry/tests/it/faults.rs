//! Failures that pass are outlasted; those that do not are told at once.

use tug_testkit::fault::{Fault, Reply, Rule};
use tug_testkit::image::image;

use crate::support::{chain, client, faulty, impatient, options, reference};

fn rule(times: u32, fault: Fault) -> Rule {
    Rule::new("GET", "/manifests/", times, fault)
}

#[test]
fn failures_that_pass_are_outlasted() {
    let faults = [
        Fault::Answer(Reply::status(500)),
        Fault::Answer(Reply::status(503).with("retry-after", "0")),
        Fault::Answer(Reply::status(429)),
        Fault::Answer(Reply::status(429).with("retry-after", "0")),
        Fault::Close,
        Fault::CutBody(10),
    ];
    for fault in faults {
        let registry = faulty();
        registry.put_image("app", "1", &image(&[]));
        registry.fail(rule(3, fault.clone()));
        let result = client(options()).resolve(&reference(&registry.authority(), "app:1"));
        assert!(result.is_ok(), "{fault:?}: {}", chain(&result.unwrap_err()));
        assert_eq!(registry.count("GET", "/manifests/"), 4, "{fault:?}");
    }
}

#[test]
fn stalls_are_noticed() {
    for fault in [Fault::Stall, Fault::StallBody(10)] {
        let registry = faulty();
        registry.put_image("app", "1", &image(&[]));
        registry.fail(rule(1, fault.clone()));
        let result = client(impatient()).resolve(&reference(&registry.authority(), "app:1"));
        assert!(result.is_ok(), "{fault:?}: {}", chain(&result.unwrap_err()));
    }
}

#[test]
fn a_server_that_stays_broken_is_given_up() {
    let registry = faulty();
    let broken = Reply::refusal(500, "UNKNOWN", "the \u{1b}[31mdisk\n is full");
    registry.fail(rule(100, Fault::Answer(broken)));
    let error = client(options()).resolve(&reference(&registry.authority(), "app:1")).unwrap_err();
    assert!(
        chain(&error).ends_with("500 Internal Server Error (UNKNOWN: the [31mdisk is full)"),
        "{}",
        chain(&error)
    );
    assert!(error.request().is_temporary());
    assert_eq!(registry.count("GET", "/manifests/"), 6);
}

#[test]
fn a_server_that_asks_for_an_hour_is_not_waited_for() {
    let registry = faulty();
    registry.fail(rule(100, Fault::Answer(Reply::status(429).with("retry-after", "3600"))));
    let error = client(options()).resolve(&reference(&registry.authority(), "app:1")).unwrap_err();
    assert_eq!(error.request().status(), Some(429));
    assert!(error.request().is_temporary());
    assert_eq!(registry.count("GET", "/manifests/"), 1);
}
