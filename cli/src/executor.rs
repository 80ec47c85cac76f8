//! The builder's port for processes, plugged into the runner.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::pipe::PipeFlags;
use tug_builder::ports::{
    Access, ExecError, ExecMountSource, ExecOutcome, ExecStep, Executor, HostFiles, OutputSink, Security,
    Stream,
};
use tug_builder::{Cancel, Network};
use tug_runner::default::{self, Builder};
use tug_runner::spec::{PosixRlimitBuilder, PosixRlimitType, Spec};
use tug_runner::{Bundle, Rootfs, RunError, Runtime, Stdio};

use crate::container::{capability, host_files, user};
use crate::scratch::{Scratch, ScratchError};

/// Runs build steps in containers.
pub(crate) struct Sandbox {
    /// Made when the first step runs: most builds run none.
    runtime: OnceLock<Runtime>,
    scratch: PathBuf,
}

/// Why a step cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
enum StartError {
    /// There is no place for the step's files.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// The files that name its network cannot be written.
    #[error(transparent)]
    HostFiles(#[from] host_files::HostFilesError),
    /// Its output cannot be read.
    #[error("cannot read the output")]
    Output(#[source] io::Error),
    /// A limit that does not exist.
    #[error("there is no resource limit {0:?}")]
    Limit(String),
    /// The runtime refuses.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Sandbox {
    /// An executor that keeps its own small files in `scratch`.
    pub(crate) fn new(scratch: PathBuf) -> Sandbox {
        Sandbox { runtime: OnceLock::new(), scratch }
    }

    fn runtime(&self) -> Result<&Runtime, RunError> {
        match self.runtime.get() {
            Some(runtime) => Ok(runtime),
            None => {
                Scratch::sweep(&self.scratch);
                let runtime = Runtime::new(Path::new("/proc/self/exe"))?;
                Ok(self.runtime.get_or_init(|| runtime))
            }
        }
    }

    fn run(
        &self,
        step: &ExecStep,
        output: &dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<ExecOutcome, StartError> {
        let files = Scratch::new(&self.scratch)?;
        let bundle = Bundle { rootfs: rootfs(step), spec: spec(step, files.path())? };
        let piped = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|e| StartError::Output(e.into()));
        let ((out, stdout), (err, stderr)) = (piped()?, piped()?);
        let stop = tug_runner::Cancel::new();
        let container =
            self.runtime()?.start(&bundle, Stdio::Piped { stdin: None, stdout, stderr }, &stop)?;
        let streams = [(Stream::Stdout, out), (Stream::Stderr, err)];
        forward(streams, output, || {
            if cancel.is_set() {
                stop.kill();
            }
        })
        .map_err(StartError::Output)?;
        let status = container.wait()?;
        Ok(ExecOutcome { exit_code: status.code().into() })
    }
}

impl Executor for Sandbox {
    fn exec(
        &self,
        step: &ExecStep,
        output: &dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<ExecOutcome, ExecError> {
        match self.run(step, output, cancel) {
            Ok(outcome) => Ok(outcome),
            Err(StartError::Run(RunError::Cancelled)) => Err(ExecError::Cancelled),
            Err(source) => {
                let program = step.args.first().cloned().unwrap_or_default();
                Err(ExecError::Start { program, source: Box::new(source) })
            }
        }
    }
}

/// Hands on what comes until both streams end; calls `check` now and then.
fn forward(streams: [(Stream, OwnedFd); 2], output: &dyn OutputSink, check: impl Fn()) -> io::Result<()> {
    let mut open: Vec<(Stream, File)> =
        streams.into_iter().map(|(stream, fd)| (stream, File::from(fd))).collect();
    let mut buffer = vec![0; BUFFER];
    while !open.is_empty() {
        check();
        let mut polled: Vec<PollFd<'_>> =
            open.iter().map(|(_, file)| PollFd::new(file, PollFlags::IN)).collect();
        rustix::io::retry_on_intr(|| rustix::event::poll(&mut polled, Some(&PAUSE)))?;
        let ready: Vec<bool> = polled.iter().map(|fd| !fd.revents().is_empty()).collect();
        let mut ended = Vec::new();
        for (at, (stream, file)) in open.iter_mut().enumerate().filter(|(at, _)| ready[*at]) {
            match file.read(&mut buffer) {
                Ok(0) => ended.push(at),
                Ok(count) => output.write(*stream, &buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        ended.iter().rev().for_each(|at| drop(open.remove(*at)));
    }
    Ok(())
}

fn rootfs(step: &ExecStep) -> Rootfs {
    match step.lowers.is_empty() {
        true => Rootfs::Dir(step.upper.clone()),
        false => Rootfs::Overlay {
            lowers: step.lowers.clone(),
            upper: step.upper.clone(),
            work: step.work.clone(),
        },
    }
}

fn spec(step: &ExecStep, files: &Path) -> Result<Spec, StartError> {
    let mut env = step.env.clone();
    if !env.iter().any(|pair| pair.starts_with("HOME=")) {
        env.push(format!(
            "HOME={}",
            step.user.home.as_deref().filter(|home| !home.is_empty()).unwrap_or("/")
        ));
    }
    let mut builder = Builder::new(step.args.iter().cloned())
        .env(env)
        .cwd(&step.cwd)
        .user(user::process_user(&step.user))
        .hostname(&step.hostname)
        .network(match step.network {
            // In this version the network of a step is the host's unless it is cut off.
            Network::Default | Network::Host => default::Network::Host,
            Network::None => default::Network::None,
        });
    if step.host_files == HostFiles::Provide {
        let which = host_files::Which::Network;
        builder = host_files::provide(builder, files, which, &step.hostname, &step.extra_hosts)?;
    }
    if let Some(size) = step.shm_size {
        builder = builder.tmpfs(Path::new("/dev/shm"), &["mode=1777", &format!("size={size}")]);
    }
    for mount in &step.mounts {
        let target = Path::new(&mount.target);
        builder = match &mount.source {
            ExecMountSource::Bind { path, access: Access::ReadOnly } => builder.bind(path, target, &["ro"]),
            ExecMountSource::Bind { path, access: Access::ReadWrite } => builder.bind(path, target, &[]),
            ExecMountSource::Tmpfs { size: Some(size) } => builder.tmpfs(target, &[&format!("size={size}")]),
            ExecMountSource::Tmpfs { size: None } => builder.tmpfs(target, &[]),
        };
    }
    let mut spec = builder.build();
    set_limits(&mut spec, &step.ulimits)?;
    if step.security == Security::Insecure {
        unprotect(&mut spec);
    }
    Ok(spec)
}

fn set_limits(spec: &mut Spec, ulimits: &[(String, u64, u64)]) -> Result<(), StartError> {
    let mut limits = Vec::new();
    for (name, soft, hard) in ulimits {
        let unknown = |_| StartError::Limit(name.clone());
        let kind: PosixRlimitType =
            format!("RLIMIT_{}", name.to_ascii_uppercase()).parse().map_err(unknown)?;
        let limit = PosixRlimitBuilder::default().typ(kind).soft(*soft).hard(*hard).build();
        let limit = limit.map_err(|_| StartError::Limit(name.clone()))?;
        limits.push(limit);
    }
    if let Some(process) = spec.process_mut().as_mut().filter(|_| !limits.is_empty()) {
        process.set_rlimits(Some(limits));
    }
    Ok(())
}

/// All capabilities, no filter, nothing masked: what `--security=insecure` asks for.
fn unprotect(spec: &mut Spec) {
    if let Some(process) = spec.process_mut() {
        process.set_capabilities(Some(capability::sets(&capability::all())));
    }
    if let Some(linux) = spec.linux_mut() {
        linux.set_seccomp(None).set_masked_paths(None).set_readonly_paths(None);
    }
}

const BUFFER: usize = 1 << 16;
/// How long a cancellation may go unseen.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
