//! What `COPY` and `ADD` put where.

use std::os::unix::fs::symlink;

use crate::world::World;

#[track_caller]
fn check(world: &World, dockerfile: &str, want: &str) {
    let outcome = world.build(dockerfile);
    let trimmed = |text: &str| text.trim().lines().map(str::trim).collect::<Vec<_>>().join("\n");
    assert_eq!(trimmed(&world.tree(outcome.image())), trimmed(want), "{dockerfile}");
}

fn world() -> World {
    let world = World::new();
    world.write("f", "f");
    world.write("d/x", "x");
    world.write("d/sub/y", "y");
    world.write("d/z.md", "z");
    symlink("f", world.context().join("link")).unwrap();
    symlink("../f", world.context().join("d/inner")).unwrap();
    world
}

#[test]
fn a_file_becomes_the_destination_or_goes_into_it() {
    let world = world();
    check(&world, "FROM scratch\nCOPY f g\n", "g 644 0:0 \"f\"");
    check(&world, "FROM scratch\nCOPY f g/\n", "g/ 755 0:0\ng/f 644 0:0 \"f\"");
    check(&world, "FROM scratch\nCOPY f /a/b/c\n", "a/ 755 0:0\na/b/ 755 0:0\na/b/c 644 0:0 \"f\"");
    check(
        &world,
        "FROM scratch\nCOPY f d/x /two/\n",
        "two/ 755 0:0\ntwo/f 644 0:0 \"f\"\ntwo/x 644 0:0 \"x\"",
    );
    check(&world, "FROM scratch\nWORKDIR /w\nCOPY f .\n", "w/ 755 0:0\nw/f 644 0:0 \"f\"");
}

#[test]
fn a_directory_gives_its_contents_and_keeps_links() {
    let world = world();
    check(
        &world,
        "FROM scratch\nCOPY d /to\n",
        "to/ 755 0:0\nto/inner -> ../f\nto/sub/ 755 0:0\nto/sub/y 644 0:0 \"y\"\nto/x 644 0:0 \"x\"\nto/z.md 644 0:0 \"z\"",
    );
    check(&world, "FROM scratch\nCOPY link /\n", "link 644 0:0 \"f\"");
}

#[test]
fn wildcards_parents_and_exclusions() {
    let world = world();
    check(&world, "FROM scratch\nCOPY d/*.md nothing* /\n", "z.md 644 0:0 \"z\"");
    check(
        &world,
        "FROM scratch\nCOPY --parents d/sub/y d/./x /o/\n",
        "o/ 755 0:0\no/d/ 755 0:0\no/d/sub/ 755 0:0\no/d/sub/y 644 0:0 \"y\"\no/x 644 0:0 \"x\"",
    );
    check(&world, "FROM scratch\nCOPY --exclude=*.md --exclude=sub --exclude=inner d /\n", "x 644 0:0 \"x\"");
}

#[test]
fn owners_and_modes() {
    let world = world();
    world.write("passwd", "app:x:7:8::/:/bin/sh\n");
    world.write("group", "grp:x:9:\n");
    let start = "FROM scratch\nCOPY passwd group /etc/\n";
    let etc =
        "etc/ 755 0:0\netc/group 644 0:0 \"grp:x:9:\\n\"\netc/passwd 644 0:0 \"app:x:7:8::/:/bin/sh\\n\"\n";
    check(
        &world,
        &format!("{start}COPY --chown=app f /n/\n"),
        &format!("{etc}n/ 755 7:8\nn/f 644 7:8 \"f\""),
    );
    check(&world, &format!("{start}COPY --chown=5:grp f /\n"), &format!("{etc}f 644 5:9 \"f\""));
    check(&world, "FROM scratch\nCOPY --chmod=700 f /n/\n", "n/ 700 0:0\nn/f 700 0:0 \"f\"");
    check(&world, &format!("{start}USER app\nWORKDIR /h\n"), &format!("{etc}h/ 755 7:8"));
}

#[test]
fn what_is_below_stays_what_it_was() {
    let world = world();
    world.base("base", "FROM scratch\nCOPY --chown=3:4 --chmod=750 f /deep/er/one\n");
    check(
        &world,
        "FROM base\nCOPY d/x /deep/er/two\n",
        "deep/ 750 3:4\ndeep/er/ 750 3:4\ndeep/er/one 750 3:4 \"f\"\ndeep/er/two 644 0:0 \"x\"",
    );
    check(
        &world,
        "FROM base\nCOPY --link d/x /deep/two\n",
        "deep/ 755 0:0\ndeep/er/ 750 3:4\ndeep/er/one 750 3:4 \"f\"\ndeep/two 644 0:0 \"x\"",
    );
}

#[test]
fn links_in_the_destination_are_followed_inside_the_image() {
    let world = world();
    let hold = world.context().join("links");
    std::fs::create_dir(&hold).unwrap();
    symlink("/real/place", hold.join("abs")).unwrap();
    symlink("../../../../real", hold.join("up")).unwrap();
    check(
        &world,
        "FROM scratch\nCOPY links /\nCOPY f /abs/\nCOPY f /up/g\n",
        "abs -> /real/place\nreal/ 755 0:0\nreal/g 644 0:0 \"f\"\nreal/place/ 755 0:0\nreal/place/f 644 0:0 \"f\"\nup -> ../../../../real",
    );
}

#[test]
fn the_ignore_file_hides_and_brings_back() {
    let world = world();
    world.write(".dockerignore", "d\n!d/sub\nlink\n.dockerignore\n");
    check(
        &world,
        "FROM scratch\nCOPY . /\n",
        "d/ 755 0:0\nd/sub/ 755 0:0\nd/sub/y 644 0:0 \"y\"\nf 644 0:0 \"f\"",
    );
    let error = world.build("FROM scratch\nCOPY d/x /\n").error();
    assert!(error.contains("\"d/x\" not found"), "{error}");

    let mut request = world.request("FROM scratch\nCOPY . /\n");
    request.dockerfile.ignore = Some(b"*\n!f\n".to_vec());
    let outcome = world.build_request(&request);
    assert_eq!(world.tree(outcome.image()), "f 644 0:0 \"f\"\n");
}

#[test]
fn paths_do_not_leave_the_context() {
    let world = world();
    std::fs::write(world.context().join("../secret"), "no").unwrap();
    symlink("../../secret", world.context().join("out")).unwrap();
    symlink("/etc", world.context().join("host")).unwrap();
    for source in ["../secret", "out", "host/passwd"] {
        let error = world.build(&format!("FROM scratch\nCOPY {source} /x\n")).error();
        assert!(error.contains("not found"), "{source}: {error}");
    }
}

#[test]
fn archives_are_unpacked_by_add_only() {
    let world = world();
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(2);
    header.set_mode(0o640);
    header.set_uid(5);
    header.set_gid(6);
    archive.append_data(&mut header.clone(), "in/side", &b"hi"[..]).unwrap();
    let mut link = tar::Header::new_ustar();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    archive.append_link(&mut link, "in/up", "../../../..").unwrap();
    let through = b"in/up/etc/evil";
    header.as_old_mut().name[..through.len()].copy_from_slice(through);
    header.set_cksum();
    archive.append(&header, &b"hi"[..]).unwrap();
    let bytes = archive.into_inner().unwrap();
    std::fs::write(world.context().join("a.tar"), &bytes).unwrap();
    let packed = zstd::encode_all(&bytes[..], 1).unwrap();
    std::fs::write(world.context().join("a.tar.zst"), packed).unwrap();
    let want = "etc/ 755 0:0\netc/evil 640 5:6 \"hi\"\no/ 755 0:0\no/in/ 755 0:0\no/in/side 640 5:6 \"hi\"\no/in/up -> ../../../..";
    check(&world, "FROM scratch\nADD a.tar /o\n", want);
    check(&world, "FROM scratch\nADD a.tar.zst /o/\n", want);
    check(&world, "FROM scratch\nADD f /o/\n", "o/ 755 0:0\no/f 644 0:0 \"f\"");
    let copied = world.build("FROM scratch\nCOPY a.tar.zst /\n");
    assert!(copied.image().config.rootfs.diff_ids.len() == 1);
}

#[test]
fn a_file_does_not_take_the_place_of_a_directory() {
    let world = world();
    let error = world
        .build("FROM scratch\nCOPY d /x\nCOPY --link=false d/sub/y /x/sub\nCOPY f /y/z/\nCOPY d/sub /y/z/f\n")
        .error();
    assert!(error.contains("it is no directory"), "{error}");
}

#[test]
fn a_large_context_is_listed_whole_and_without_what_is_ignored() {
    let world = World::new();
    for directory in 0..30 {
        for file in 0..50 {
            world.write(&format!("d{directory}/sub/f{file}"), "x");
        }
        world.write(&format!("d{directory}/skip/g"), "x");
        world.write(&format!("d{directory}/skip/deep/back"), "x");
    }
    world.write(".dockerignore", ".dockerignore\n*/skip\n!*/skip/deep/back\n");
    let outcome = world.build("FROM scratch\nCOPY . /\n");
    let tree = world.tree(outcome.image());
    let count = |text: &str| tree.lines().filter(|line| line.contains(text)).count();
    assert_eq!((count("/f"), count("/g "), count("/back ")), (1500, 0, 30));
    assert!(tree.contains("d29/skip/deep/ 755"), "directories above what came back are there");
    assert!(
        world.build("FROM scratch\nCOPY . /\nRUN true\n").cached().contains(&"[2/3] COPY . /".to_owned())
    );
}
