//! `tug pull`, `push`, `login`, `logout` with a real registry.

use tug_testkit::registry::{DockerRegistry, Guard, PASSWORD, USER};

use crate::sandbox::Sandbox;

#[test]
fn the_round_trip() {
    let registry = DockerRegistry::start(Guard::Plain).unwrap();
    let sandbox = Sandbox::with_base();
    let name = format!("{}/team/app:1", registry.authority());
    sandbox.file("app/Dockerfile", "FROM base\nRUN echo built > /built\nCMD [\"cat\", \"/built\"]\n");
    sandbox.tug(&["build", "-t", &name, "--push", "app"]).ok();
    let id = sandbox.id(&name);
    let pushed = sandbox.tug(&["push", &name]).ok();
    assert!(pushed.contains("Layer already exists"), "{pushed}");
    let digest = pushed.lines().last().unwrap().split_whitespace().nth(2).unwrap().to_owned();
    let source = format!("docker://{name}");
    let theirs = sandbox
        .program("skopeo", &["inspect", "--tls-verify=false", "--format", "{{.Digest}}", &source])
        .ok();
    assert_eq!(theirs.trim(), digest);

    let removed = sandbox.tug(&["rmi", &name]).ok();
    assert!(removed.ends_with(&format!("Deleted: {id}\n")), "{removed}");
    let pulled = sandbox.tug(&["pull", &name]).ok();
    assert!(pulled.starts_with("1: Pulling from team/app\n"), "{pulled}");
    let end = format!("Digest: {digest}\nStatus: Downloaded newer image for {name}\n{name}\n");
    assert!(pulled.ends_with(&end), "{pulled}");
    assert_eq!(sandbox.id(&name), id);
    assert_eq!(sandbox.tug(&["run", &name]).ok(), "built\n");
    assert!(sandbox.tug(&["pull", &name]).ok().contains("Image is up to date"));

    let fresh = Sandbox::new();
    let ran = fresh.tug(&["run", "--rm", &name]);
    assert_eq!((ran.stdout.as_str(), ran.code), ("built\n", Some(0)), "{}", ran.stderr);
    assert!(ran.stderr.starts_with(&format!("Unable to find image '{name}' locally\n")), "{}", ran.stderr);
    let repository = name.rsplit_once(':').unwrap().0;
    assert_eq!(
        fresh.tug(&["inspect", "-f", "{{index .RepoDigests 0}}", &name]).ok(),
        format!("{repository}@{digest}\n")
    );
    fresh.tug(&["pull", "-q", &format!("{repository}@{digest}")]).ok();
    fresh.assert_sound();
    sandbox.assert_sound();
}

#[test]
fn a_base_comes_from_the_registry() {
    let registry = DockerRegistry::start(Guard::Plain).unwrap();
    let sandbox = Sandbox::with_base();
    let name = format!("{}/base:1", registry.authority());
    sandbox.tug(&["tag", "base", &name]).ok();
    sandbox.tug(&["push", "-q", &name]).ok();
    let fresh = Sandbox::new();
    fresh.file("Dockerfile", &format!("FROM {name}\nRUN echo yes > /x\n"));
    fresh.tug(&["build", "-q", "-t", "built", "."]).ok();
    assert_eq!(fresh.tug(&["run", "built", "cat", "/x"]).ok(), "yes\n");
    drop(registry);
    fresh.tug(&["build", "-q", "--no-cache", "."]).ok();
}

#[test]
fn credentials() {
    let registry = DockerRegistry::start(Guard::TlsBasic).unwrap();
    let mut sandbox = Sandbox::with_base();
    let authority = registry.authority();
    let name = format!("{authority}/app:1");
    sandbox.tug(&["tag", "base", &name]).ok();
    let told = sandbox.tug(&["push", &name]).fails(1);
    assert!(told.contains("certificate"), "{told}");
    sandbox.set_env("TUG_INSECURE_REGISTRIES", &authority);
    let told = sandbox.tug(&["push", &name]).fails(1);
    assert!(told.contains(&format!("tug login {authority}")), "{told}");
    let told = sandbox.tug_reads("wrong\n", &["login", "-u", USER, "--password-stdin", &authority]).fails(1);
    assert!(told.contains("cannot log in"), "{told}");
    let password = format!("{PASSWORD}\n");
    let outcome = sandbox.tug_reads(&password, &["login", "-u", USER, "--password-stdin", &authority]);
    assert!(!outcome.stderr.contains(PASSWORD));
    assert_eq!(outcome.ok(), "Login Succeeded\n");
    sandbox.tug(&["push", "-q", &name]).ok();
    assert!(sandbox.text("home/.docker/config.json").contains(&authority));
    assert_eq!(
        sandbox.tug(&["logout", &authority]).ok(),
        format!("Removing login credentials for {authority}\n")
    );
    sandbox.tug(&["pull", &name]).fails(1);
}

#[test]
fn what_is_not_there() {
    let registry = DockerRegistry::start(Guard::Plain).unwrap();
    let sandbox = Sandbox::with_base();
    let name = format!("{}/missing:1", registry.authority());
    let told = sandbox.tug(&["pull", &name]).fails(1);
    assert!(told.starts_with(&format!("Error: cannot pull {name}: ")), "{told}");
    let told = sandbox.tug(&["push", &name]).fails(1);
    assert!(told.contains("no such image") && told.contains("tug tag"), "{told}");
    sandbox.tug(&["run", &name]).fails(125);
    sandbox.assert_sound();
}
