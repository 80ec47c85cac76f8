//! Running a step: its root and mounts are made here, its process is the executor's.

mod cache;
mod mounts;

use tug_oci::DiffId;
use tug_oci::user::{UserError, UserIds};
use tug_solver::Cancel;
use tug_store::Store;
use tug_store::layer::{CommitError, Settle};
use tug_store::snapshot::PrepareError;

use crate::copy::{CopyError, read_text, view};
use crate::exec::mounts::Mounts;
use crate::filesystem::Layers;
use crate::op::ExecOp;
use crate::ports::{ExecError, ExecStep, Executor, HostFiles, OutputSink};
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
        let mut mounts = Mounts::new(*self, inputs);
        mounts.take_caches(op, cancel)?;
        for mount in &op.mounts {
            mounts.add(&mount.target, &mount.source)?;
        }
        mounts.make_places()?;
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
