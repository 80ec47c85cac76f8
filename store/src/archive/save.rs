//! Images out, always the same bytes for the same images: members sorted, headers canonical, blobs once.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tug_oci::layout::{
    ANNOTATION_IMAGE_NAME, ANNOTATION_REF_NAME, DOCKER_MANIFEST_FILE, DockerArchiveEntry, INDEX_FILE,
    LAYOUT_FILE, LAYOUT_JSON,
};
use tug_oci::{CONFIG_BYTES_MAX, Compression, Descriptor, Index, Manifest, MediaType, Reference};

use super::load::blob_path;
use crate::Store;
use crate::content::ReadError;
use crate::image::Image;
use crate::layer::PackError;
use crate::tarball::{Kind, Member, TarWriter};

/// An image to save, and the names it is to have.
#[derive(Clone, Copy)]
pub struct Saved<'a> {
    /// The image.
    pub image: &'a Image,
    /// Its names; none is fine.
    pub names: &'a [Reference],
}

/// Why an archive cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// What it goes to does not take it.
    #[error("cannot write {name}")]
    Write {
        /// The file or member.
        name: String,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// A blob of the image.
    #[error("cannot read a blob of the image")]
    Read(#[from] ReadError),
    /// A layer of the image.
    #[error("cannot pack a layer of the image")]
    Pack(#[from] PackError),
    /// A value that is no JSON.
    #[error("cannot encode {name}")]
    Json {
        /// The member.
        name: &'static str,
        /// What went wrong.
        #[source]
        source: serde_json::Error,
    },
}

/// Writes what `docker save` does since version 25: an OCI layout with plain layers, and beside it the table of
/// contents that older readers look for.
pub fn write_docker(store: &Store, images: &[Saved<'_>], out: impl Write) -> Result<(), SaveError> {
    let mut layout = Layout::default();
    let mut table = Vec::new();
    for saved in images {
        let mut layers = Vec::new();
        for layer in saved.image.diff_ids() {
            layers.push(store.layers().blob(layer, Compression::None)?);
        }
        let config = Descriptor {
            media_type: MediaType::new(MediaType::OCI_CONFIG),
            ..saved.image.manifest.config.clone()
        };
        let manifest = encode("a manifest", &Manifest::image(config.clone(), layers.clone()))?;
        let target = Descriptor::of(MediaType::OCI_MANIFEST, &manifest);
        table.push(DockerArchiveEntry {
            config: blob_path(&config.digest),
            repo_tags: Some(saved.names.iter().map(Reference::familiar).collect()),
            layers: layers.iter().map(|layer| blob_path(&layer.digest)).collect(),
        });
        layout.add_config(store, &config)?;
        layout.add_layers(&layers);
        layout.add_image(target, manifest, saved.names);
    }
    layout
        .files
        .insert(DOCKER_MANIFEST_FILE.to_owned(), Source::Bytes(encode(DOCKER_MANIFEST_FILE, &table)?));
    layout.write_tar(store, out)
}

/// Writes an OCI layout as an archive. The layers go in as the image's manifest has them.
pub fn write_oci(store: &Store, images: &[Saved<'_>], out: impl Write) -> Result<(), SaveError> {
    Layout::of(store, images)?.write_tar(store, out)
}

/// Writes an OCI layout into a directory, which is made where it is not there. Blobs that are there already stay.
pub fn write_oci_dir(store: &Store, images: &[Saved<'_>], directory: &Path) -> Result<(), SaveError> {
    Layout::of(store, images)?.write_dir(store, directory)
}

/// Where a file of the layout comes from.
enum Source {
    Bytes(Vec<u8>),
    Layer(Box<Descriptor>),
}

/// The files of a layout, by path.
#[derive(Default)]
struct Layout {
    files: BTreeMap<String, Source>,
    targets: Vec<Descriptor>,
}

impl Layout {
    fn of(store: &Store, images: &[Saved<'_>]) -> Result<Layout, SaveError> {
        let mut layout = Layout::default();
        for Saved { image, names } in images {
            let limit = tug_oci::MANIFEST_BYTES_MAX;
            let manifest = store.content().read(&image.descriptor.digest, limit)?;
            layout.add_config(store, &image.manifest.config)?;
            layout.add_layers(&image.manifest.layers);
            let Descriptor { media_type, digest, size, .. } = image.descriptor.clone();
            layout.add_image(Descriptor::new(media_type, digest, size), manifest, names);
        }
        Ok(layout)
    }

    fn add_config(&mut self, store: &Store, config: &Descriptor) -> Result<(), SaveError> {
        let bytes = store.content().read(&config.digest, CONFIG_BYTES_MAX)?;
        self.files.insert(blob_path(&config.digest), Source::Bytes(bytes));
        Ok(())
    }

    fn add_layers(&mut self, layers: &[Descriptor]) {
        for layer in layers {
            self.files.insert(blob_path(&layer.digest), Source::Layer(Box::new(layer.clone())));
        }
    }

    fn add_image(&mut self, target: Descriptor, manifest: Vec<u8>, names: &[Reference]) {
        self.files.insert(blob_path(&target.digest), Source::Bytes(manifest));
        if names.is_empty() {
            self.targets.push(target);
            return;
        }
        for name in names {
            let mut annotations = BTreeMap::from([(ANNOTATION_IMAGE_NAME.to_owned(), name.to_string())]);
            if let Some(tag) = name.tag() {
                annotations.insert(ANNOTATION_REF_NAME.to_owned(), tag.to_owned());
            }
            self.targets.push(Descriptor { annotations: Some(annotations), ..target.clone() });
        }
    }

    /// What it holds.
    fn index(&self) -> Result<Vec<u8>, SaveError> {
        encode(INDEX_FILE, &Index::of(self.targets.clone()))
    }

    fn write_tar(mut self, store: &Store, out: impl Write) -> Result<(), SaveError> {
        let index = self.index()?;
        self.files.insert(INDEX_FILE.to_owned(), Source::Bytes(index));
        self.files.insert(LAYOUT_FILE.to_owned(), Source::Bytes(LAYOUT_JSON.as_bytes().to_vec()));
        let mut tar = TarWriter::new(io::BufWriter::with_capacity(WRITE_BYTES, out));
        let failed = |name: &str| {
            let name = name.to_owned();
            move |source| SaveError::Write { name, source }
        };
        let mut folders: Vec<String> = Vec::new();
        for (path, source) in &self.files {
            for (end, _) in path.match_indices('/') {
                let folder = path[..=end].to_owned();
                if !folders.contains(&folder) {
                    let member = Member::new(folder.clone().into_bytes(), Kind::Dir, 0o755);
                    tar.whole(&member, &[]).map_err(failed(&folder))?;
                    folders.push(folder);
                }
            }
            let mut member = Member::new(path.clone().into_bytes(), Kind::File, 0o644);
            match source {
                Source::Bytes(bytes) => {
                    member.size = bytes.len() as u64;
                    tar.whole(&member, bytes).map_err(failed(path))?;
                }
                Source::Layer(layer) => {
                    member.size = layer.size;
                    tar.member(&member).map_err(failed(path))?;
                    copy(store.layers().open(layer)?, |bytes| tar.content(bytes)).map_err(failed(path))?;
                    tar.end_content(&member).map_err(failed(path))?;
                }
            }
        }
        tar.finish().map(drop).map_err(failed("the archive"))
    }

    fn write_dir(self, store: &Store, directory: &Path) -> Result<(), SaveError> {
        for (path, source) in &self.files {
            let path = directory.join(path);
            if fs::symlink_metadata(&path).is_ok() {
                continue;
            }
            write_file(&path, |file| match source {
                Source::Bytes(bytes) => Ok(file.write_all(bytes)),
                Source::Layer(layer) => {
                    let input = store.layers().open(layer)?;
                    Ok(copy(input, |bytes| file.write_all(bytes)))
                }
            })?;
        }
        let index = self.index()?;
        write_file(&directory.join(LAYOUT_FILE), |file| Ok(file.write_all(LAYOUT_JSON.as_bytes())))?;
        write_file(&directory.join(INDEX_FILE), |file| Ok(file.write_all(&index)))
    }
}

/// Writes a file under another name first, so that under its own it is whole.
fn write_file(
    path: &Path,
    fill: impl FnOnce(&mut fs::File) -> Result<io::Result<()>, SaveError>,
) -> Result<(), SaveError> {
    let failed = |source| SaveError::Write { name: path.display().to_string(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let filled =
        fs::File::create(&partial).map_err(failed).and_then(|mut file| fill(&mut file)?.map_err(failed));
    match filled.and_then(|()| fs::rename(&partial, path).map_err(failed)) {
        Ok(()) => Ok(()),
        Err(error) => {
            // The first error is the one to tell.
            let _ = fs::remove_file(&partial);
            Err(error)
        }
    }
}

fn copy(mut input: impl Read, mut put: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; WRITE_BYTES];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(len) => put(&buffer[..len])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn encode(name: &'static str, value: &impl serde::Serialize) -> Result<Vec<u8>, SaveError> {
    serde_json::to_vec(value).map_err(|source| SaveError::Json { name, source })
}

const WRITE_BYTES: usize = 256 << 10;
