//! Wrong input: one clear error, the right exit code, a sound store.

use crate::sandbox::Sandbox;

#[track_caller]
fn check(sandbox: &Sandbox, arguments: &[&str], code: i32, told: &[&str]) {
    let text = sandbox.tug(arguments).fails(code);
    for part in told {
        assert!(text.contains(part), "{arguments:?}: {part:?} is missing in:\n{text}");
    }
}

#[test]
fn the_command_line() {
    let sandbox = Sandbox::new();
    check(&sandbox, &["biuld", "."], 1, &["'biuld'", "'build'"]);
    check(&sandbox, &["build", "--no-cahce", "."], 125, &["'--no-cahce'", "'--no-cache'"]);
    check(&sandbox, &["build"], 1, &["PATH"]);
    check(&sandbox, &["run"], 1, &["IMAGE"]);
    check(&sandbox, &["run", "-d", "x"], 125, &["not there yet"]);
    check(&sandbox, &["build", "-o", "type=zip,dest=x", "."], 125, &["none of oci, docker"]);
    check(&sandbox, &["images", "--filter", "colour=red"], 125, &["dangling, reference"]);
    check(&sandbox, &["images", "--format", "{{.ID"], 1, &["no closing"]);
    check(&sandbox, &["run", "-v", "a:/b", "x"], 125, &["named volumes"]);
    check(&sandbox, &["login", "localhost:1"], 1, &["--password-stdin"]);
}

#[test]
fn references() {
    let sandbox = Sandbox::with_base();
    check(&sandbox, &["pull", "team/Upper"], 1, &["lower case"]);
    check(&sandbox, &["tag", "base", "a b"], 1, &["malformed"]);
    check(&sandbox, &["tag", "base", "app:1:2"], 1, &["malformed"]);
    check(&sandbox, &["tag", "missing", "x"], 1, &["no such image: missing"]);
    check(&sandbox, &["build", "-t", "UPPER", "base"], 1, &["lower case"]);
}

#[test]
fn dockerfiles() {
    let sandbox = Sandbox::with_base();
    let build = |dockerfile: &str, told: &[&str]| {
        sandbox.file("w/Dockerfile", dockerfile);
        check(&sandbox, &["build", "w"], 1, told);
        sandbox.assert_sound();
    };
    build("FROM base\nRUNN x\n", &["unknown instruction", "RUNN", "w/Dockerfile:2:1", "did you mean RUN"]);
    build("FROM base\nCOPY missing /x\n", &["w/Dockerfile:2:1", "missing", "COPY missing /x"]);
    build("FROM base\nRUN exit 3\n", &["w/Dockerfile:2:1", "exit code: 3"]);
    build("FROM base\nRUN [\"/no/such\"]\n", &["w/Dockerfile:2:1", "/no/such"]);
    build("FROM localhost:1/none\n", &["w/Dockerfile:1:6", "localhost:1/none"]);
    build("", &["no instructions"]);
    build("FROM base\nRUN --network=bogus x\n", &["w/Dockerfile:2"]);
    check(&sandbox, &["build", "--target", "nope", "base"], 1, &["nope"]);
}

#[test]
fn contexts() {
    let sandbox = Sandbox::new();
    sandbox.file("empty/x", "");
    check(&sandbox, &["build", "missing"], 1, &["cannot open the build context missing", "No such file"]);
    check(&sandbox, &["build", "empty/x"], 1, &["no directory"]);
    check(&sandbox, &["build", "empty"], 1, &["cannot read the Dockerfile empty/Dockerfile"]);
    check(&sandbox, &["build", "https://example.com/x.git"], 1, &["not fetched yet"]);
    check(&sandbox, &["build", "--push", "empty"], 1, &["no name to push"]);
}

#[test]
fn a_store_that_cannot_be() {
    let sandbox = Sandbox::new();
    sandbox.file("file", "");
    check(&sandbox, &["--root", "file", "images"], 1, &["cannot make the store's directory"]);
}

#[test]
fn help_is_for_everything() {
    let sandbox = Sandbox::new();
    let overview = sandbox.tug(&["--help"]).ok();
    assert!(overview.contains("Build and run:\n  build "), "{overview}");
    for line in overview.lines().filter(|line| line.starts_with("  ") && !line.trim_start().starts_with('-'))
    {
        let Some(verb) =
            line.split_whitespace().next().filter(|verb| verb.chars().all(|c| c.is_ascii_lowercase()))
        else {
            continue;
        };
        let help = sandbox.tug(&[verb, "--help"]).ok();
        assert!(help.contains("Usage: tug"), "{verb}: {help}");
    }
    assert_eq!(sandbox.tug(&["--version"]).ok(), format!("tug {}\n", env!("CARGO_PKG_VERSION")));
}
