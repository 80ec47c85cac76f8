//! `tug images`, `tag`, `rmi`, `inspect`, `history`.

use serde_json::Value;

use crate::sandbox::Sandbox;

#[test]
fn images_are_listed_by_their_names() {
    let sandbox = Sandbox::with_base();
    assert_eq!(Sandbox::new().tug(&["images"]).ok(), "REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n");
    sandbox.tug(&["tag", "base", "registry.example.com/team/app:1"]).ok();
    let id = sandbox.id("base");
    let short = &id["sha256:".len()..][..12];
    let listed = sandbox.tug(&["images"]).ok();
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 3, "{listed}");
    assert!(
        lines[0].starts_with("REPOSITORY                      TAG       IMAGE ID       CREATED"),
        "{listed}"
    );
    assert!(lines[1].starts_with(&format!("base                            latest    {short}")), "{listed}");
    assert!(lines[2].starts_with(&format!("registry.example.com/team/app   1         {short}")), "{listed}");
    assert_eq!(sandbox.tug(&["images", "-q"]).ok(), format!("{short}\n"));
    assert_eq!(sandbox.tug(&["images", "-q", "--no-trunc", "base"]).ok(), format!("{id}\n"));
    assert_eq!(sandbox.tug(&["images", "-q", "other"]).ok(), "");
    let format =
        ["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=registry.*/*/*"];
    assert_eq!(sandbox.tug(&format).ok(), "registry.example.com/team/app:1\n");
    let row: Value =
        serde_json::from_str(&sandbox.tug(&["images", "--format", "json", "base"]).ok()).unwrap();
    assert_eq!((row["ID"].as_str(), row["Tag"].as_str()), (Some(short), Some("latest")));
}

#[test]
fn names_go_one_by_one_and_the_image_with_the_last() {
    let sandbox = Sandbox::with_base();
    sandbox.tug(&["tag", "base", "other:1"]).ok();
    let id = sandbox.id("base");
    assert_eq!(sandbox.tug(&["rmi", "other:1"]).ok(), "Untagged: other:1\n");
    assert_eq!(sandbox.tug(&["rmi", "base"]).ok(), format!("Untagged: base:latest\nDeleted: {id}\n"));
    assert_eq!(sandbox.tug(&["images", "-aq"]).ok(), "");
    sandbox.assert_sound();
}

#[test]
fn by_id_only_with_force_when_there_are_several() {
    let sandbox = Sandbox::with_base();
    sandbox.tug(&["tag", "base", "other:1"]).ok();
    let id = sandbox.id("base");
    let short = &id["sha256:".len()..][..12];
    let told = sandbox.tug(&["rmi", short]).fails(1);
    assert!(told.contains("base:latest, other:1"), "{told}");
    let removed = sandbox.tug(&["rmi", "-f", short]).ok();
    assert_eq!(removed, format!("Untagged: base:latest\nUntagged: other:1\nDeleted: {id}\n"));
}

#[test]
fn one_that_is_missing_does_not_keep_the_others() {
    let sandbox = Sandbox::with_base();
    sandbox.tug(&["tag", "base", "other"]).ok();
    let ended = sandbox.tug(&["rmi", "missing", "other"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), "Untagged: other:latest\n"));
    assert!(ended.stderr.starts_with("Error: no such image: missing\n"), "{}", ended.stderr);
    sandbox.tug(&["rmi", "-f", "missing"]).ok();
    let ended = sandbox.tug(&["inspect", "missing", "base"]);
    assert_eq!(ended.code, Some(1));
    assert_eq!(serde_json::from_str::<Value>(&ended.stdout).unwrap().as_array().map(Vec::len), Some(1));
}

#[test]
fn inspect_shows_what_docker_shows() {
    let sandbox = Sandbox::with_base();
    let shown: Value = serde_json::from_str(&sandbox.tug(&["image", "inspect", "base"]).ok()).unwrap();
    let image = &shown[0];
    assert_eq!(image["RepoTags"], serde_json::json!(["base:latest"]));
    assert_eq!(image["Config"]["Cmd"], serde_json::json!(["sh"]));
    assert_eq!(image["RootFS"]["Layers"].as_array().map(Vec::len), Some(3));
    assert!(image["Size"].as_u64().unwrap() > 100_000);
    let short = &image["Id"].as_str().unwrap()["sha256:".len()..][..12];
    assert_eq!(
        sandbox.tug(&["inspect", "-f", "{{index .RepoTags 0}} {{.Config.Cmd}}", short]).ok(),
        "base:latest [sh]\n"
    );
    let told = sandbox.tug(&["inspect", "-f", "{{.Nothing}}", "base"]).fails(1);
    assert!(told.contains("no field \"Nothing\""), "{told}");
}

#[test]
fn history_is_the_dockerfile_backwards() {
    let sandbox = Sandbox::with_base();
    let format = ["history", "--no-trunc", "--format", "{{.CreatedBy}}", "base"];
    let lines = sandbox.tug(&format).ok();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[0].contains("CMD") && lines[3].contains("COPY"), "{lines:?}");
    let table = sandbox.tug(&["history", "base"]).ok();
    assert!(table.starts_with("IMAGE          CREATED"), "{table}");
    assert!(table.contains("<missing>") && table.contains('…'), "{table}");
}
