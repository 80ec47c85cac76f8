//! Lowering: a Dockerfile in, the graph and the history as text out.

use std::collections::BTreeMap;
use std::sync::Arc;

use tug_dockerfile::Dockerfile;
use tug_oci::{
    ContainerConfig, Descriptor, DiffId, Digest, ImageConfig, Manifest, MediaType, Platform, RootFs,
};
use tug_store::image::Image;

use crate::lower::{Images, Input, LowerError, Lowered, Plan, lower};
use crate::request::{BuildRequest, CacheUse, DockerfileSource, NamedContext};

fn request(text: &str) -> BuildRequest {
    let dockerfile =
        DockerfileSource { name: "Dockerfile".into(), bytes: text.as_bytes().to_vec(), ignore: None };
    let mut request = BuildRequest::new("/nowhere", dockerfile);
    request.platform = Some(Platform::new("linux", "amd64"));
    request
}

fn parse(text: &str) -> Dockerfile {
    let parsed = tug_dockerfile::parse(text);
    assert!(!parsed.diagnostics.iter().any(|found| found.is_error()), "{:?}", parsed.diagnostics);
    parsed.dockerfile.unwrap()
}

/// An image of one layer, named by its content.
fn image(name: &str, config: ContainerConfig) -> Image {
    let config = ImageConfig {
        created: None,
        author: None,
        platform: Platform::new("linux", "amd64"),
        config: Some(config),
        rootfs: RootFs::of(vec![DiffId(Digest::of(name.as_bytes()))]),
        history: Vec::new(),
    };
    let descriptor = Descriptor::of(MediaType::from("application/json"), name.as_bytes());
    let manifest = Manifest::image(descriptor.clone(), Vec::new());
    Image { descriptor, manifest, config }
}

/// Lowers, giving an image for every name asked for; those in `configs` have that config.
fn lowered(
    request: &BuildRequest,
    configs: &BTreeMap<&str, ContainerConfig>,
) -> Result<(Plan, Vec<String>), LowerError> {
    let text = String::from_utf8(request.dockerfile.bytes.clone()).unwrap();
    let dockerfile = parse(&text);
    let mut images = Images::new();
    let mut asked = Vec::new();
    loop {
        match lower(Input { dockerfile: &dockerfile, request, images: &images })? {
            Lowered::Plan(plan) => return Ok((*plan, asked)),
            Lowered::Needs(needs) => {
                for (needed, _) in needs {
                    let name = needed.reference.familiar();
                    let config = configs.get(name.as_str()).cloned().unwrap_or_default();
                    asked.push(format!("{name} for {}", needed.platform));
                    images.insert(needed, Arc::new(image(&name, config)));
                }
            }
        }
    }
}

#[track_caller]
fn check(text: &str, want: &str) {
    check_request(&request(text), want);
}

#[track_caller]
fn check_request(request: &BuildRequest, want: &str) {
    let (plan, _) = lowered(request, &BTreeMap::new()).unwrap();
    let got = plan.to_string();
    let trimmed = |text: &str| text.trim().lines().map(str::trim).collect::<Vec<_>>().join("\n");
    assert_eq!(trimmed(&got), trimmed(want));
}

#[track_caller]
fn refused(request: &BuildRequest) -> String {
    lowered(request, &BTreeMap::new()).unwrap_err().to_string()
}

#[test]
fn a_chain_of_steps() {
    check(
        "FROM busybox\nENV A=1\nWORKDIR /src\nCOPY . .\nRUN make $A\nCMD [\"sh\"]\n",
        r#"
        0 () image docker.io/library/busybox:latest
        1 (0) directory /src
        2 () context
        3 (1 2) copy . → /src/
        4 (3) exec ["/bin/sh", "-c", "make $A"] env=["A=1"] cwd=/src
        target 4
        meta ENV A=1
        step WORKDIR /src
        step COPY . /src/ # buildkit
        step RUN /bin/sh -c make $A # buildkit
        meta CMD ["sh"]
        "#,
    );
}

#[test]
fn only_what_the_target_needs_and_equal_steps_once() {
    let text = "FROM busybox AS base\nRUN a\nFROM broken AS unused\nRUN b\nFROM base AS x\nRUN c\nFROM base AS y\nRUN c\nFROM scratch\nCOPY --from=x /o /\nCOPY --from=3 /o /p\n";
    let (plan, asked) = lowered(&request(text), &BTreeMap::new()).unwrap();
    assert_eq!(asked, ["busybox:latest for linux/amd64"]);
    let graph: Vec<String> = plan.graph.iter().map(|(_, vertex)| vertex.op.to_string()).collect();
    assert_eq!(
        graph,
        [
            "image docker.io/library/busybox:latest",
            "exec [\"/bin/sh\", \"-c\", \"a\"]",
            "exec [\"/bin/sh\", \"-c\", \"c\"]",
            "scratch",
            "copy /o → /",
            "copy /o → /p",
        ]
    );
    let names: Vec<&str> = plan.steps.iter().filter_map(|step| step.name.as_deref()).collect();
    assert!(names[0].starts_with("[base 1/2] FROM docker.io/library/busybox:latest@sha256:"), "{names:?}");
    assert_eq!(
        names[1..],
        [
            "[base 2/2] RUN a",
            "[x 2/2] RUN c",
            "[stage-4 2/3] COPY --from=x /o /",
            "[stage-4 3/3] COPY --from=3 /o /p"
        ]
    );
}

#[test]
fn arguments_come_from_the_build_then_the_default_then_the_global_one() {
    let mut request = request(
        "ARG TAG=1\nARG G=global\nFROM busybox:$TAG\nARG G\nARG D=default\nARG B=b\nARG N\nENV E=$G-$D-$B-$N\nRUN x\n",
    );
    request.build_args = BTreeMap::from([("B".into(), "given".into()), ("http_proxy".into(), "p".into())]);
    let (plan, asked) = lowered(&request, &BTreeMap::new()).unwrap();
    assert_eq!(asked, ["busybox:1 for linux/amd64"]);
    let text = plan.to_string();
    assert!(
        text.contains(r#"env=["G=global", "D=default", "B=given", "E=global-default-given-"]"#),
        "{text}"
    );
    assert!(
        text.contains("step RUN |4 G=global D=default B=given N= /bin/sh -c x # buildkit"),
        "a proxy is in neither: {text}"
    );
}

#[test]
fn platform_arguments_need_a_declaration() {
    let text = "FROM --platform=$BUILDPLATFORM busybox\nARG TARGETARCH\nENV A=$TARGETARCH B=$TARGETOS\n";
    let mut arm = request(text);
    arm.platform = Some(Platform::new("linux", "arm64"));
    let (plan, asked) = lowered(&arm, &BTreeMap::new()).unwrap();
    assert_eq!(asked, [format!("busybox:latest for {}", Platform::host())]);
    let env = plan.config.config.unwrap().env;
    assert_eq!(env[1..], ["A=arm64", "B="]);
}

#[test]
fn triggers_of_the_base_run_first_and_may_need_more_images() {
    let triggers = ContainerConfig {
        on_build: vec!["COPY --from=tools /bin/t /t".into(), "RUN t".into()],
        ..ContainerConfig::default()
    };
    let configs = BTreeMap::from([("base:latest", triggers)]);
    let (plan, asked) = lowered(&request("FROM base\nRUN own\n"), &configs).unwrap();
    assert_eq!(asked, ["base:latest for linux/amd64", "tools:latest for linux/amd64"]);
    let text = plan.to_string();
    assert!(text.contains("3 (2) exec [\"/bin/sh\", \"-c\", \"t\"]\n4"), "{text}");
    assert_eq!(plan.config.config.unwrap().on_build, Vec::<String>::new());
    let names: Vec<_> = plan.steps.iter().filter_map(|step| step.name.clone()).collect();
    assert_eq!(names[1..], ["[2/4] COPY --from=tools /bin/t /t", "[3/4] RUN t", "[4/4] RUN own"]);
}

#[test]
fn a_trigger_may_need_a_stage_that_nothing_else_names() {
    let text = "FROM a AS src\nRUN x\nFROM b AS base\nONBUILD COPY --from=src /f /f\nFROM base\n";
    let (plan, _) = lowered(&request(text), &BTreeMap::new()).unwrap();
    assert!(plan.to_string().contains("copy /f → /f"));
}

#[test]
fn an_entry_point_forgets_an_inherited_command_only() {
    let base = ContainerConfig { cmd: Some(vec!["old".into()]), ..ContainerConfig::default() };
    let configs = BTreeMap::from([("base:latest", base)]);
    let cmd = |text: &str| {
        let (plan, _) = lowered(&request(text), &configs).unwrap();
        plan.config.config.unwrap().cmd
    };
    assert_eq!(cmd("FROM base\nENTRYPOINT [\"e\"]\n"), None);
    assert_eq!(cmd("FROM base\nCMD [\"c\"]\nENTRYPOINT [\"e\"]\n"), Some(vec!["c".to_owned()]));
    assert_eq!(cmd("FROM base\n"), Some(vec!["old".to_owned()]));
}

#[test]
fn metadata_reaches_the_config() {
    let text = "FROM scratch\nEXPOSE 80 8000-8001/udp\nVOLUME /a /b\nLABEL x=\"y z\" v=$V\nSTOPSIGNAL SIGINT\nUSER app:grp\nSHELL [\"/bin/ash\", \"-c\"]\nENTRYPOINT run it\nHEALTHCHECK --interval=5s CMD true\nMAINTAINER me\nWORKDIR rel\nWORKDIR ../up\n";
    let mut asked = request(text);
    asked.labels = BTreeMap::from([("cli".into(), "label".into())]);
    let (plan, _) = lowered(&asked, &BTreeMap::new()).unwrap();
    assert_eq!(plan.config.author.as_deref(), Some("me"));
    let config = plan.config.config.unwrap();
    assert_eq!(config.exposed_ports.keys().collect::<Vec<_>>(), ["80/tcp", "8000/udp", "8001/udp"]);
    assert_eq!(config.volumes.keys().collect::<Vec<_>>(), ["/a", "/b"]);
    let labels: Vec<_> = config.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(labels, ["cli=label", "v=", "x=y z"]);
    assert_eq!(config.stop_signal.as_deref(), Some("SIGINT"));
    assert_eq!(config.user, "app:grp");
    assert_eq!(config.entrypoint.unwrap(), ["/bin/ash", "-c", "run it"]);
    let check = config.healthcheck.unwrap();
    assert_eq!((check.test, check.interval), (vec!["CMD-SHELL".into(), "true".into()], 5_000_000_000));
    assert_eq!(config.working_dir, "/up");
    assert_eq!(config.env, ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]);
}

#[test]
fn mounts_are_inputs_of_their_own() {
    check(
        "FROM busybox AS a\nFROM busybox\nRUN --mount=target=/ctx --mount=type=bind,from=a,source=etc,target=/e --mount=type=cache,target=/c --mount=type=tmpfs,target=/t true\n",
        r#"
        0 () image docker.io/library/busybox:latest
        1 () context
        2 () scratch
        3 (2 1) copy / → / parents
        4 (2 0) copy /etc → / parents
        5 (0 3 4) exec ["/bin/sh", "-c", "true"] mount=/ctx:input 1/ mount=/e:input 2/etc mount=/c:cache /c mount=/t:tmpfs
        target 5
        step RUN /bin/sh -c true # buildkit
        "#,
    );
}

#[test]
fn heredocs_are_files_or_commands() {
    check(
        "FROM busybox\nARG who=you\nCOPY <<A <<'B' /d/\nhi $who\nA\nhi $who\nB\nRUN <<E\na\nb\nE\n",
        r#"
        0 () image docker.io/library/busybox:latest
        1 (0) copy <<A "hi you\n" <<B "hi $who\n" → /d/
        2 (1) exec ["/bin/sh", "-c", "a\nb\n"] env=["who=you"]
        target 2
        meta ARG who=you
        step COPY <<A <<B /d/ # buildkit
        step RUN |1 who=you /bin/sh -c a
        b
        # buildkit
        "#,
    );
}

#[test]
fn named_contexts_take_the_place_of_images_and_stages() {
    let mut with = request("FROM busybox AS base\nFROM base\nCOPY --from=extra f /\n");
    with.contexts = BTreeMap::from([
        ("base".into(), NamedContext::Image("other".parse().unwrap())),
        ("extra".into(), NamedContext::Directory("/extra".into())),
    ]);
    check_request(
        &with,
        "
        0 () image docker.io/library/other:latest
        1 () context extra
        2 (0 1) copy f → /
        target 2
        step COPY f / # buildkit
        ",
    );
}

#[test]
fn what_cannot_be_is_refused_with_its_reason() {
    let check = |text: &str, want: &str| {
        let got = refused(&request(text));
        assert!(got.contains(want), "{got}");
    };
    check("FROM UPPER:case\n", "neither a stage");
    check("FROM a AS x\nCOPY --from=y / /\nFROM b AS y\nFROM x\n", "must be defined before");
    check("FROM a\nCOPY --from=3 / /\n", "there is no stage 3");
    check("ARG X\nFROM $X\n", "empty once its variables");
    check("FROM a\nCOPY --from=$X / /\n", "variables are not expanded");
    check("FROM a\nCOPY --chmod=99 a /\n", "--chmod");
    check("FROM a\nEXPOSE 99999\n", "is no port");
    check("FROM a\nADD https://example.test/x /\n", "not supported yet");
    check("FROM a\nRUN --mount=type=bind,target=/ x\n", "needs a target below /");
    check("ARG SOURCE_DATE_EPOCH=soon\nFROM a\n", "seconds since 1970");
    check("FROM a\nUSER $NOBODY\n", "USER needs a value");

    let mut near = request("FROM a AS build\n");
    near.target = Some("bulid".into());
    assert_eq!(refused(&near), "target stage \"bulid\" not found; did you mean \"build\"?");
}

#[test]
fn a_stage_can_be_kept_from_the_cache() {
    let text = "FROM a AS x\nRUN 1\nFROM a AS y\nRUN 1\nFROM scratch\nCOPY --from=x / /\nCOPY --from=y / /\n";
    let mut filtered = request(text);
    filtered.cache = CacheUse::AllBut(vec!["y".into()]);
    let (plan, _) = lowered(&filtered, &BTreeMap::new()).unwrap();
    let runs = plan.graph.iter().filter(|(_, vertex)| vertex.op.to_string().starts_with("exec")).count();
    assert_eq!(runs, 2, "a step that must run anew is not the one that need not");
}

#[test]
fn many_stages_are_no_burden() {
    let mut text = String::from("FROM scratch AS s0\n");
    for number in 1..2000 {
        text.push_str(&format!("FROM s{} AS s{number}\n", number - 1));
    }
    let (plan, _) = lowered(&request(&text), &BTreeMap::new()).unwrap();
    assert_eq!(plan.graph.len(), 1);
}
