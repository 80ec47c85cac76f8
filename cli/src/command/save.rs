//! `tug save`: writes images as an archive.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal};
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use tug_oci::Reference;
use tug_store::Store;

use crate::archive::{self, DirSink, Export, Layout, Sink, TarSink};
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
enum Format {
    Docker,
    Oci,
}

/// Writes.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let store = context.store()?;
    let _lease = store.lease()?;
    let exports = exports(&args.images, store)?;
    let layout = match args.format {
        Format::Docker => Layout::Docker,
        Format::Oci => Layout::Oci,
    };
    write(store, &exports, layout, args.output.as_deref())?;
    Ok(Exit::SUCCESS)
}

/// Writes an archive to a file, a directory or the standard output.
pub(super) fn write(
    store: &Store,
    exports: &[Export],
    layout: Layout,
    output: Option<&Path>,
) -> Result<(), CommandError> {
    let Some(path) = output else {
        refuse_terminal()?;
        return written(
            archive::export(store, exports, layout, &mut TarSink::new(io::stdout().lock())),
            "the archive",
        );
    };
    let shown = path.display().to_string();
    if path.is_dir() || path.as_os_str().to_string_lossy().ends_with('/') {
        let mut sink = DirSink::create(path).trying(|| format!("cannot write into {shown}"))?;
        return written(archive::export(store, exports, layout, &mut sink), &shown);
    }
    to_file(path, |file| {
        let mut sink = TarSink::new(BufWriter::with_capacity(BUFFER, file));
        let sink: &mut dyn Sink = &mut sink;
        written(archive::export(store, exports, layout, sink), &shown)
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
        match exports.iter_mut().find(|known| known.image.id() == held.id()) {
            Some(known) => known.names.extend(name),
            None => exports.push(Export { image: held.image, names: name.into_iter().collect() }),
        }
    }
    Ok(exports)
}

/// A closed pipe is quiet, whatever was being written.
fn written(result: Result<(), archive::ExportError>, to: &str) -> Result<(), CommandError> {
    match result {
        Err(archive::ExportError::Write { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => {
            Err(CommandError::BrokenPipe)
        }
        other => other.trying(|| format!("cannot write {to}")),
    }
}

const BUFFER: usize = 1 << 17;
