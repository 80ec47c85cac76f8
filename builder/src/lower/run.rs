//! `RUN` and its mounts.

use tug_dockerfile::expand;
use tug_dockerfile::instruction::{Mount, MountFlag, MountKind, NetworkMode, Run, RunBody, SecurityMode};
use tug_solver::{Reuse, VertexId};

use crate::lower::HistoryItem;
use crate::lower::pass::{At, Pass, Stop};
use crate::lower::refusal::Refusal;
use crate::lower::scope::is_proxy;
use crate::lower::stage::clean;
use crate::op::{
    CacheMount, CacheStart, CopyOp, ExecOp, Op, OpMount, OpMountSource, SecretMount, SecretTarget, Unpack,
};
use crate::ports::Security;
use crate::request::Network;

impl Pass<'_> {
    pub(super) fn run_command(&mut self, at: &mut At<'_>, run: &Run) -> Result<(), Stop> {
        self.check_privileges(at, run)?;
        let mut inputs = vec![at.state.vertex];
        let mut mounts = Vec::new();
        for flag in &run.mounts {
            mounts.extend(self.mount(at, flag, &mut inputs)?);
        }
        let args = match run.body() {
            RunBody::Exec(args) => args,
            RunBody::Shell(text) => at.state.shell().into_iter().chain([text]).collect(),
            RunBody::Script { name, content } => {
                let target = format!("{SCRIPTS}/{}", name.replace('/', "_"));
                mounts.push(OpMount { target: target.clone(), source: OpMountSource::Script(content) });
                vec![target]
            }
        };
        let created_by = self.created_by(at, &args);
        let op = self.exec(at, run, args, mounts);
        let step = at.step();
        at.state.vertex = self.add(Op::Exec(Box::new(op)), inputs, at.frame.reuse, step);
        at.state.history.push(HistoryItem::Step(created_by));
        Ok(())
    }

    fn check_privileges(&self, at: &At<'_>, run: &Run) -> Result<(), Stop> {
        let refuse = |what: &str| -> Result<(), Stop> {
            Err(Refusal::Unsupported { what: what.to_owned() }.at(at.instruction.span).into())
        };
        if run.security == Some(SecurityMode::Insecure) {
            return refuse("RUN --security=insecure");
        }
        match run.devices.iter().find(|device| device.required) {
            Some(_) => refuse("RUN --device"),
            None => Ok(()),
        }
    }

    fn exec(&self, at: &At<'_>, run: &Run, args: Vec<String>, mounts: Vec<OpMount>) -> ExecOp {
        let request = self.input.request;
        let network = match run.network {
            None | Some(NetworkMode::Default) => request.network,
            Some(NetworkMode::None) => Network::None,
            Some(NetworkMode::Host) => Network::Host,
        };
        let hostname = request.hostname.clone();
        ExecOp {
            args,
            env: at.state.variables.pairs(),
            proxies: self.proxies(at),
            cwd: at.state.working_dir().to_owned(),
            user: at.state.user().to_owned(),
            network,
            security: Security::Sandbox,
            hostname: hostname.or_else(|| request.build_args.get(HOSTNAME_ARG).cloned()),
            extra_hosts: request.extra_hosts.clone(),
            shm_size: request.shm_size,
            ulimits: request.ulimits.clone(),
            mounts,
            epoch: self.globals.epoch,
        }
    }

    /// Proxies under both spellings, where the stage does not set them itself.
    fn proxies(&self, at: &At<'_>) -> Vec<String> {
        let mut pairs = Vec::new();
        for (name, value) in self.input.request.build_args.iter().filter(|(name, _)| is_proxy(name)) {
            for spelling in [name.to_ascii_uppercase(), name.to_ascii_lowercase()] {
                if at.state.variables.value(&spelling).is_none() {
                    pairs.push(format!("{spelling}={value}"));
                }
            }
        }
        pairs
    }

    /// As BuildKit writes it into the history: the arguments that the step saw, then the command.
    fn created_by(&self, at: &At<'_>, args: &[String]) -> String {
        let value = |name: &str, declared: &Option<String>| {
            let seen = at.state.variables.value(name).map(str::to_owned);
            seen.or_else(|| declared.clone()).unwrap_or_default()
        };
        let seen: Vec<String> = at
            .state
            .args
            .iter()
            .map(|(name, declared)| format!("{name}={}", value(name, declared)))
            .collect();
        let mut words = Vec::new();
        if !seen.is_empty() {
            words.push(format!("|{}", seen.len()));
            words.extend(seen);
        }
        words.extend(args.iter().cloned());
        format!("RUN {} # buildkit", words.join(" "))
    }

    fn mount(
        &mut self,
        at: &At<'_>,
        flag: &MountFlag,
        inputs: &mut Vec<VertexId>,
    ) -> Result<Option<OpMount>, Stop> {
        let span = flag.value.span;
        let named_by_variable =
            |value: &Option<String>| value.as_ref().is_some_and(|value| value.contains('$'));
        if flag.fields.iter().any(|field| field.key == "from" && named_by_variable(&field.value)) {
            return Err(Refusal::FromVariable { what: "from of --mount" }.at(span).into());
        }
        let variables = &at.state.variables;
        let lookup = |name: &str| variables.value(name).map(str::to_owned);
        let expand = |text: &str| expand::word(text, &lookup, self.escape).map(|expansion| expansion.text);
        let mount = flag
            .resolve(&expand)
            .map_err(|source| Refusal::Mount { text: flag.value.text.clone(), source }.at(span))?;
        let target = target(at, &mount);
        let source = match self.mount_source(at, flag, (&mount, target.as_deref()), inputs)? {
            Some(source) => source,
            None => return Ok(None),
        };
        match target {
            Some(target) if target != "/" => Ok(Some(OpMount { target, source })),
            // A secret that is only a variable needs no place.
            _ if matches!(&source, OpMountSource::Secret(secret) if matches!(secret.target, SecretTarget::Variable(_))) => {
                Ok(Some(OpMount { target: String::new(), source }))
            }
            _ => Err(Refusal::MountTarget { text: flag.value.text.clone() }.at(span).into()),
        }
    }

    fn mount_source(
        &mut self,
        at: &At<'_>,
        flag: &MountFlag,
        (mount, target): (&Mount, Option<&str>),
        inputs: &mut Vec<VertexId>,
    ) -> Result<Option<OpMountSource>, Stop> {
        let read_only = mount.read_only;
        Ok(Some(match &mount.kind {
            MountKind::Bind { from, source } => {
                let path = clean(source.as_deref().unwrap_or("/"));
                let input = self.mount_input(at, flag, (from.as_deref(), &path), inputs)?;
                OpMountSource::Input { input, path: path.trim_start_matches('/').to_owned(), read_only }
            }
            MountKind::Cache { id, from, source, sharing, ownership } => {
                let source = clean(source.as_deref().unwrap_or("/"));
                let input = match from {
                    Some(from) => Some(self.mount_input(at, flag, (Some(from), &source), inputs)?),
                    None => None,
                };
                OpMountSource::Cache(CacheMount {
                    id: id.clone().unwrap_or_else(|| target.unwrap_or_default().to_owned()),
                    input,
                    source: source.trim_start_matches('/').to_owned(),
                    sharing: *sharing,
                    ownership: *ownership,
                    read_only,
                    start: match at.frame.reuse {
                        Reuse::Allowed => CacheStart::Kept,
                        Reuse::Refused => CacheStart::Empty,
                    },
                })
            }
            MountKind::Tmpfs { size } => OpMountSource::Tmpfs { size: *size },
            MountKind::Secret { env, required, ownership, .. } => {
                let id = secret_id(mount).unwrap_or_default();
                let variable =
                    env.as_ref().map(|name| if name.is_empty() { id.clone() } else { name.clone() });
                let target = match (variable, &mount.target) {
                    (Some(variable), None) => SecretTarget::Variable(variable),
                    (Some(variable), Some(_)) => SecretTarget::Both(*ownership, variable),
                    (None, _) => SecretTarget::File(*ownership),
                };
                OpMountSource::Secret(SecretMount { id, target, required: *required })
            }
            MountKind::Ssh { required: false, .. } => return Ok(None),
            MountKind::Ssh { required: true, .. } => {
                let what = "RUN --mount=type=ssh".to_owned();
                return Err(Refusal::Unsupported { what }.at(flag.value.span).into());
            }
        }))
    }

    /// The number of the input that holds `path` of a source, as a layer of its own: only what is mounted counts for
    /// the step's key, and what the context's ignore file leaves out is not seen.
    fn mount_input(
        &mut self,
        at: &At<'_>,
        flag: &MountFlag,
        (from, path): (Option<&str>, &str),
        inputs: &mut Vec<VertexId>,
    ) -> Result<usize, Stop> {
        let span = flag.value.span;
        let from = match from {
            Some(name) => self.files_of(at.frame, name, span)?,
            None => self.context("", span),
        };
        let copy = CopyOp {
            sources: vec![path.to_owned()],
            files: Vec::new(),
            destination: "/".to_owned(),
            chown: None,
            chmod: None,
            link: false,
            parents: true,
            exclude: Vec::new(),
            unpack: Unpack::Never,
            epoch: self.globals.epoch,
        };
        let base = self.scratch(span);
        let step = at.side_step();
        inputs.push(self.add(Op::Copy(Box::new(copy)), vec![base, from], at.frame.reuse, step));
        Ok(inputs.len() - 1)
    }
}

/// The target from the root.
fn target(at: &At<'_>, mount: &Mount) -> Option<String> {
    match (&mount.target, &mount.kind) {
        (Some(target), _) => Some(at.state.absolute(target)),
        (None, MountKind::Secret { env: Some(_), .. }) => None,
        (None, MountKind::Secret { .. }) => secret_id(mount).map(|id| clean(&format!("/run/secrets/{id}"))),
        (None, _) => None,
    }
}

/// A secret's name: its own, or the last part of its target.
fn secret_id(mount: &Mount) -> Option<String> {
    let MountKind::Secret { id, .. } = &mount.kind else {
        return None;
    };
    let last = || mount.target.as_ref()?.trim_end_matches('/').rsplit('/').next().map(str::to_owned);
    id.clone().or_else(last)
}

/// Where scripts with an interpreter of their own are seen.
const SCRIPTS: &str = "/dev/pipes";
const HOSTNAME_ARG: &str = "BUILDKIT_SANDBOX_HOSTNAME";
