//! What a failing build says.

use tug_builder::{BuildError, Event};

use crate::world::World;

#[test]
fn a_failing_step_names_its_line_and_its_exit_code() {
    let world = World::new();
    let outcome = world.build("FROM scratch\n\nRUN fail 3\nRUN put /x 1\n");
    match outcome.result.as_ref().unwrap_err() {
        BuildError::Step { place, name, .. } => {
            assert_eq!((place.line, place.column, place.text.as_str()), (3, 1, "RUN fail 3"));
            assert_eq!(name, "[2/3] RUN fail 3");
        }
        other => panic!("{other}"),
    }
    assert_eq!(
        outcome.error(),
        "Dockerfile:3:1: [2/3] RUN fail 3: /bin/sh -c fail 3 failed with exit code 3"
    );
    assert_eq!(outcome.ran, ["fail 3"]);
    let logs: Vec<_> = outcome.events.iter().filter(|event| matches!(event, Event::Log { .. })).collect();
    assert_eq!(logs.len(), 1);
    assert!(world.store.fsck().unwrap().problems.is_empty());
}

#[test]
fn what_cannot_be_parsed_comes_with_its_diagnostics() {
    let outcome = World::new().build("FROM scratch\nRUNN x\n");
    match outcome.result.as_ref().unwrap_err() {
        BuildError::Dockerfile { diagnostics, source_text } => {
            assert_eq!(source_text.line(diagnostics[0].span.start), 2);
        }
        other => panic!("{other}"),
    }
}

#[test]
fn an_image_that_is_nowhere_names_the_instruction() {
    let error = World::new().build("FROM nowhere\n").error();
    assert_eq!(error, "Dockerfile:1:6: cannot use nowhere:latest: image nowhere:latest not found");
}

#[test]
fn a_missing_source_is_named() {
    let error = World::new().build("FROM scratch\nCOPY none /\n").error();
    assert!(error.starts_with("Dockerfile:2:1: [2/2] COPY none /: \"none\" not found"), "{error}");
}

#[test]
fn a_secret_that_is_required_must_be_given() {
    let world = World::new();
    let dockerfile = "FROM scratch\nRUN --mount=type=secret,id=s,required=true true\n";
    let error = world.build(dockerfile).error();
    assert!(error.contains("the secret \"s\" was not given"), "{error}");
    let mut request = world.request(dockerfile);
    request.secrets.insert("s".into(), tug_builder::Secret(b"value".to_vec()));
    world.build_request(&request).image();
}
