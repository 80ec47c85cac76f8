//! The root file system: a directory, or an overlay of many; and the step into it.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::libc;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, OpenTreeFlags, UnmountFlags};

use super::filesystem::{self, Context};
use super::mount;
use super::target::{self, Kind};
use crate::bundle::Rootfs;
use crate::plan::{Access, Mount, Plan};
use crate::setup::{SetupError, Step};
use crate::sys::{self, MountChange};

/// Mounts the root file system in this mount namespace, which is cut off from the host's. Its descriptor is the result.
pub(super) fn make(plan: &Plan) -> Result<OwnedFd, SetupError> {
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

/// The directories of an overlay mount, held open. They are named to the kernel by descriptor, since its calls take
/// no more than 255 bytes, or one page for all.
struct Layers {
    lowers: Vec<OwnedFd>,
    upper: OwnedFd,
    work: OwnedFd,
}

fn mount_overlay(plan: &Plan, lowers: &[PathBuf], upper: &Path, work: &Path) -> Result<OwnedFd, SetupError> {
    let open = |path: &Path| target::open_host(path).map_err(Step::Rootfs.at(path));
    let mut layers = Layers {
        lowers: lowers.iter().map(|lower| open(lower)).collect::<Result<_, _>>()?,
        upper: open(upper)?,
        work: open(work)?,
    };
    // Overlay takes only layers that are mounted; this mount hides `work` from nobody but us.
    let stubs = stubs(&plan.mounts)?;
    attach(&stubs, work)?;
    layers.lowers.push(stubs);
    match layers.new_mount()? {
        Some(tree) => {
            attach(&tree, work)?;
            Ok(tree)
        }
        None => {
            layers.old_mount(work).map_err(Step::Rootfs.on("overlay"))?;
            open(work)
        }
    }
}

impl Layers {
    /// Makes the overlay, detached; `None` if this kernel does not take the layers one by one.
    fn new_mount(&self) -> Result<Option<OwnedFd>, SetupError> {
        let context = Context::open("overlay", Step::Rootfs, Path::new("overlay"))?;
        context.set("source", Some("overlay"))?;
        for (index, lower) in self.lowers.iter().enumerate() {
            match context.try_set("lowerdir+", Some(&target::fd_path(lower))) {
                // Linux before 6.8.
                Err(Errno::INVAL) if index == 0 => return Ok(None),
                result => result.map_err(Step::Rootfs.on("overlay"))?,
            }
        }
        context.set("upperdir", Some(&target::fd_path(&self.upper)))?;
        context.set("workdir", Some(&target::fd_path(&self.work)))?;
        for (key, value) in OVERLAY_OPTIONS {
            context.set(key, *value)?;
        }
        context.mount().map(Some)
    }

    /// The same with all in one text.
    fn old_mount(&self, place: &Path) -> Result<(), Errno> {
        let lowers: Vec<String> = self.lowers.iter().map(target::fd_path).collect();
        let mut options = format!(
            "lowerdir={},upperdir={},workdir={}",
            lowers.join(":"),
            target::fd_path(&self.upper),
            target::fd_path(&self.work)
        );
        for (key, value) in OVERLAY_OPTIONS {
            options += &value.map_or(format!(",{key}"), |value| format!(",{key}={value}"));
        }
        if options.len() >= OPTIONS_BYTES_MAX {
            return Err(Errno::TOOBIG);
        }
        let options = CString::new(options).map_err(|_| Errno::INVAL)?;
        rustix::mount::mount("overlay", place, "overlay", MountFlags::empty(), Some(options.as_c_str()))
    }
}

/// A small file system with just the mount targets. As the lowest layer it lends the image what it lacks, so that
/// nothing of it comes to lie in the upper directory.
fn stubs(mounts: &[Mount]) -> Result<OwnedFd, SetupError> {
    let mode = [("mode".to_owned(), Some("755".to_owned()))];
    let subject = Path::new("mount targets");
    let stubs = filesystem::make(("tmpfs", "tug-stubs"), &mode, (Step::Rootfs, subject))?;
    for (path, kind) in stub_paths(mounts) {
        let made = match kind {
            Kind::Directory => rustix::fs::mkdirat(&stubs, &path, Mode::from_raw_mode(0o755)),
            Kind::File => {
                let flags = OFlags::CREATE | OFlags::CLOEXEC;
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
        paths.entry(path.to_path_buf()).or_insert_with(|| mount::kind_of(&mount.kind));
    }
    paths
}

fn attach(mount: &OwnedFd, place: &Path) -> Result<(), SetupError> {
    target::open_host(place)
        .and_then(|target| filesystem::attach(mount, target.as_fd()))
        .map_err(Step::Rootfs.at(place))
}

const OVERLAY_OPTIONS: &[(&str, Option<&str>)] = &[
    ("metacopy", Some("off")),
    // "off" can mean "follow", by a setting of the kernel, and that does not go with userxattr.
    ("redirect_dir", Some("nofollow")),
    ("userxattr", None),
    ("volatile", None),
];

/// The kernel takes one page.
const OPTIONS_BYTES_MAX: usize = 4096;
