//! `tug prune`, `df`, `fsck`, `version`.

use crate::sandbox::Sandbox;

#[test]
fn prune_asks_and_removes() {
    let sandbox = Sandbox::with_base();
    sandbox.file("a/Dockerfile", "FROM base\nRUN echo a > /a\n");
    let id = sandbox.tug(&["build", "-q", "a"]).ok();
    let told = sandbox.tug(&["prune"]).fails(1);
    assert!(told.contains("nobody answered"), "{told}");
    let refused = sandbox.tug_reads("n\n", &["prune"]).ok();
    assert!(refused.contains("Are you sure"), "{refused}");
    sandbox.tug(&["inspect", id.trim()]).ok();
    let pruned = sandbox.tug(&["prune", "-f"]).ok();
    assert!(
        pruned.starts_with("Deleted Images:\n") && pruned.contains("Total reclaimed space: "),
        "{pruned}"
    );
    sandbox.tug(&["inspect", id.trim()]).fails(1);
    assert_eq!(sandbox.tug(&["run", "base", "echo", "still"]).ok(), "still\n");
    sandbox.tug(&["system", "prune", "-af"]).ok();
    assert_eq!(sandbox.tug(&["images", "-aq"]).ok(), "");
    sandbox.assert_sound();
}

#[test]
fn df_adds_up() {
    let sandbox = Sandbox::with_base();
    let table = sandbox.tug(&["df"]).ok();
    assert!(
        table.starts_with(
            "TYPE          TOTAL     ACTIVE    SIZE      RECLAIMABLE\nImages        1         1 "
        ),
        "{table}"
    );
    assert_eq!(sandbox.tug(&["system", "df", "--format", "{{.Type}}"]).ok().lines().next(), Some("Images"));
}

#[test]
fn fsck_finds_what_is_damaged() {
    let sandbox = Sandbox::with_base();
    let checked = sandbox.tug(&["fsck"]).ok();
    assert!(checked.trim_end().ends_with(": sound"), "{checked}");
    let layers = sandbox.program("find", &["store/layers", "-path", "*bin/busybox", "-type", "f"]).ok();
    let busybox = layers.lines().next().expect("a layer holds busybox");
    std::fs::write(sandbox.path(busybox), "not busybox").unwrap();
    let ended = sandbox.tug(&["fsck"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("problem"), "{}", ended.stdout);
}

#[test]
fn version_has_fields() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.tug(&["version", "-f", "{{.Client.Os}}"]).ok(), "linux\n");
    assert!(sandbox.tug(&["version"]).ok().contains(env!("CARGO_PKG_VERSION")));
}
