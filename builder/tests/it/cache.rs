//! What is run again, and what is not.

use tug_builder::CacheUse;

use crate::world::World;

const THREE: &str = "FROM scratch\nCOPY a /a\nRUN put /b 1\nENV X=1\nWORKDIR /w\n";

#[test]
fn nothing_changed_runs_nothing_and_gives_the_same_digest() {
    let world = World::new();
    world.write("a", "one");
    let first = world.build(THREE);
    assert_eq!(first.ran, ["put /b 1"]);
    let second = world.build(THREE);
    assert_eq!(second.image().descriptor, first.image().descriptor);
    assert!(second.ran.is_empty());
    assert_eq!(second.cached(), ["[2/4] COPY a /a", "[3/4] RUN put /b 1", "[4/4] WORKDIR /w"]);
}

#[test]
fn a_changed_file_ends_the_cache_where_it_is_copied() {
    let world = World::new();
    world.write("a", "one");
    let dockerfile = "FROM scratch\nRUN put /b 1\nCOPY a /a\nRUN put /c 2\n";
    world.build(dockerfile).image();
    world.write("unused", "new");
    assert!(world.build(dockerfile).ran.is_empty(), "a file that no step takes changes nothing");
    world.write("a", "two");
    let third = world.build(dockerfile);
    assert_eq!(third.ran, ["put /c 2"]);
    assert_eq!(third.cached(), ["[2/4] RUN put /b 1"]);
    assert!(world.tree(third.image()).contains("a 644 0:0 \"two\""));
    world.write("a", "one");
    assert!(world.build(dockerfile).ran.is_empty(), "what was there before is found again");
}

#[test]
fn times_are_no_content() {
    let world = World::new();
    world.write("a", "one");
    let first = world.build(THREE);
    world.write("a", "one");
    let second = world.build(THREE);
    assert!(second.ran.is_empty());
    assert_eq!(second.image().id(), first.image().id());
}

#[test]
fn equal_content_of_another_stage_is_a_hit() {
    let world = World::new();
    let dockerfile = |word: &str| {
        format!(
            "FROM scratch AS make\nRUN put /out same\nRUN put /{word} x\nFROM scratch\nCOPY --from=make /out /\nRUN count\n"
        )
    };
    let first = world.build(&dockerfile("one"));
    assert_eq!(first.ran.len(), 3);
    let second = world.build(&dockerfile("two"));
    assert_eq!(second.ran, ["put /two x"]);
    assert_eq!(second.image().id(), first.image().id());
}

#[test]
fn without_cache_everything_runs_and_the_new_results_stay() {
    let world = World::new();
    let dockerfile = "FROM scratch AS one\nRUN count\nFROM scratch AS two\nRUN put /x 1\nFROM scratch\nCOPY --from=one /count /\nCOPY --from=two /x /\n";
    let first = world.build(dockerfile);
    let mut request = world.request(dockerfile);
    request.cache = CacheUse::Nothing;
    let second = world.build_request(&request);
    assert_eq!(second.ran.len(), 2);
    assert_ne!(world.tree(second.image()), world.tree(first.image()));
    let third = world.build(dockerfile);
    assert!(third.ran.is_empty());
    assert_eq!(world.tree(third.image()), world.tree(second.image()));

    request.cache = CacheUse::AllBut(vec!["one".into()]);
    let fourth = world.build_request(&request);
    assert_eq!(fourth.ran, ["count"]);
    assert_ne!(world.tree(fourth.image()), world.tree(third.image()));
}

#[test]
fn an_epoch_makes_two_stores_agree() {
    let image = |epoch: i64| {
        let world = World::new();
        world.write("a/f", "one");
        let mut request = world.request("FROM scratch\nCOPY a /d/\nRUN put /b 1\nWORKDIR /w\nCMD [\"x\"]\n");
        request.source_date_epoch = Some(epoch);
        let outcome = world.build_request(&request);
        let image = outcome.image();
        assert!(image.config.history.iter().all(|entry| entry.created == image.config.created));
        image.descriptor.digest.clone()
    };
    assert_eq!(image(1_000), image(1_000));
    assert_ne!(image(1_000), image(2_000));
}

#[test]
fn a_step_that_changes_nothing_makes_no_layer() {
    let world = World::new();
    let outcome = world.build("FROM scratch\nRUN put /w/f 1\nRUN true\nWORKDIR /w\nWORKDIR /v\n");
    let config = &outcome.image().config;
    assert_eq!(config.rootfs.diff_ids.len(), 2);
    let empty: Vec<bool> = config.history.iter().map(|entry| entry.empty_layer).collect();
    assert_eq!(empty, [false, true, true, false]);
}

#[test]
fn mounts_count_by_their_content() {
    let world = World::new();
    world.write("in/f", "1");
    world.write("other", "1");
    let dockerfile = "FROM scratch\nRUN --mount=target=/m,source=in show /m f\n";
    let first = world.build(dockerfile);
    assert!(world.tree(first.image()).contains("shown 644 0:0 \"1\""));
    world.write("other", "2");
    assert!(world.build(dockerfile).ran.is_empty());
    world.write("in/f", "2");
    let third = world.build(dockerfile);
    assert!(world.tree(third.image()).contains("shown 644 0:0 \"2\""));
}

#[test]
fn a_cache_mount_is_found_again_and_stays_out_of_the_image() {
    let world = World::new();
    let outcome = world.build(
        "FROM scratch\nRUN --mount=type=cache,target=/c keep /c f kept\nRUN --mount=type=cache,target=/d,id=/c show /d f\nRUN --mount=type=cache,target=/e show /e f\n",
    );
    let tree = world.tree(outcome.image());
    assert_eq!(tree, "shown 644 0:0 \"nothing\"\n");
    assert_eq!(outcome.ran.len(), 3);
}
