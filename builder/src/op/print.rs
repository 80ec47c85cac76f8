//! Ops as text, for people and for tests.

use std::fmt::{self, Write as _};

use crate::op::{CopyOp, ExecOp, Op, OpMountSource, Unpack};
use crate::request::Network;

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Image(op) => write!(f, "image {}", op.reference),
            Op::Context(op) if op.name.is_empty() => f.write_str("context"),
            Op::Context(op) => write!(f, "context {}", op.name),
            Op::Scratch => f.write_str("scratch"),
            Op::Exec(op) => exec(f, op),
            Op::Copy(op) => copy(f, op),
            Op::Directory(op) => {
                write!(f, "directory {}", op.path)?;
                op.user.as_ref().map_or(Ok(()), |user| write!(f, " user={user}"))
            }
        }
    }
}

fn exec(f: &mut fmt::Formatter<'_>, op: &ExecOp) -> fmt::Result {
    write!(f, "exec {:?}", op.args)?;
    let env: Vec<&String> = op.env.iter().filter(|pair| !pair.starts_with("PATH=")).collect();
    if !env.is_empty() {
        write!(f, " env={env:?}")?;
    }
    if op.cwd != "/" {
        write!(f, " cwd={}", op.cwd)?;
    }
    if !op.user.is_empty() {
        write!(f, " user={}", op.user)?;
    }
    match op.network {
        Network::Default => {}
        Network::None => f.write_str(" network=none")?,
        Network::Host => f.write_str(" network=host")?,
    }
    for mount in &op.mounts {
        write!(f, " mount={}:", mount.target)?;
        match &mount.source {
            OpMountSource::Input { input, path, read_only } => {
                write!(f, "input {input}/{path}{}", if *read_only { "" } else { " rw" })?;
            }
            OpMountSource::Cache(cache) => write!(f, "cache {}", cache.id)?,
            OpMountSource::Tmpfs { .. } => f.write_str("tmpfs")?,
            OpMountSource::Secret(secret) => write!(f, "secret {}", secret.id)?,
            OpMountSource::Script(content) => write!(f, "script {content:?}")?,
        }
    }
    Ok(())
}

fn copy(f: &mut fmt::Formatter<'_>, op: &CopyOp) -> fmt::Result {
    f.write_str("copy")?;
    for source in &op.sources {
        write!(f, " {source}")?;
    }
    for file in &op.files {
        write!(f, " <<{} {:?}", file.name, file.content)?;
    }
    write!(f, " → {}", op.destination)?;
    let mut flags = String::new();
    if let Some(chown) = &op.chown {
        write!(flags, " chown={chown}")?;
    }
    if let Some(chmod) = &op.chmod {
        write!(flags, " chmod={}", chmod.as_str())?;
    }
    let named = [(op.link, " link"), (op.parents, " parents"), (op.unpack == Unpack::Archives, " unpack")];
    named.iter().filter(|(set, _)| *set).for_each(|(_, name)| flags.push_str(name));
    op.exclude.iter().try_for_each(|pattern| write!(flags, " exclude={pattern}"))?;
    f.write_str(&flags)
}
