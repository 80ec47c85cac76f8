//! `RUN`.

use crate::heredoc::{Heredoc, Opening};
use crate::instruction::command::CommandForm;
use crate::instruction::mount_flag::MountFlag;
use crate::word::Word;

/// `RUN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The command.
    pub command: CommandForm,
    /// The heredocs that the command names.
    pub heredocs: Vec<Heredoc>,
    /// `--mount`, in order.
    pub mounts: Vec<MountFlag>,
    /// `--network`.
    pub network: Option<NetworkMode>,
    /// `--security`.
    pub security: Option<SecurityMode>,
    /// `--device`, in order.
    pub devices: Vec<Device>,
}

/// What `RUN` starts, heredocs put in their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunBody {
    /// A program and its arguments.
    Exec(Vec<String>),
    /// A text for the stage's shell.
    Shell(String),
    /// A heredoc that names its own interpreter (`#!`): an executable file to run.
    Script {
        /// The file's name: the heredoc's terminator.
        name: String,
        /// The file's content.
        content: String,
    },
}

impl Run {
    /// What to start.
    pub fn body(&self) -> RunBody {
        let line = match &self.command {
            CommandForm::Exec(words) => {
                return RunBody::Exec(words.iter().map(|word| word.text.clone()).collect());
            }
            CommandForm::Shell(line) => &line.text,
        };
        match self.heredocs.as_slice() {
            [] => RunBody::Shell(line.clone()),
            [only, ..] if Opening::new(line).is_some() => {
                let content = only.body();
                match content.starts_with("#!") {
                    true => RunBody::Script { name: only.name.clone(), content },
                    false => RunBody::Shell(content),
                }
            }
            heredocs => RunBody::Shell(with_heredocs(line, heredocs)),
        }
    }
}

fn with_heredocs(line: &str, heredocs: &[Heredoc]) -> String {
    let mut text = line.to_owned();
    for heredoc in heredocs {
        text.push('\n');
        text.push_str(&heredoc.content);
        text.push_str(&heredoc.name);
    }
    text
}

/// `--network` of `RUN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkMode {
    /// What the build was told.
    Default,
    /// Only a loopback device.
    None,
    /// The host's network.
    Host,
}

/// `--security` of `RUN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityMode {
    /// Isolated as every step.
    Sandbox,
    /// With all privileges; the build has to allow it.
    Insecure,
}

/// `--device` of `RUN`: a device by its CDI name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The name.
    pub name: Word,
    /// Whether the step fails without it.
    pub required: bool,
}
