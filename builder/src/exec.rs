//! Running a step: its root and mounts are made here, its process is the executor's.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use tug_dockerfile::instruction::{CacheSharing, mount::Ownership};
use tug_oci::user::{UserError, UserIds};
use tug_oci::{DiffId, Digest};
use tug_solver::Cancel;
use tug_store::Store;
use tug_store::layer::{CommitError, Settle, Staged};
use tug_store::snapshot::PrepareError;

use crate::copy::{CopyError, read_text, view};
use crate::filesystem::Layers;
use crate::op::{CacheMount, CacheStart, CopyOp, ExecOp, OpMountSource, SecretMount, SecretTarget, Unpack};
use crate::ports::{
    Access, ExecError, ExecMount, ExecMountSource, ExecStep, Executor, HostFiles, OutputSink,
};
use crate::request::BuildRequest;
use crate::tree::{LayerTree, TreeError};

/// Why a step did not give a layer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Its process said so.
    #[error("{} failed with exit code {exit_code}", command.join(" "))]
    ExitCode {
        /// The program and its arguments.
        command: Vec<String>,
        /// What it ended with.
        exit_code: i32,
    },
    /// Its process could not run.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// Its user.
    #[error("cannot tell the user {text:?}")]
    User {
        /// As given.
        text: String,
        /// Why.
        #[source]
        source: UserError,
    },
    /// A secret that it needs.
    #[error("the secret {id:?} was not given to the build")]
    Secret {
        /// Its name.
        id: String,
    },
    /// A mount.
    #[error("cannot prepare the mount at {target}")]
    Mount {
        /// Where.
        target: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The content of a mount.
    #[error("cannot fill the mount at {target}")]
    Fill {
        /// Where.
        target: String,
        /// Why.
        #[source]
        source: Box<CopyError>,
    },
    /// Its root cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Its root cannot be made.
    #[error("cannot make the root of the step")]
    Prepare(#[from] PrepareError),
    /// Its layer cannot be made.
    #[error("cannot make the layer of the step")]
    Commit(#[from] CommitError),
}

/// What a step runs with.
#[derive(Clone, Copy)]
pub(crate) struct Runner<'a> {
    pub(crate) store: &'a Store,
    pub(crate) executor: &'a dyn Executor,
    pub(crate) request: &'a BuildRequest,
}

impl Runner<'_> {
    /// Runs a step on its first input. `None` when it changed nothing.
    pub(crate) fn run(
        &self,
        op: &ExecOp,
        inputs: &[&Layers],
        output: &dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Option<DiffId>, RunError> {
        let root: &[DiffId] = inputs.first().map_or(&[], |root| &root.diff_ids);
        let user = self.user(op, root)?;
        let active = self.store.snapshots().prepare(root)?;
        let mut mounts =
            Mounts { runner: *self, inputs, env: Vec::new(), list: Vec::new(), held: Vec::new() };
        for mount in &op.mounts {
            mounts.add(&mount.target, &mount.source)?;
        }
        let hostname = op.hostname.clone().unwrap_or_else(|| HOSTNAME.to_owned());
        let mut env = environment(op, &user, &hostname);
        env.append(&mut mounts.env);
        let step = ExecStep {
            lowers: active.lowers().to_vec(),
            upper: active.upper().to_owned(),
            work: active.work().to_owned(),
            args: op.args.clone(),
            env,
            cwd: op.cwd.clone(),
            user,
            network: op.network,
            hostname,
            extra_hosts: op.extra_hosts.clone(),
            security: op.security,
            mounts: mounts.list.clone(),
            host_files: HostFiles::Provide,
            shm_size: op.shm_size,
            ulimits: op.ulimits.clone(),
        };
        let outcome = self.executor.exec(&step, output, cancel)?;
        drop(mounts);
        match outcome.exit_code {
            0 => Ok(active.commit(Settle { epoch: op.epoch })?.map(|layer| layer.diff_id)),
            exit_code => Err(RunError::ExitCode { command: op.args.clone(), exit_code }),
        }
    }

    fn user(&self, op: &ExecOp, root: &[DiffId]) -> Result<UserIds, RunError> {
        let tree: Option<LayerTree> = view(self.store, root)?;
        let (passwd, group) =
            (read_text(tree.as_ref(), "etc/passwd")?, read_text(tree.as_ref(), "etc/group")?);
        tug_oci::user::resolve(&op.user, &passwd, &group)
            .map_err(|source| RunError::User { text: op.user.clone(), source })
    }
}

/// The mounts of a step while it runs.
struct Mounts<'a> {
    runner: Runner<'a>,
    inputs: &'a [&'a Layers],
    env: Vec<String>,
    list: Vec<ExecMount>,
    /// Directories and locks that are let go after the step.
    held: Vec<Held>,
}

#[expect(dead_code, reason = "held until the step has ended, never looked at")]
enum Held {
    Directory(Staged),
    Lock(File),
}

impl Mounts<'_> {
    fn add(&mut self, target: &str, source: &OpMountSource) -> Result<(), RunError> {
        let failed = |source| RunError::Mount { target: target.to_owned(), source };
        match source {
            OpMountSource::Input { input, path, read_only } => {
                let access = if *read_only { Access::ReadOnly } else { Access::ReadWrite };
                let root = self.input(*input, access, target)?;
                self.bind(target, root.join(path), access);
            }
            OpMountSource::Cache(cache) => {
                let access = if cache.read_only { Access::ReadOnly } else { Access::ReadWrite };
                let path = self.cache(target, cache)?;
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

    /// The folder of a cache mount, made on first use, and locked as its sharing asks.
    fn cache(&mut self, target: &str, cache: &CacheMount) -> Result<PathBuf, RunError> {
        let failed = |source| RunError::Mount { target: target.to_owned(), source };
        if cache.start == CacheStart::Empty {
            let staged = self.runner.store.layers().stage()?;
            self.begin(staged.fs(), cache, target)?;
            let path = staged.fs().to_owned();
            self.held.push(Held::Directory(staged));
            return Ok(path);
        }
        let source = cache.input.map(|input| self.inputs[input]);
        let identity = format!("{}\0{}\0{source:?}", cache.id, cache.source);
        let folder = self.runner.store.root().join(CACHE_MOUNTS).join(Digest::of(identity.as_bytes()).hex());
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let mut number = 0;
        loop {
            // A private cache that is in use leaves the next one to who comes later.
            let place = folder.join(number.to_string());
            let lock = File::create(folder.join(format!("{number}.lock"))).map_err(failed)?;
            match cache.sharing {
                CacheSharing::Shared => lock.lock_shared().map_err(failed)?,
                CacheSharing::Locked => lock.lock().map_err(failed)?,
                CacheSharing::Private => match lock.try_lock() {
                    Ok(()) => {}
                    Err(std::fs::TryLockError::WouldBlock) if number < PRIVATE_MAX => {
                        number += 1;
                        continue;
                    }
                    Err(std::fs::TryLockError::WouldBlock) => lock.lock().map_err(failed)?,
                    Err(std::fs::TryLockError::Error(error)) => return Err(failed(error)),
                },
            }
            self.held.push(Held::Lock(lock));
            if !place.exists() {
                self.begin_cache(&place, cache, target)?;
            }
            return match cache.input {
                Some(_) => Ok(place),
                None => beneath(&place, &cache.source).map_err(failed),
            };
        }
    }

    /// What a cache holds at first.
    fn begin(&self, folder: &Path, cache: &CacheMount, target: &str) -> Result<(), RunError> {
        let failed = |source| RunError::Mount { target: target.to_owned(), source };
        own(folder, &cache.ownership, CACHE_MODE).map_err(failed)?;
        let Some(input) = cache.input else {
            return Ok(());
        };
        let from = format!("/{}", cache.source);
        fill(self.runner.store, &self.inputs[input].diff_ids, &from, folder)
            .map_err(|source| RunError::Fill { target: target.to_owned(), source: Box::new(source) })
    }

    /// Fills a cache beside its place, and renames it there: it is whole or not there at all.
    fn begin_cache(&self, place: &Path, cache: &CacheMount, target: &str) -> Result<(), RunError> {
        let failed = |source| RunError::Mount { target: target.to_owned(), source };
        let begun = place.with_extension(format!("{}.new", std::process::id()));
        std::fs::create_dir_all(&begun).map_err(failed)?;
        self.begin(&begun, cache, target)?;
        match std::fs::rename(&begun, place) {
            // Somebody who shares it was quicker.
            Err(_) if place.exists() => std::fs::remove_dir_all(&begun).map_err(failed),
            outcome => outcome.map_err(failed),
        }
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

/// Copies a path of some layers into a directory.
fn fill(store: &Store, layers: &[DiffId], from: &str, directory: &Path) -> Result<(), CopyError> {
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
fn own(path: &Path, ownership: &Ownership, mode: u32) -> std::io::Result<()> {
    chown(path, Some(ownership.uid.unwrap_or(0)), Some(ownership.gid.unwrap_or(0)))?;
    std::fs::set_permissions(path, Permissions::from_mode(ownership.mode.unwrap_or(mode)))
}

/// What the process sees: what the stage says, the proxies, and what every login has.
fn environment(op: &ExecOp, user: &UserIds, hostname: &str) -> Vec<String> {
    let mut env = op.env.clone();
    env.extend(op.proxies.iter().cloned());
    let usual = [("HOSTNAME", hostname), ("HOME", user.home.as_deref().unwrap_or("/"))];
    for (name, value) in usual {
        if !env.iter().any(|pair| pair.split_once('=').is_some_and(|(known, _)| known == name)) {
            env.push(format!("{name}={value}"));
        }
    }
    env
}

const HOSTNAME: &str = "buildkitsandbox";
const CACHE_MOUNTS: &str = "cache-mounts";
const CACHE_MODE: u32 = 0o755;
const SECRET_MODE: u32 = 0o400;
const PRIVATE_MAX: usize = 64;
