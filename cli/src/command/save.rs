//! `tug save`: writes images as an archive.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use tug_oci::{Compression, Reference};
use tug_store::Store;
use tug_store::archive::{self, Saved};
use tug_store::image::Image;

use crate::command_error::{Attempt, CommandError};
use crate::context::Context;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::listing;

/// Write images as an archive
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  tug save -o app.tar app:1 app:2\n  tug save app:1 | ssh host docker load\n  \
    tug save --format oci -o layout/ app:1   # a directory"
)]
pub(crate) struct Args {
    /// Names, ids or starts of ids
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    /// Where to write: a file, or a directory where the path is one or ends in `/` [default: standard output]
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// docker: plain layers, read by `docker load` and by OCI tools; oci: an OCI layout with gzip layers
    #[arg(long, value_enum, default_value_t = Format::Docker)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub(super) enum Format {
    Docker,
    Oci,
}

/// Writes.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let store = context.store()?;
    let _lease = store.lease()?;
    let exports = exports(&args.images, store)?;
    write(store, &exports, args.format, args.output.as_deref())?;
    Ok(Exit::SUCCESS)
}

/// An image, and the names it is to have in the archive.
pub(super) type Export = (Image, Vec<Reference>);

/// Writes an archive to a file, a directory or the standard output.
pub(super) fn write(
    store: &Store,
    exports: &[Export],
    format: Format,
    output: Option<&Path>,
) -> Result<(), CommandError> {
    let packed: Vec<Export> = exports
        .iter()
        .map(|(image, names)| match format {
            // Layers were never packed unless the image came from, or went to, a registry.
            Format::Oci => Ok((store.images().packed(image, Compression::Gzip)?, names.clone())),
            Format::Docker => Ok((image.clone(), names.clone())),
        })
        .collect::<Result<_, CommandError>>()?;
    let saved: Vec<Saved<'_>> = packed.iter().map(|(image, names)| Saved { image, names }).collect();
    let to = |out: &mut dyn Write| match format {
        Format::Docker => archive::write_docker(store, &saved, out),
        Format::Oci => archive::write_oci(store, &saved, out),
    };
    let Some(path) = output else {
        refuse_terminal()?;
        return to_stdout(to(&mut io::stdout().lock()));
    };
    let attempt = || format!("cannot write {}", path.display());
    let directory = path.is_dir() || path.as_os_str().to_string_lossy().ends_with('/');
    match (directory, format) {
        (true, Format::Oci) => archive::write_oci_dir(store, &saved, path).trying(attempt),
        (true, Format::Docker) => {
            let told =
                Diagnostic::new(format!("{} is a directory, and a docker archive is a file", path.display()));
            Err(told.hint("--format oci fills a directory").into())
        }
        (false, _) => to_file(path, |file| {
            let mut out = BufWriter::with_capacity(BUFFER, file);
            to(&mut out).trying(attempt)?;
            out.flush().trying(attempt)
        }),
    }
}

/// When whoever reads the standard output went away, that is no failure to tell of.
pub(super) fn to_stdout<T, E: Error + 'static>(result: Result<T, E>) -> Result<T, CommandError> {
    result.map_err(|error| {
        let mut at: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(cause) = at {
            let io = cause.downcast_ref::<io::Error>();
            if io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
                return CommandError::BrokenPipe;
            }
            at = cause.source();
        }
        CommandError::from(error).trying("cannot write to the standard output")
    })
}

/// Writes beside the file, and puts it in place when all went well.
pub(super) fn to_file(
    path: &Path,
    write: impl FnOnce(&File) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let attempt = || format!("cannot write {}", path.display());
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    let file = builder.prefix(".tug-").permissions(mode).tempfile_in(directory).trying(attempt)?;
    write(file.as_file())?;
    file.persist(path).map_err(|error| error.error).trying(attempt)?;
    Ok(())
}

/// A terminal is no place for an archive.
pub(super) fn refuse_terminal() -> Result<(), CommandError> {
    match io::stdout().is_terminal() {
        true => Err(Diagnostic::new("refusing to write an archive to the terminal")
            .hint("redirect the output, or name a file with -o")
            .into()),
        false => Ok(()),
    }
}

/// Images with the names they were asked for by; those given by id go without.
fn exports(images: &[String], store: &Store) -> Result<Vec<Export>, CommandError> {
    let mut exports: Vec<Export> = Vec::new();
    for text in images {
        let held = listing::find(store, text)?;
        let name = text.parse::<Reference>().ok().filter(|name| held.tags.contains(name));
        match exports.iter_mut().find(|(image, _)| image.id() == held.id()) {
            Some((_, names)) => names.extend(name),
            None => exports.push((held.image, name.into_iter().collect())),
        }
    }
    Ok(exports)
}

const BUFFER: usize = 1 << 17;
