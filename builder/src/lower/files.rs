//! `COPY`, `ADD`, `WORKDIR`.

use tug_dockerfile::Word;
use tug_dockerfile::instruction::{Add, Copy, CopySource};
use tug_solver::VertexId;

use crate::lower::HistoryItem;
use crate::lower::pass::{At, Pass, Stop};
use crate::lower::refusal::{LowerError, Refusal};
use crate::lower::stage::clean;
use crate::op::{Chmod, CopyFile, CopyOp, DirectoryOp, Op, Unpack};

impl Pass<'_> {
    pub(super) fn copy_files(&mut self, at: &mut At<'_>, copy: &Copy) -> Result<(), Stop> {
        let (sources, files) = self.sources(at, &copy.sources)?;
        let mut exclude = Vec::new();
        for pattern in &copy.exclude {
            exclude.push(self.word(at.state, pattern)?);
        }
        let op = CopyOp {
            sources,
            files,
            destination: self.destination(at, &copy.destination)?,
            chown: self.flag(at, copy.chown.as_ref())?,
            chmod: self.chmod(at, copy.chmod.as_ref())?,
            link: copy.link,
            parents: copy.parents,
            exclude,
            unpack: Unpack::Never,
            epoch: self.globals.epoch,
        };
        let from = match &copy.from {
            _ if op.sources.is_empty() => None,
            Some(from) if from.text.contains('$') => {
                return Err(Refusal::FromVariable { what: "--from" }.at(from.span).into());
            }
            Some(from) => Some(self.files_of(at.frame, &from.text, from.span)?),
            None => Some(self.context("", at.instruction.span)),
        };
        self.add_copy(at, "COPY", op, from);
        Ok(())
    }

    pub(super) fn add_files(&mut self, at: &mut At<'_>, add: &Add) -> Result<(), Stop> {
        let (sources, files) = self.sources(at, &add.sources)?;
        if let Some(remote) = sources.iter().find(|source| is_remote(source)) {
            let what = format!("ADD of the remote source {remote}");
            return Err(Refusal::Unsupported { what }.at(at.instruction.span).into());
        }
        let mut exclude = Vec::new();
        for pattern in &add.exclude {
            exclude.push(self.word(at.state, pattern)?);
        }
        let op = CopyOp {
            sources,
            files,
            destination: self.destination(at, &add.destination)?,
            chown: self.flag(at, add.chown.as_ref())?,
            chmod: self.chmod(at, add.chmod.as_ref())?,
            link: add.link,
            parents: false,
            exclude,
            unpack: if add.unpack == Some(false) { Unpack::Never } else { Unpack::Archives },
            epoch: self.globals.epoch,
        };
        let from = (!op.sources.is_empty()).then(|| self.context("", at.instruction.span));
        self.add_copy(at, "ADD", op, from);
        Ok(())
    }

    pub(super) fn workdir(&mut self, at: &mut At<'_>, path: &Word) -> Result<(), Stop> {
        let text = self.word(at.state, path)?;
        if text.is_empty() {
            let word = path.text.clone();
            return Err(Refusal::Empty { instruction: "WORKDIR", word }.at(path.span).into());
        }
        let path = at.state.absolute(&text);
        at.state.container().working_dir.clone_from(&path);
        let step = at.step();
        let created_by = format!("WORKDIR {path}");
        if path == "/" {
            at.state.note(created_by);
            return Ok(());
        }
        let user = Some(at.state.user().to_owned()).filter(|user| !user.is_empty());
        let op = Op::Directory(DirectoryOp { path, user, epoch: self.globals.epoch });
        at.state.vertex = self.add(op, vec![at.state.vertex], at.frame.reuse, step);
        at.state.history.push(HistoryItem::Step(created_by));
        Ok(())
    }

    fn add_copy(&mut self, at: &mut At<'_>, name: &str, op: CopyOp, from: Option<VertexId>) {
        let created_by = created_by(name, &op);
        let inputs = [Some(at.state.vertex), from].into_iter().flatten().collect();
        let step = at.step();
        at.state.vertex = self.add(Op::Copy(Box::new(op)), inputs, at.frame.reuse, step);
        at.state.history.push(HistoryItem::Step(created_by));
    }

    fn sources(
        &self,
        at: &At<'_>,
        sources: &[CopySource],
    ) -> Result<(Vec<String>, Vec<CopyFile>), LowerError> {
        let (mut paths, mut files) = (Vec::new(), Vec::new());
        for source in sources {
            match source {
                CopySource::Path(word) => paths.push(self.word(at.state, word)?),
                CopySource::Heredoc(heredoc) => {
                    let body = heredoc.body();
                    let content = match heredoc.expand {
                        true => at.state.variables.text(&body, heredoc.span)?,
                        false => body,
                    };
                    files.push(CopyFile { name: heredoc.name.clone(), content });
                }
            }
        }
        Ok((paths, files))
    }

    /// The destination from the root, with a slash at the end where it is meant as a directory.
    fn destination(&self, at: &At<'_>, word: &Word) -> Result<String, LowerError> {
        let text = self.word(at.state, word)?;
        let directory = text.is_empty() || text == "." || text.ends_with('/') || text.ends_with("/.");
        let mut path = at.state.absolute(&text);
        if directory && path != "/" {
            path.push('/');
        }
        Ok(path)
    }

    fn flag(&self, at: &At<'_>, word: Option<&Word>) -> Result<Option<String>, LowerError> {
        word.map(|word| self.word(at.state, word)).transpose()
    }

    fn chmod(&self, at: &At<'_>, word: Option<&Word>) -> Result<Option<Chmod>, LowerError> {
        let Some(word) = word else {
            return Ok(None);
        };
        let text = self.word(at.state, word)?;
        Chmod::parse(&text).map(Some).map_err(|source| Refusal::from(source).at(word.span))
    }
}

/// As BuildKit writes it into the history.
fn created_by(name: &str, op: &CopyOp) -> String {
    let mut text = name.to_owned();
    if op.parents {
        text.push_str(" --parents");
    }
    if let Some(chown) = &op.chown {
        text.push_str(&format!(" --chown={chown}"));
    }
    if let Some(chmod) = &op.chmod {
        text.push_str(&format!(" --chmod={}", chmod.as_str()));
    }
    op.exclude.iter().for_each(|pattern| text.push_str(&format!(" --exclude={pattern}")));
    op.sources.iter().for_each(|source| text.push_str(&format!(" {source}")));
    op.files.iter().for_each(|file| text.push_str(&format!(" <<{}", file.name)));
    format!("{text} {} # buildkit", op.destination)
}

/// Whether a source of `ADD` lies in the network.
fn is_remote(source: &str) -> bool {
    let schemes = ["http://", "https://", "git://", "ssh://", "git@"];
    schemes.iter().any(|scheme| source.starts_with(scheme)) || clean(source).starts_with("/github.com/")
}
