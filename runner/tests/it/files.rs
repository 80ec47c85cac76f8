//! The files that a container sees, and what is left of it in the upper directory.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use tug_runner::default::Builder;
use tug_runner::{Bundle, Rootfs};

use crate::container::{Image, run, sh};

#[test]
fn running_changes_nothing_but_what_the_program_changes() {
    let Some(image) = Image::new() else { return };
    assert_eq!(image.run(Builder::new(["true"])).code(), 0);
    assert!(image.changes().is_empty(), "{:?}", image.changes());
    assert_eq!(image.sh("echo x >/etc/new; mkdir /srv; rm /bin/wc").code(), 0);
    assert_eq!(image.changes(), ["bin", "bin/wc", "etc", "etc/new", "srv"]);
}

#[test]
fn given_files_do_not_stay_in_the_image() {
    let Some(image) = Image::new() else { return };
    let file = image.outside("resolv.conf");
    fs::write(&file, "nameserver 192.0.2.1\n").unwrap();
    let script = "cat /etc/resolv.conf; echo x >/etc/mine; echo y >/data/deep/own";
    let builder = sh(script)
        .bind(&file, Path::new("/etc/resolv.conf"), &["ro"])
        .tmpfs(Path::new("/data/deep"), &["mode=755"]);
    assert_eq!(image.run(builder).text(), "nameserver 192.0.2.1");
    assert_eq!(image.changes(), ["etc", "etc/mine"]);
}

#[test]
fn what_a_mount_needs_under_a_deleted_directory_is_removed_again() {
    let Some(image) = Image::new() else { return };
    fs::create_dir_all(image.path("opt/old")).unwrap();
    assert_eq!(image.sh("rm -r /opt; mkdir /opt").code(), 0);
    assert_eq!(image.changes(), ["opt"]);
    let file = image.outside("file");
    fs::write(&file, "bound").unwrap();
    let builder = sh("cat /opt/sub/file; touch /opt/mine").bind(&file, Path::new("/opt/sub/file"), &[]);
    assert_eq!(image.run(builder).text(), "bound");
    assert_eq!(image.changes(), ["opt", "opt/mine"]);
}

#[test]
fn a_link_to_nowhere_is_a_mount_target() {
    let Some(image) = Image::new() else { return };
    fs::create_dir(image.path("run")).unwrap();
    symlink("../run/resolve/stub.conf", image.path("etc/resolv.conf")).unwrap();
    let file = image.outside("resolv.conf");
    fs::write(&file, "bound").unwrap();
    let builder = sh("cat /etc/resolv.conf").bind(&file, Path::new("/etc/resolv.conf"), &["ro"]);
    assert_eq!(image.run(builder).text(), "bound");
    assert!(image.changes().is_empty(), "{:?}", image.changes());
}

#[test]
fn read_only_volumes_cannot_be_written() {
    let Some(image) = Image::new() else { return };
    let volume = image.outside("volume");
    fs::create_dir(&volume).unwrap();
    let script = "echo x >/rw/one; echo x >/ro/two";
    let output =
        image.run(sh(script).bind(&volume, Path::new("/rw"), &[]).bind(&volume, Path::new("/ro"), &["ro"]));
    assert!(output.stderr.contains("Read-only file system"), "{output:?}");
    assert_eq!(fs::read_to_string(volume.join("one")).unwrap(), "x\n");
    assert!(!volume.join("two").exists());
}

#[test]
fn the_kernels_files_are_protected() {
    let Some(image) = Image::new() else { return };
    let script = "for file in /proc/keys /proc/timer_list /proc/kcore; do \
                    test -e $file && cat $file; done; ls /sys/firmware; \
                  echo x 2>/dev/null >/proc/sys/kernel/domainname && echo sys is writable; \
                  mkdir /sys/x 2>/dev/null && echo sysfs is writable; \
                  chmod 600 /proc/keys 2>/dev/null && echo null is the hosts; true";
    assert_eq!(image.sh(script).text(), "");
    assert_eq!(fs::metadata("/dev/null").unwrap().mode() & 0o777, 0o666);
}

#[test]
fn devices_work_and_are_the_usual_ones() {
    let Some(image) = Image::new() else { return };
    let output = image.sh("echo lost >/dev/null; ls /dev; stat -c %t:%T /dev/zero; ls /dev/pts");
    assert_eq!(
        output.text().lines().collect::<Vec<_>>().join(" "),
        "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero 1:5 ptmx"
    );
}

#[test]
fn a_directory_can_be_the_root() {
    let Some(image) = Image::new() else { return };
    let bundle =
        Bundle { rootfs: Rootfs::Dir(image.path("")), spec: sh("echo x >/made; ls /proc/1/exe").build() };
    assert_eq!(run(bundle).text(), "/proc/1/exe");
    assert!(image.path("made").exists());
    assert!(!image.path("dev").exists() && !image.path("proc").exists());
}

#[test]
fn many_layers_are_one_tree() {
    let Some(image) = Image::new() else { return };
    let mut lowers = Vec::new();
    for number in 0..200 {
        let layer = image.outside(format!("layer-with-a-rather-long-name-{number:064}"));
        fs::create_dir_all(layer.join("layers")).unwrap();
        fs::write(layer.join("layers").join(number.to_string()), "").unwrap();
        fs::write(layer.join("top"), number.to_string()).unwrap();
        lowers.insert(0, layer);
    }
    lowers.push(image.path(""));
    let Rootfs::Overlay { upper, work, .. } = image.overlay() else { unreachable!() };
    let rootfs = Rootfs::Overlay { lowers, upper, work };
    let output = run(Bundle { rootfs, spec: sh("ls /layers | wc -l; cat /top").build() });
    assert_eq!(output.text(), "200\n199");
}
