//! The state of a stage while its instructions are lowered.

use tug_oci::{ContainerConfig, ImageConfig, Platform, RootFs};
use tug_solver::{Reuse, VertexId};

use crate::lower::HistoryItem;
use crate::lower::scope::Variables;

/// What a stage is after some of its instructions. A stage on this one starts with a copy.
#[derive(Clone, Debug)]
pub(super) struct StageState {
    /// Its files.
    pub(super) vertex: VertexId,
    /// What the image says of itself.
    pub(super) config: ImageConfig,
    /// The image's past.
    pub(super) history: Vec<HistoryItem>,
    /// What steps see, and words are expanded with: the config's environment and the declared arguments.
    pub(super) variables: Variables,
    /// Declared arguments and their values, for the history.
    pub(super) args: Vec<(String, Option<String>)>,
    /// Whether this stage has a `CMD`, so that a later `ENTRYPOINT` leaves it.
    pub(super) command: Command,
}

/// Where a stage's command comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// The base.
    Inherited,
    /// The stage itself.
    Own,
}

impl StageState {
    /// A stage without files.
    pub(super) fn scratch(vertex: VertexId, platform: &Platform) -> StageState {
        let root = if platform.os == "windows" { "\\" } else { "/" };
        let config = ContainerConfig { working_dir: root.to_owned(), ..ContainerConfig::default() };
        StageState::new(
            vertex,
            ImageConfig {
                created: None,
                author: None,
                platform: platform.clone(),
                config: Some(config),
                rootfs: RootFs::of(Vec::new()),
                history: Vec::new(),
            },
        )
    }

    /// A stage on an image.
    pub(super) fn new(vertex: VertexId, mut config: ImageConfig) -> StageState {
        let history = std::mem::take(&mut config.history).into_iter().map(HistoryItem::Base).collect();
        StageState {
            vertex,
            config,
            history,
            variables: Variables::default(),
            args: Vec::new(),
            command: Command::Inherited,
        }
    }

    /// What every stage has before its first instruction.
    pub(super) fn begin(&mut self) {
        self.command = Command::Inherited;
        // On Windows the system itself has one.
        let usual = self.config.platform.os != "windows";
        let config = self.container();
        if usual && !config.env.iter().any(|pair| pair.starts_with("PATH=")) {
            config.env.push(format!("PATH={PATH}"));
        }
        let pairs = config.env.clone();
        for pair in &pairs {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            self.variables.set(name, value);
        }
    }

    /// The container's part of the config.
    pub(super) fn container(&mut self) -> &mut ContainerConfig {
        self.config.config.get_or_insert_default()
    }

    /// The working directory, from the root.
    pub(super) fn working_dir(&self) -> &str {
        let named = self.config.config.as_ref().map(|config| config.working_dir.as_str());
        // The root is the root, also where it is written as Windows does.
        named.filter(|path| !path.is_empty() && *path != "\\").unwrap_or("/")
    }

    /// The user of steps; empty for root.
    pub(super) fn user(&self) -> &str {
        self.config.config.as_ref().map_or("", |config| &config.user)
    }

    /// The shell of the shell form.
    pub(super) fn shell(&self) -> Vec<String> {
        let set = self.config.config.as_ref().map(|config| config.shell.clone()).unwrap_or_default();
        let usual: &[&str] = match self.config.platform.os.as_str() {
            "windows" => &["cmd", "/S", "/C"],
            _ => &["/bin/sh", "-c"],
        };
        if set.is_empty() { usual.iter().map(|&word| word.to_owned()).collect() } else { set }
    }

    /// Adds an entry for an instruction that makes no step.
    pub(super) fn note(&mut self, created_by: String) {
        self.history.push(HistoryItem::Metadata(created_by));
    }

    /// `path` as seen from the working directory, cleaned.
    pub(super) fn absolute(&self, path: &str) -> String {
        match path.starts_with('/') {
            true => clean(path),
            false => clean(&format!("{}/{path}", self.working_dir())),
        }
    }
}

/// An absolute path without `.`, `..` and double slashes.
pub(super) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// What is constant while a stage is lowered.
#[derive(Clone, Debug)]
pub(super) struct StageFrame {
    /// Its number.
    pub(super) index: usize,
    /// What to call it: empty when it is the only one and has no name.
    pub(super) title: String,
    /// How many steps it has, `FROM` included.
    pub(super) total: usize,
    /// The number of the step that comes next.
    pub(super) next: usize,
    /// Whether cached results will do.
    pub(super) reuse: Reuse,
}

impl StageFrame {
    /// The name of the next step.
    pub(super) fn name(&mut self, text: &str) -> String {
        let number = self.next;
        self.next += 1;
        let title = if self.title.is_empty() { String::new() } else { format!("{} ", self.title) };
        format!("[{title}{number}/{}] {text}", self.total)
    }
}

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
