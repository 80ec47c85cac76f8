//! Arguments and an image → the configuration that the runtime is given.

use std::fs;
use std::path::{Path, PathBuf};

use tug_oci::ContainerConfig;
use tug_runner::default::{self, Builder, RootAccess};
use tug_runner::spec::Spec;
use tug_store::image::Image;
use tug_store::view::{Links, View};

use super::volume::Access;
use super::{Args, Network};
use crate::command_error::{Attempt, CommandError};
use crate::container::command::{self, Env};
use crate::container::{capability, host_files, user};
use crate::context::Context;
use crate::diagnostic::Diagnostic;

/// All that decides how a container looks.
pub(super) struct Plan<'a> {
    pub(super) args: &'a Args,
    /// What stands behind the image's name.
    pub(super) arguments: &'a [String],
    pub(super) image: &'a Image,
    pub(super) view: &'a View,
    /// A directory for files that the container is shown, gone when it is.
    pub(super) scratch: &'a Path,
    pub(super) id: &'a str,
}

impl Plan<'_> {
    /// The configuration.
    pub(super) fn spec(&self, context: &Context) -> Result<Spec, CommandError> {
        let args = self.args;
        let config = self.image.config.config.clone().unwrap_or_default();
        let command = command::command(&config, args.entrypoint.as_deref(), self.arguments);
        let command = command.ok_or_else(|| {
            Diagnostic::new("the image names no command").hint("give one behind the image's name")
        })?;
        let ids = user::lookup(args.user.as_deref().unwrap_or(&config.user), self.view)?;
        let hostname = self.hostname();
        let env = self.env(&config, &hostname, ids.home.as_deref(), context)?;
        let cwd = args.workdir.clone().unwrap_or_else(|| config.working_dir.clone());
        if !cwd.is_empty() && !cwd.starts_with('/') {
            return Err(Diagnostic::new(format!("the working directory {cwd:?} is not absolute")).into());
        }
        let mut builder = Builder::new(command)
            .env(env.into_pairs())
            .cwd(if cwd.is_empty() { "/" } else { &cwd })
            .user(user::process_user(&ids))
            .hostname(&hostname)
            .root_access(if args.read_only { RootAccess::Readonly } else { RootAccess::Writable })
            .network(match args.network {
                Network::None => default::Network::None,
                Network::Host => default::Network::Host,
            });
        if args.tty {
            builder = builder.terminal();
        }
        builder = host_files::provide(builder, self.scratch, host_files::Which::All, &hostname, &[])?;
        builder = self.mounts(builder, &config, context)?;
        let mut spec = builder.build();
        if !(args.cap_add.is_empty() && args.cap_drop.is_empty())
            && let Some(process) = spec.process_mut()
        {
            let set = capability::change(default::capabilities(), &args.cap_add, &args.cap_drop);
            process.set_capabilities(Some(capability::sets(&set)));
        }
        Ok(spec)
    }

    /// With the machine's network its name too, else the id.
    fn hostname(&self) -> String {
        match (&self.args.hostname, self.args.network) {
            (Some(name), _) => name.clone(),
            (None, Network::Host) => rustix::system::uname().nodename().to_string_lossy().into_owned(),
            (None, Network::None) => self.id[..12].to_owned(),
        }
    }

    fn env(
        &self,
        config: &ContainerConfig,
        hostname: &str,
        home: Option<&str>,
        context: &Context,
    ) -> Result<Env, CommandError> {
        let mut env = Env::default();
        env.set(DEFAULT_PATH);
        env.set(&format!("HOSTNAME={hostname}"));
        if self.args.tty {
            env.set("TERM=xterm");
        }
        config.env.iter().for_each(|pair| env.set(pair));
        let mut given = Vec::new();
        for path in &self.args.env_file {
            let attempt = || format!("cannot read {}", path.display());
            given.extend(command::env_file(&fs::read_to_string(path).trying(attempt)?).trying(attempt)?);
        }
        given.extend(self.args.env.iter().cloned());
        for pair in given {
            match (pair.contains('='), context.env.get(&pair)) {
                (false, Some(value)) => env.set(&format!("{pair}={value}")),
                _ => env.set(&pair),
            }
        }
        env.set_default("HOME", home.filter(|home| !home.is_empty()).unwrap_or("/"));
        Ok(env)
    }

    fn mounts(
        &self,
        builder: Builder,
        config: &ContainerConfig,
        context: &Context,
    ) -> Result<Builder, CommandError> {
        let mut builder = builder;
        for volume in &self.args.volume {
            let target = Path::new(&volume.target);
            let options: &[&str] = if volume.access == Access::ReadOnly { &["ro"] } else { &[] };
            let source = match &volume.source {
                Some(path) => self.source(path, context)?,
                None => self.anonymous(&volume.target)?,
            };
            builder = builder.bind(&source, target, options);
        }
        for tmpfs in &self.args.tmpfs {
            let (target, options) = tmpfs.split_once(':').unwrap_or((tmpfs, ""));
            if !target.starts_with('/') {
                return Err(
                    Diagnostic::new(format!("the target of --tmpfs {tmpfs:?} is not absolute")).into()
                );
            }
            let options: Vec<&str> = options.split(',').filter(|option| !option.is_empty()).collect();
            builder = builder.tmpfs(Path::new(target), &options);
        }
        // A volume that the image declares holds what the image has there, and goes with the container: its
        // writable layer does just that. Only a directory that is not there has to be made.
        for target in config.volumes.keys() {
            let given = self.args.volume.iter().any(|volume| volume.target.trim_end_matches('/') == target);
            let there = self.view.lookup(Path::new(target), Links::Follow)?.is_some();
            if !given && !there && target.starts_with('/') {
                builder = builder.bind(&self.anonymous(target)?, Path::new(target), &[]);
            }
        }
        Ok(builder)
    }

    /// The absolute path of what is bound. A directory that is not there is made, as Docker does.
    fn source(&self, path: &Path, context: &Context) -> Result<PathBuf, CommandError> {
        let path = match path.strip_prefix("~") {
            Ok(rest) => Path::new(context.var("HOME").unwrap_or("/")).join(rest),
            Err(_) => context.current_dir()?.join(path),
        };
        if !path.exists() {
            fs::create_dir_all(&path).trying(|| format!("cannot make the directory {}", path.display()))?;
        }
        fs::canonicalize(&path).trying(|| format!("cannot find {}", path.display()))
    }

    /// An empty directory that goes with the container.
    fn anonymous(&self, target: &str) -> Result<PathBuf, CommandError> {
        let name: String = target.chars().map(|c| if c == '/' { '-' } else { c }).collect();
        let path = self.scratch.join(format!("volume{name}"));
        fs::create_dir_all(&path).trying(|| format!("cannot make the directory {}", path.display()))?;
        Ok(path)
    }
}

const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
