//! The root file system: a directory, or an overlay of many; and the step into it.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::libc;
use rustix::fs::{CWD, Mode};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
    UnmountFlags,
};

use super::target::{self, Kind};
use crate::bundle::Rootfs;
use crate::plan::{Access, Mount, MountKind, Plan};
use crate::setup::{SetupError, Step};
use crate::sys::{self, MountChange};

/// Mounts the root file system in this mount namespace, which is cut off from the host's. Its descriptor is the result.
pub(super) fn mount(plan: &Plan) -> Result<OwnedFd, SetupError> {
    rustix::mount::mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
        .map_err(Step::Rootfs.on("/"))?;
    match &plan.rootfs {
        Rootfs::Dir(dir) => mount_dir(dir),
        Rootfs::Overlay { lowers, upper, work } => mount_overlay(plan, lowers, upper, work),
    }
}

/// Makes the mounted root file system the root of this process and drops everything else.
pub(super) fn enter(root: &OwnedFd, access: Access) -> Result<(), SetupError> {
    let failed = |error: rustix::io::Errno| Step::Rootfs.on("pivot_root")(error);
    rustix::process::fchdir(root).map_err(failed)?;
    rustix::process::pivot_root(".", ".").map_err(failed)?;
    // The old root lies on top of the new one now, at the same place.
    rustix::mount::unmount(".", UnmountFlags::DETACH).map_err(failed)?;
    rustix::process::chdir("/").map_err(failed)?;
    if access == Access::Readonly {
        let change = MountChange { set: libc::MOUNT_ATTR_RDONLY, ..MountChange::default() };
        sys::mount_setattr(root.as_fd(), change).map_err(Step::Rootfs.on("/"))?;
    }
    Ok(())
}

fn mount_dir(dir: &Path) -> Result<OwnedFd, SetupError> {
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let tree = rustix::mount::open_tree(CWD, dir, flags).map_err(Step::Rootfs.at(dir))?;
    attach(&tree, dir)?;
    Ok(tree)
}

fn mount_overlay(plan: &Plan, lowers: &[PathBuf], upper: &Path, work: &Path) -> Result<OwnedFd, SetupError> {
    let upper_dir = target::open_host(upper).map_err(Step::Rootfs.at(upper))?;
    let work_dir = target::open_host(work).map_err(Step::Rootfs.at(work))?;
    // Overlay takes only layers that are mounted; this mount hides `work` from nobody but us.
    let stubs = stubs(&plan.mounts)?;
    attach(&stubs, work)?;

    let failed = |error: rustix::io::Errno| Step::Rootfs.on("overlay")(error);
    let overlay = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed)?;
    let set = |key: &str, value: &str| rustix::mount::fsconfig_set_string(&overlay, key, value);
    set("source", "overlay").map_err(failed)?;
    // Paths are given as descriptors: the call takes no more than 255 bytes.
    for lower in lowers {
        let dir = target::open_host(lower).map_err(Step::Rootfs.at(lower))?;
        set("lowerdir+", &target::fd_path(&dir)).map_err(Step::Rootfs.at(lower))?;
    }
    set("lowerdir+", &target::fd_path(&stubs)).map_err(failed)?;
    set("upperdir", &target::fd_path(&upper_dir)).map_err(Step::Rootfs.at(upper))?;
    set("workdir", &target::fd_path(&work_dir)).map_err(Step::Rootfs.at(work))?;
    set("metacopy", "off").map_err(failed)?;
    // "off" can mean "follow", by a setting of the kernel, and that does not go with userxattr.
    set("redirect_dir", "nofollow").map_err(failed)?;
    rustix::mount::fsconfig_set_flag(&overlay, "userxattr").map_err(failed)?;
    rustix::mount::fsconfig_set_flag(&overlay, "volatile").map_err(failed)?;
    rustix::mount::fsconfig_create(&overlay).map_err(failed)?;
    let mount = rustix::mount::fsmount(&overlay, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
        .map_err(failed)?;
    attach(&mount, work)?;
    Ok(mount)
}

/// A small file system with just the mount targets. As the lowest layer it lends the image what it lacks, so that
/// nothing of it comes to lie in the upper directory.
fn stubs(mounts: &[Mount]) -> Result<OwnedFd, SetupError> {
    let failed = |error: rustix::io::Errno| Step::Rootfs.on("mount targets")(error);
    let tmpfs = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed)?;
    rustix::mount::fsconfig_set_string(&tmpfs, "mode", "755").map_err(failed)?;
    rustix::mount::fsconfig_create(&tmpfs).map_err(failed)?;
    let flags = FsMountFlags::FSMOUNT_CLOEXEC;
    let stubs = rustix::mount::fsmount(&tmpfs, flags, MountAttrFlags::empty()).map_err(failed)?;
    for (path, kind) in stub_paths(mounts) {
        let made = match kind {
            Kind::Directory => rustix::fs::mkdirat(&stubs, &path, Mode::from_raw_mode(0o755)),
            Kind::File => {
                let flags = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::CLOEXEC;
                rustix::fs::openat(&stubs, &path, flags, Mode::from_raw_mode(0o644)).map(drop)
            }
        };
        made.map_err(Step::Rootfs.at(&path))?;
    }
    Ok(stubs)
}

/// The targets and the directories above them, parents first, relative to the root.
fn stub_paths(mounts: &[Mount]) -> BTreeMap<PathBuf, Kind> {
    let mut paths = BTreeMap::new();
    for mount in mounts {
        let path = target::clean(&mount.destination);
        let Ok(path) = path.strip_prefix("/") else { continue };
        // What lies in another mount is made there.
        let covered = mounts.iter().any(|other| {
            let other = target::clean(&other.destination);
            other != Path::new("/").join(path) && Path::new("/").join(path).starts_with(other)
        });
        if covered || path.as_os_str().is_empty() {
            continue;
        }
        for parent in path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
            paths.insert(parent.to_path_buf(), Kind::Directory);
        }
        paths.entry(path.to_path_buf()).or_insert_with(|| target_kind(&mount.kind));
    }
    paths
}

/// What the target of a mount has to be.
pub(super) fn target_kind(mount: &MountKind) -> Kind {
    match mount {
        MountKind::Bind { source, .. } if !source.is_dir() => Kind::File,
        _ => Kind::Directory,
    }
}

fn attach(mount: &OwnedFd, place: &Path) -> Result<(), SetupError> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(mount, "", CWD, place, flags).map_err(Step::Rootfs.at(place))
}
