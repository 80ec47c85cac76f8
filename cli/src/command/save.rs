//! `tug save`: writes images as an archive.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use tug_oci::{Compression, Reference};
use tug_store::Store;
use tug_store::archive::{self, SaveError, Saved};
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
    /// A docker archive.
    Docker,
    /// An OCI layout.
    Oci,
}

/// Writes.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let store = context.store()?;
    let _lease = store.lease()?;
    let images = asked_for(&args.images, store)?;
    let saved: Vec<Saved<'_>> = images.iter().map(|(image, names)| Saved { image, names }).collect();
    write(store, &saved, args.format, args.output.as_deref())?;
    Ok(Exit::SUCCESS)
}

/// Writes an archive to a file, a directory or the standard output.
pub(super) fn write(
    store: &Store,
    images: &[Saved<'_>],
    format: Format,
    output: Option<&Path>,
) -> Result<(), CommandError> {
    let packed = match format {
        Format::Docker => None,
        Format::Oci => Some(packed(store, images)?),
    };
    let Some(path) = output else {
        refuse_terminal()?;
        return written(write_tar(store, images, packed.as_deref(), &mut io::stdout().lock()), "the archive");
    };
    let shown = path.display().to_string();
    if path.is_dir() || path.as_os_str().to_string_lossy().ends_with('/') {
        return match packed {
            Some(packed) => {
                written(archive::write_oci_dir(store, &with_names(&packed, images), path), &shown)
            }
            None => Err(Diagnostic::new(format!("cannot write a docker archive into the directory {shown}"))
                .hint("name a file, or choose --format oci (type=oci) for a directory")
                .into()),
        };
    }
    to_file(path, |file| {
        let mut file = BufWriter::with_capacity(BUFFER, file);
        written(write_tar(store, images, packed.as_deref(), &mut file), &shown)?;
        file.flush().trying(|| format!("cannot write {shown}"))
    })
}

fn write_tar(
    store: &Store,
    images: &[Saved<'_>],
    packed: Option<&[Image]>,
    out: &mut dyn Write,
) -> Result<(), SaveError> {
    match packed {
        Some(packed) => archive::write_oci(store, &with_names(packed, images), out),
        None => archive::write_docker(store, images, out),
    }
}

fn packed(store: &Store, images: &[Saved<'_>]) -> Result<Vec<Image>, CommandError> {
    let pack = |saved: &Saved<'_>| store.images().packed(saved.image, Compression::Gzip);
    images.iter().map(|saved| pack(saved).trying(|| "cannot pack the image")).collect()
}

fn with_names<'a>(packed: &'a [Image], images: &[Saved<'a>]) -> Vec<Saved<'a>> {
    packed.iter().zip(images).map(|(image, saved)| Saved { image, names: saved.names }).collect()
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
fn asked_for(texts: &[String], store: &Store) -> Result<Vec<(Image, Vec<Reference>)>, CommandError> {
    let mut images: Vec<(Image, Vec<Reference>)> = Vec::new();
    for text in texts {
        let held = listing::find(store, text)?;
        let name = text.parse::<Reference>().ok().filter(|name| held.tags.contains(name));
        match images.iter_mut().find(|(known, _)| known.id() == held.id()) {
            Some((_, names)) => names.extend(name),
            None => images.push((held.image, name.into_iter().collect())),
        }
    }
    Ok(images)
}

/// A closed pipe is quiet, whatever was being written.
fn written(result: Result<(), SaveError>, to: &str) -> Result<(), CommandError> {
    match result {
        Err(SaveError::Write { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => {
            Err(CommandError::BrokenPipe)
        }
        other => other.trying(|| format!("cannot write {to}")),
    }
}

const BUFFER: usize = 1 << 17;
