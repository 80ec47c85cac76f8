//! What is mounted into a step's root, for the time of the step.

use std::collections::HashMap;
use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use tug_dockerfile::instruction::mount::Ownership;
use tug_oci::DiffId;
use tug_store::Store;
use tug_store::layer::Staged;

use crate::copy::{CopyError, view};
use crate::exec::{RunError, Runner};
use crate::filesystem::Layers;
use crate::op::{CopyOp, OpMountSource, SecretMount, SecretTarget, Unpack};
use crate::ports::{Access, ExecMount, ExecMountSource};

/// The mounts of a step while it runs.
pub(super) struct Mounts<'a> {
    pub(super) runner: Runner<'a>,
    pub(super) inputs: &'a [&'a Layers],
    pub(super) env: Vec<String>,
    pub(super) list: Vec<ExecMount>,
    /// Folders of caches, by name.
    pub(super) caches: HashMap<String, PathBuf>,
    /// Directories and locks that are let go after the step.
    pub(super) held: Vec<Held>,
}

#[expect(dead_code, reason = "held until the step has ended, never looked at")]
pub(super) enum Held {
    Directory(Staged),
    Lock(File),
}

impl<'a> Mounts<'a> {
    pub(super) fn new(runner: Runner<'a>, inputs: &'a [&'a Layers]) -> Mounts<'a> {
        Mounts { runner, inputs, env: Vec::new(), list: Vec::new(), caches: HashMap::new(), held: Vec::new() }
    }

    pub(super) fn add(&mut self, target: &str, source: &OpMountSource) -> Result<(), RunError> {
        let failed = |source| RunError::Mount { target: target.to_owned(), source };
        match source {
            OpMountSource::Input { input, path, read_only } => {
                let access = if *read_only { Access::ReadOnly } else { Access::ReadWrite };
                let root = self.input(*input, access, target)?;
                self.bind(target, root.join(path), access);
            }
            OpMountSource::Cache(cache) => {
                let access = if cache.read_only { Access::ReadOnly } else { Access::ReadWrite };
                let place = self.caches[&self.cache_name(cache)].clone();
                let path = match cache.input {
                    Some(_) => place,
                    None => beneath(&place, &cache.source).map_err(failed)?,
                };
                self.bind(target, path, access);
            }
            OpMountSource::Tmpfs { size } => {
                let source = ExecMountSource::Tmpfs { size: *size };
                self.list.push(ExecMount { target: target.to_owned(), source });
            }
            OpMountSource::Secret(secret) => self.secret(target, secret)?,
            OpMountSource::Script(content) => {
                let path = self.file("script", content.as_bytes(), target)?;
                std::fs::set_permissions(&path, Permissions::from_mode(0o755)).map_err(failed)?;
                self.bind(target, path, Access::ReadOnly);
            }
        }
        Ok(())
    }

    /// Makes the folders that later mounts are mounted on inside earlier ones, where these can be written to. They
    /// stay: another step may have the same place mounted at the same time.
    pub(super) fn make_places(&self) -> Result<(), RunError> {
        for (at, mount) in self.list.iter().enumerate() {
            let file = matches!(&mount.source, ExecMountSource::Bind { path, .. } if !path.is_dir());
            let inside = |outer: &&ExecMount| Path::new(&mount.target).strip_prefix(&outer.target).is_ok();
            let outer = self.list[..at].iter().rev().find(inside);
            if let (false, Some(ExecMount { target, source })) = (file, outer)
                && let ExecMountSource::Bind { path, access: Access::ReadWrite } = source
                && let Ok(place) = Path::new(&mount.target).strip_prefix(target)
            {
                make_beneath(path, place)
                    .map_err(|source| RunError::Mount { target: mount.target.clone(), source })?;
            }
        }
        Ok(())
    }

    fn bind(&mut self, target: &str, path: PathBuf, access: Access) {
        let source = ExecMountSource::Bind { path, access };
        self.list.push(ExecMount { target: target.to_owned(), source });
    }

    /// The directory of an input. One that the step may write to is a copy.
    fn input(&mut self, input: usize, access: Access, target: &str) -> Result<PathBuf, RunError> {
        let layers = self.inputs[input];
        let store = self.runner.store;
        match (access, layers.diff_ids.as_slice()) {
            (Access::ReadOnly, [_]) => {
                let lowers = store.snapshots().lowers(&layers.diff_ids)?;
                Ok(lowers.into_iter().next().expect("one layer is one directory"))
            }
            _ => {
                let staged = store.layers().stage()?;
                let filled = fill(store, &layers.diff_ids, "/", staged.fs());
                filled.map_err(|source| RunError::Fill {
                    target: target.to_owned(),
                    source: Box::new(source),
                })?;
                let path = staged.fs().to_owned();
                self.held.push(Held::Directory(staged));
                Ok(path)
            }
        }
    }

    fn secret(&mut self, target: &str, secret: &SecretMount) -> Result<(), RunError> {
        let Some(value) = self.runner.request.secrets.get(&secret.id).cloned() else {
            return match secret.required {
                true => Err(RunError::Secret { id: secret.id.clone() }),
                false => Ok(()),
            };
        };
        if let SecretTarget::Variable(name) | SecretTarget::Both(_, name) = &secret.target {
            self.env.push(format!("{name}={}", String::from_utf8_lossy(&value.0)));
        }
        if let SecretTarget::File(ownership) | SecretTarget::Both(ownership, _) = &secret.target {
            let path = self.file("secret", &value.0, target)?;
            own(&path, ownership, SECRET_MODE)
                .map_err(|source| RunError::Mount { target: target.to_owned(), source })?;
            self.bind(target, path, Access::ReadOnly);
        }
        Ok(())
    }

    /// A file for the time of the step.
    fn file(&mut self, name: &str, content: &[u8], target: &str) -> Result<PathBuf, RunError> {
        let failed = |source| RunError::Mount { target: target.to_owned(), source };
        let staged = self.runner.store.layers().stage()?;
        let path = staged.fs().join(name);
        let mut file = File::create_new(&path).map_err(failed)?;
        file.set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
        file.write_all(content).map_err(failed)?;
        self.held.push(Held::Directory(staged));
        Ok(path)
    }
}

/// A directory inside a cache, by its path; a cache is written by steps, so no link in it is followed.
fn beneath(place: &Path, path: &str) -> std::io::Result<PathBuf> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
    if path.is_empty() {
        return Ok(place.to_owned());
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat2(CWD, place, flags, Mode::empty(), ResolveFlags::empty())?;
    openat2(&root, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)?;
    Ok(place.join(path))
}

/// Makes a directory and those above it inside a root that steps write to: no link in it is followed.
fn make_beneath(root: &Path, path: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, mkdirat, openat2};
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let mut directory = openat2(CWD, root, flags, Mode::empty(), ResolveFlags::empty())?;
    for name in path.iter() {
        match mkdirat(&directory, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        directory = openat2(&directory, name, flags, Mode::empty(), within)?;
    }
    Ok(())
}

/// Copies a path of some layers into a directory.
pub(super) fn fill(store: &Store, layers: &[DiffId], from: &str, directory: &Path) -> Result<(), CopyError> {
    let Some(tree) = view(store, layers)? else {
        return Ok(());
    };
    let op = CopyOp {
        sources: vec![from.to_owned()],
        files: Vec::new(),
        destination: "/".to_owned(),
        chown: None,
        chmod: None,
        link: true,
        parents: false,
        exclude: Vec::new(),
        unpack: Unpack::Never,
        epoch: None,
    };
    crate::copy::into(&op, &tree, directory)
}

/// Owner and mode, where they are given.
pub(super) fn own(path: &Path, ownership: &Ownership, mode: u32) -> std::io::Result<()> {
    chown(path, Some(ownership.uid.unwrap_or(0)), Some(ownership.gid.unwrap_or(0)))?;
    std::fs::set_permissions(path, Permissions::from_mode(ownership.mode.unwrap_or(mode)))
}

const SECRET_MODE: u32 = 0o400;
