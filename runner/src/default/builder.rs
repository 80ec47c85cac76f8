//! Puts a configuration together from what people ask for.

use std::path::{Path, PathBuf};

use oci_spec::runtime::{
    Capabilities, Linux, LinuxCapabilities, LinuxNamespace, LinuxNamespaceType, Mount, Process, Root, Spec,
    User as SpecUser,
};

use super::paths::mount;
use super::{capabilities, masked_paths, mounts, readonly_paths};
use crate::seccomp;

/// A container's configuration, Docker's defaults where nothing else is said.
#[derive(Clone, Debug)]
pub struct Builder {
    process: Process,
    user: User,
    network: Network,
    hostname: Option<String>,
    mounts: Vec<Mount>,
    root_access: RootAccess,
    capabilities: Capabilities,
}

/// Which network a container has.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Network {
    /// The host's.
    Host,
    /// Only its own loopback interface.
    #[default]
    None,
    /// That of a network namespace which exists, by its file.
    Joined(PathBuf),
}

/// Who a container's process is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Further groups.
    pub additional_gids: Vec<u32>,
}

/// Whether a container may change its root file system.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum RootAccess {
    /// It may only read.
    Readonly,
    /// It may write.
    #[default]
    Writable,
}

impl Builder {
    /// A container that runs this program with these arguments.
    pub fn new<A: Into<String>>(args: impl IntoIterator<Item = A>) -> Builder {
        let mut process = Process::default();
        process
            .set_terminal(Some(false))
            .set_args(Some(args.into_iter().map(Into::into).collect()))
            .set_env(Some(vec![DEFAULT_PATH.to_owned()]))
            .set_cwd(PathBuf::from("/"))
            .set_rlimits(None)
            .set_no_new_privileges(Some(false));
        Builder {
            process,
            user: User::default(),
            network: Network::default(),
            hostname: None,
            mounts: Vec::new(),
            root_access: RootAccess::default(),
            capabilities: capabilities(),
        }
    }

    /// The whole environment, as `NAME=value`. Without a `PATH` it gets the usual one.
    pub fn env<E: Into<String>>(mut self, env: impl IntoIterator<Item = E>) -> Builder {
        let mut env: Vec<String> = env.into_iter().map(Into::into).collect();
        if !env.iter().any(|pair| pair.starts_with("PATH=")) {
            env.insert(0, DEFAULT_PATH.to_owned());
        }
        self.process.set_env(Some(env));
        self
    }

    /// The working directory.
    pub fn cwd(mut self, cwd: impl Into<PathBuf>) -> Builder {
        self.process.set_cwd(cwd.into());
        self
    }

    /// Who the process is.
    pub fn user(mut self, user: User) -> Builder {
        self.user = user;
        self
    }

    /// Its network.
    pub fn network(mut self, network: Network) -> Builder {
        self.network = network;
        self
    }

    /// Its host name.
    pub fn hostname(mut self, hostname: impl Into<String>) -> Builder {
        self.hostname = Some(hostname.into());
        self
    }

    /// Whether it may change its root file system.
    pub fn root_access(mut self, access: RootAccess) -> Builder {
        self.root_access = access;
        self
    }

    /// What its root may do, instead of [`capabilities`]. The system call filter follows.
    pub fn capabilities(mut self, capabilities: Capabilities) -> Builder {
        self.capabilities = capabilities;
        self
    }

    /// A terminal of its own; [`crate::Stdio::Terminal`] takes the other side.
    pub fn terminal(mut self) -> Builder {
        self.process.set_terminal(Some(true));
        self
    }

    /// A file or directory of the host, with all that is mounted below it. Options are fstab's, such as `ro`.
    pub fn bind(self, source: &Path, destination: &Path, options: &[&str]) -> Builder {
        let mut options = options.to_vec();
        options.extend(["rbind", "rprivate"]);
        let mut bind = mount("bind", "", &options);
        bind.set_source(Some(source.to_path_buf())).set_destination(destination.to_path_buf());
        self.mount(bind)
    }

    /// An empty file system in memory. Options are fstab's, such as `size=64m`.
    pub fn tmpfs(self, destination: &Path, options: &[&str]) -> Builder {
        let mut all = vec!["nosuid", "nodev", "noexec"];
        all.extend(options);
        let mut tmpfs = mount("tmpfs", "", &all);
        tmpfs.set_destination(destination.to_path_buf());
        self.mount(tmpfs)
    }

    /// Any mount. One with the destination of a default mount takes its place.
    pub fn mount(mut self, mount: Mount) -> Builder {
        self.mounts.push(mount);
        self
    }

    /// The configuration.
    pub fn build(self) -> Spec {
        let Builder { mut process, user, network, hostname, mounts: own, root_access, capabilities } = self;
        let mut spec_user = SpecUser::default();
        spec_user.set_uid(user.uid).set_gid(user.gid).set_additional_gids(Some(user.additional_gids));
        process.set_user(spec_user).set_capabilities(Some(capability_sets(&capabilities)));

        let mut all = mounts();
        all.retain(|mount| !own.iter().any(|other| other.destination() == mount.destination()));
        all.extend(own);

        let mut root = Root::default();
        root.set_readonly(Some(root_access == RootAccess::Readonly));
        let mut spec = Spec::default();
        spec.set_root(Some(root))
            .set_process(Some(process))
            .set_mounts(Some(all))
            .set_hostname(hostname)
            .set_linux(Some(linux(network, &capabilities)));
        spec
    }
}

fn capability_sets(capabilities: &Capabilities) -> LinuxCapabilities {
    let mut sets = LinuxCapabilities::default();
    sets.set_bounding(Some(capabilities.clone()))
        .set_permitted(Some(capabilities.clone()))
        .set_effective(Some(capabilities.clone()))
        .set_inheritable(None)
        .set_ambient(None);
    sets
}

fn linux(network: Network, capabilities: &Capabilities) -> Linux {
    let mut namespaces: Vec<LinuxNamespace> = [
        LinuxNamespaceType::Cgroup,
        LinuxNamespaceType::Ipc,
        LinuxNamespaceType::Mount,
        LinuxNamespaceType::Pid,
        LinuxNamespaceType::Uts,
    ]
    .map(|kind| namespace(kind, None))
    .into();
    match network {
        Network::Host => {}
        Network::None => namespaces.push(namespace(LinuxNamespaceType::Network, None)),
        Network::Joined(path) => {
            namespaces.push(namespace(LinuxNamespaceType::Network, Some(path)));
        }
    }
    let mut linux = Linux::default();
    linux
        .set_namespaces(Some(namespaces))
        .set_seccomp(Some(seccomp::default_profile(capabilities)))
        .set_masked_paths(Some(masked_paths()))
        .set_readonly_paths(Some(readonly_paths()))
        .set_resources(None)
        .set_devices(None);
    linux
}

fn namespace(kind: LinuxNamespaceType, path: Option<PathBuf>) -> LinuxNamespace {
    let mut namespace = LinuxNamespace::default();
    namespace.set_typ(kind).set_path(path);
    namespace
}

const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
