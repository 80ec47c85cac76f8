//! What is done with a built image: its names, its way to registries, its exports.

use std::io;
use std::path::Path;

use tug_oci::Reference;
use tug_store::Store;
use tug_store::archive;
use tug_store::image::Image;

use super::Args;
use super::output::{Output, OutputKind};
use crate::command::push;
use crate::command::save::{self, Format};
use crate::command_error::{Attempt, CommandError};
use crate::context::Context;
use crate::progress::{OwnStep, Progress};
use crate::registries;
use crate::transfers::StepLines;

/// A built image that is on its way out.
pub(super) struct Finish<'a> {
    pub(super) image: &'a Image,
    pub(super) names: &'a [Reference],
    pub(super) store: &'a Store,
    pub(super) progress: &'a Progress,
}

impl Finish<'_> {
    /// Sets the names.
    pub(super) fn name(&self) -> Result<(), CommandError> {
        self.progress.step(&format!("writing image {}", self.image.id())).done();
        for name in self.names {
            let step = self.progress.step(&format!("naming to {name}"));
            let set = self.store.names().set(name, &self.image.descriptor);
            ended(step, set.trying(|| format!("cannot set the name {}", name.familiar())))?;
        }
        Ok(())
    }

    /// Pushes and exports.
    pub(super) fn deliver(&self, args: &Args, push: bool, context: &Context) -> Result<(), CommandError> {
        if push {
            self.push(context)?;
        }
        for output in args.output.iter().filter(|output| output.kind.writes()) {
            let to = output
                .dest
                .as_ref()
                .map_or("the standard output".to_owned(), |dest| dest.display().to_string());
            let step = self.progress.step(&format!("exporting to {to}"));
            ended(step, self.export(output))?;
        }
        Ok(())
    }

    fn push(&self, context: &Context) -> Result<(), CommandError> {
        let client = registries::client(context)?;
        for name in self.names {
            let step = self.progress.step(&format!("pushing {name}"));
            let sent = push::send(name, self.store, &client, &StepLines(&step));
            if let Ok(pushed) = &sent {
                step.line(&format!("digest: {} size: {}", pushed.descriptor.digest, pushed.descriptor.size));
            }
            ended(step, sent)?;
        }
        Ok(())
    }

    fn export(&self, output: &Output) -> Result<(), CommandError> {
        let dest = output.dest.as_deref();
        let format = match output.kind {
            OutputKind::Oci => Format::Oci,
            OutputKind::Docker => Format::Docker,
            OutputKind::Tar => return self.flatten(dest),
            OutputKind::Local => {
                let dest = dest.unwrap_or(Path::new("."));
                let attempt = || format!("cannot export to {}", dest.display());
                return archive::export_dir(self.store, self.image.diff_ids(), dest).trying(attempt);
            }
            OutputKind::Image | OutputKind::Registry => return Ok(()),
        };
        save::write(self.store, &[(self.image.clone(), self.names.to_vec())], format, dest)
    }

    fn flatten(&self, dest: Option<&Path>) -> Result<(), CommandError> {
        let layers = self.image.diff_ids();
        match dest {
            None => save::to_stdout(archive::flatten(self.store, layers, io::stdout().lock())).map(drop),
            Some(path) => save::to_file(path, |file| {
                let attempt = || format!("cannot export to {}", path.display());
                archive::flatten(self.store, layers, file).trying(attempt).map(drop)
            }),
        }
    }
}

fn ended<T>(step: OwnStep<'_>, result: Result<T, CommandError>) -> Result<T, CommandError> {
    match &result {
        Ok(_) => step.done(),
        Err(_) => step.failed(),
    }
    result
}
