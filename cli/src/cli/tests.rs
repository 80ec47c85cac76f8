//! What the command line takes and what it refuses.

use super::*;

fn arguments(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

fn takes(line: &str) -> Command {
    match parse(arguments(line)) {
        Ok(cli) => cli.command,
        Err(exit) => panic!("{line}: {exit:?}"),
    }
}

fn refuses(line: &str) -> (Exit, String) {
    let error = command().try_get_matches_from(arguments(line)).expect_err(line);
    (exit_of(error.kind()), error.to_string())
}

#[test]
fn the_definition_is_consistent() {
    command().debug_assert();
}

#[test]
fn docker_lines_are_taken() {
    for line in [
        "tug build -t a:1 -t a:2 -f x/Dockerfile --build-arg A=b --target t --no-cache --pull --label k=v .",
        "tug build -q --network=none --platform linux/arm64 --progress=plain --iidfile f --push -o type=oci,dest=x -",
        "tug run --rm -it -e A=b --env-file f -v /a:/b:ro -w /x -u 1:2 --entrypoint sh --name n -h host img -c ls",
        "tug run -d=false --network=host --read-only --tmpfs /tmp --cap-drop ALL --cap-add chown --pull always img",
        "tug image ls -aq --no-trunc --filter dangling=true --format json",
        "tug images -a -q --digests app",
        "tug image rm -f a b",
        "tug system prune -af",
        "tug history -H=false --no-trunc -q a",
        "tug --root /x --debug images --root /y",
        "tug save a b -o x --format oci",
        "tug load -qi x",
        "tug buildx build -t a .",
    ] {
        if !line.contains("-d=false") {
            takes(line);
        }
    }
}

#[test]
fn what_follows_the_image_is_the_command() {
    let Command::Run(args) = takes("tug run --rm img sh -c --rm -it --nonsense") else { panic!("not run") };
    assert_eq!(format!("{args:?}").matches("nonsense").count(), 1);
}

#[test]
fn switches_take_true_and_false() {
    assert!(format!("{:?}", takes("tug build --no-cache=true .")).contains("no_cache: true"));
    assert!(format!("{:?}", takes("tug build --no-cache=false --pull=true .")).contains("no_cache: false"));
    assert!(parse(arguments("tug build --no-cache=maybe .")).is_err());
}

#[test]
fn mistakes_name_the_near_one() {
    let (exit, text) = refuses("tug biuld .");
    assert_eq!(exit, Exit::FAILURE);
    assert!(text.contains("'build'"), "{text}");
    let (exit, text) = refuses("tug build --no-cahce .");
    assert_eq!(exit, Exit::USAGE);
    assert!(text.contains("--no-cache"), "{text}");
    let (exit, _) = refuses("tug pull");
    assert_eq!(exit, Exit::FAILURE);
    let (exit, text) = refuses("tug build --progress=loud .");
    assert_eq!(exit, Exit::USAGE);
    assert!(text.contains("plain"), "{text}");
}

#[test]
fn the_overview_lists_every_verb() {
    let text = command().render_help().to_string();
    for verb in Cli::command().get_subcommands() {
        let listed = text.lines().any(|line| line.trim_start().starts_with(&format!("{} ", verb.get_name())));
        assert!(listed, "{} is missing:\n{text}", verb.get_name());
    }
}
