//! Parsing, seen from outside: what is read, and what is said about what is wrong.

use proptest::prelude::*;

use super::*;
use crate::instruction::{
    CommandForm, CopySource, Healthcheck, InstructionKind, MountKind, PairForm, RunBody,
};

#[track_caller]
fn sound(text: &str) -> Dockerfile {
    let parsed = parse(text);
    assert_eq!(parsed.diagnostics, []);
    parsed.dockerfile.expect("there is no error")
}

/// The instructions of the only stage.
#[track_caller]
fn instructions(text: &str) -> Vec<InstructionKind> {
    let mut dockerfile = sound(&format!("FROM scratch\n{text}"));
    let stage = dockerfile.stages.pop().expect("has a stage");
    stage.instructions.into_iter().map(|instruction| instruction.kind).collect()
}

/// The errors in a text: what stands at each, and what is said, with the help.
fn errors(text: &str) -> Vec<(String, String)> {
    let said = |diagnostic: Diagnostic| {
        let help = diagnostic.help.map(|help| format!("; {help}")).unwrap_or_default();
        (text[diagnostic.span.range()].to_owned(), diagnostic.message + &help)
    };
    parse(text).diagnostics.into_iter().map(said).collect()
}

#[test]
fn stages_have_names_platforms_and_spans() {
    let text = "ARG V=1\nFROM --platform=linux/arm64 busybox:$V AS Base\nRUN a\n\nFROM base\n";
    let dockerfile = sound(text);
    let default = dockerfile.meta_args[0].kind.pairs[0].default.clone().expect("has a value");
    assert_eq!(&text[default.span.range()], "1");
    let from = &dockerfile.stages[0].from.kind;
    assert_eq!(from.name().as_deref(), Some("base"));
    assert_eq!(from.platform.as_ref().map(|platform| &text[platform.span.range()]), Some("linux/arm64"));
    assert_eq!(&text[dockerfile.stages[0].span.range()], text[8..].split("\n\n").next().expect("has a part"));
}

#[test]
fn commands_have_two_forms() {
    let kinds = instructions("RUN echo \\\n  a\nCMD [\"b\", \"c\"]\nENTRYPOINT [\"d\"\n");
    let InstructionKind::Run(run) = &kinds[0] else { panic!("{kinds:?}") };
    assert_eq!(run.body(), RunBody::Shell("echo   a".into()));
    let InstructionKind::Cmd(CommandForm::Exec(words)) = &kinds[1] else { panic!("{kinds:?}") };
    assert_eq!(words.len(), 2);
    assert!(
        matches!(&kinds[2], InstructionKind::Entrypoint(CommandForm::Shell(line)) if line.text == "[\"d\"")
    );
}

#[test]
fn heredocs_become_scripts_and_files() {
    let kinds = instructions(
        "RUN <<EOF\na\nEOF\nRUN <<-E\n#!/bin/x\n\ta\n\tE\nRUN cat <<A <<B\n1\nA\n2\nB\nCOPY <<'F' a /\nx\nF\n",
    );
    let body = |at: usize| match &kinds[at] {
        InstructionKind::Run(run) => run.body(),
        other => panic!("{other:?}"),
    };
    assert_eq!(body(0), RunBody::Shell("a\n".into()));
    assert_eq!(body(1), RunBody::Script { name: "E".into(), content: "#!/bin/x\na\n".into() });
    assert_eq!(body(2), RunBody::Shell("cat <<A <<B\n1\nA\n2\nB".into()));
    let InstructionKind::Copy(copy) = &kinds[3] else { panic!("{kinds:?}") };
    assert!(
        matches!(&copy.sources[0], CopySource::Heredoc(heredoc) if heredoc.content == "x\n" && !heredoc.expand)
    );
    assert!(matches!(&copy.sources[1], CopySource::Path(path) if path.text == "a"));
}

#[test]
fn pairs_keep_quotes_for_expansion() {
    let kinds = instructions("ENV a=\"b c\" d='$e'\nLABEL f  g h \n");
    let InstructionKind::Env(pairs) = &kinds[0] else { panic!("{kinds:?}") };
    assert_eq!((pairs[0].value.text.as_str(), pairs[1].value.text.as_str()), ("\"b c\"", "'$e'"));
    let InstructionKind::Label(pairs) = &kinds[1] else { panic!("{kinds:?}") };
    assert_eq!((pairs[0].value.text.as_str(), pairs[0].form), ("g h", PairForm::Blank));
}

#[test]
fn mounts_are_typed_once_variables_are_known() {
    let kinds = instructions(
        "RUN --mount=type=cache,target=$T,sharing=locked,uid=3 --mount=type=secret,id=a,env=A b",
    );
    let InstructionKind::Run(run) = &kinds[0] else { panic!("{kinds:?}") };
    let mount = run.mounts[0].resolve(&|value| Ok(value.replace("$T", "/cache"))).expect("is a mount");
    assert_eq!(mount.target.as_deref(), Some("/cache"));
    assert!(!mount.read_only);
    assert!(matches!(mount.kind, MountKind::Cache { ownership, .. } if ownership.uid == Some(3)));
    let secret = run.mounts[1].resolve(&|value| Ok(value.to_owned())).expect("is a mount");
    assert!(matches!(secret.kind, MountKind::Secret { env: Some(env), .. } if env == "A"));
}

#[test]
fn a_mount_that_means_nothing_is_explained() {
    let said = |mount: &str| {
        let kinds = instructions(&format!("RUN --mount={mount} a"));
        let InstructionKind::Run(run) = &kinds[0] else { panic!("{kinds:?}") };
        let error = run.mounts[0].resolve(&|value| Ok(value.to_owned())).expect_err("is no mount");
        let diagnostic = run.mounts[0].diagnostic(&error);
        (diagnostic.message, diagnostic.help.unwrap_or_default())
    };
    assert_eq!(said("typ=cache"), ("--mount has no field \"typ\"".into(), "did you mean type?".into()));
    assert_eq!(said("type=ramdisk").1, "it is one of bind, cache, tmpfs, secret, ssh");
    assert_eq!(said("type=tmpfs,uid=1").0, "a tmpfs mount has no uid");
    assert_eq!(said("type=secret").0, "a secret mount needs an id, a source or a target");
    assert_eq!(said("target").0, "target in --mount needs a value");
}

#[test]
fn healthchecks_have_times() {
    let kinds = instructions("HEALTHCHECK --interval=1m30s --retries=2 CMD [\"a\"]\nHEALTHCHECK none\n");
    let InstructionKind::Healthcheck(Healthcheck::Test(test)) = &kinds[0] else { panic!("{kinds:?}") };
    assert_eq!((test.interval.as_secs(), test.retries, test.timeout.as_secs()), (90, 2, 0));
    assert_eq!(kinds[1], InstructionKind::Healthcheck(Healthcheck::None));
}

#[test]
fn triggers_keep_their_text_and_can_be_read_again() {
    let kinds = instructions("ONBUILD RUN <<EOF\na\nEOF\n");
    let InstructionKind::Onbuild(onbuild) = &kinds[0] else { panic!("{kinds:?}") };
    assert_eq!(onbuild.trigger, "RUN <<EOF\na\nEOF");
    let again = parse_onbuild_trigger(&onbuild.trigger).expect("is an instruction");
    let InstructionKind::Run(run) = again.kind else { panic!("{again:?}") };
    assert_eq!(run.body(), RunBody::Shell("a\n".into()));
    assert!(parse_onbuild_trigger("FROM x").is_err());
    assert!(parse_onbuild_trigger("RUN a\nRUN b").is_err());
    assert!(parse_onbuild_trigger("").is_err());
}

#[test]
fn every_error_is_reported_where_it_stands() {
    let text = "FROM scratch\nRNU a\nCOPY --chwon=1 a b\nENV X\nUSER a\nRUN --network=hots a\n";
    let said = [
        ("RNU", "unknown instruction RNU; did you mean RUN?"),
        ("--chwon=1", "COPY has no flag --chwon; did you mean --chown?"),
        ("X", "ENV X has no value; write ENV X=VALUE"),
        ("hots", "--network cannot be \"hots\"; did you mean host?"),
    ];
    assert_eq!(errors(text), said.map(|(place, said)| (place.to_owned(), said.to_owned())));
}

#[test]
fn errors_do_not_hide_behind_each_other() {
    assert_eq!(errors("RUN a\nRUN b\n").len(), 1);
    assert_eq!(errors("FROM a b\nRUN a\n").len(), 1);
    assert_eq!(errors("FROM a\nRUN <<EOF\nFROM b\n").len(), 1);
    assert_eq!(errors("")[0].1, "the Dockerfile has no instructions");
    assert_eq!(errors("ARG a\n").len(), 1);
}

#[test]
fn bytes_that_are_no_text_are_reported() {
    let source = crate::Source::from_bytes("Dockerfile", b"# caf\xe9\nFROM a\nRUN echo caf\xe9\n");
    let parsed = parse(source.text());
    assert!(parsed.dockerfile.is_some());
    let said = parsed.diagnostics.first().expect("has a warning");
    assert_eq!(source.position(said.span.start).line, 3);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC*") {
        parse(&text);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        parse(&String::from_utf8_lossy(&bytes));
    }
}
