//! Synthetic images in memory: config, gzip layers and manifest, as a registry has them.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tug_oci::{
    ContainerConfig, Descriptor, DiffId, Digest, History, ImageConfig, Index, Manifest, MediaType, Platform,
    RootFs,
};

/// An image and all its blobs.
#[derive(Clone, Debug)]
pub struct SyntheticImage {
    /// The manifest's bytes.
    pub manifest: Vec<u8>,
    /// Of the manifest.
    pub descriptor: Descriptor,
    /// The config and the layers: descriptor and bytes.
    pub blobs: Vec<(Descriptor, Vec<u8>)>,
    /// The layers' diff ids, from the lowest up.
    pub diff_ids: Vec<DiffId>,
}

/// A file of a layer.
#[derive(Clone, Debug)]
pub struct File {
    /// Its path, without leading slash.
    pub path: String,
    /// Its content.
    pub content: Vec<u8>,
}

impl File {
    /// A file.
    pub fn new(path: impl Into<String>, content: impl Into<Vec<u8>>) -> File {
        File { path: path.into(), content: content.into() }
    }

    /// A file of `size` bytes that do not compress; the same for the same seed.
    pub fn noise(path: impl Into<String>, size: usize, seed: u64) -> File {
        let mut state = seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut content = Vec::with_capacity(size + 8);
        while content.len() < size {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            content.extend_from_slice(&state.to_le_bytes());
        }
        content.truncate(size);
        File::new(path, content)
    }
}

/// An image for this machine with one gzip layer for each list of files.
pub fn image(layers: &[Vec<File>]) -> SyntheticImage {
    image_for(Platform::host(), layers)
}

/// The same for another platform.
pub fn image_for(platform: Platform, layers: &[Vec<File>]) -> SyntheticImage {
    let mut blobs = Vec::new();
    let mut diff_ids = Vec::new();
    for files in layers {
        let tar = tar_of(files);
        diff_ids.push(DiffId(Digest::of(&tar)));
        let packed = gzip(&tar);
        blobs.push((Descriptor::of(MediaType::OCI_LAYER_GZIP, &packed), packed));
    }
    let config = ImageConfig {
        created: Some("2026-01-01T00:00:00Z".to_owned()),
        author: None,
        platform,
        config: Some(ContainerConfig {
            cmd: Some(vec!["/bin/true".to_owned()]),
            ..ContainerConfig::default()
        }),
        rootfs: RootFs::of(diff_ids.clone()),
        history: vec![History::default(); layers.len()],
    };
    let config = serde_json::to_vec(&config).expect("a config is always JSON");
    let layers = blobs.iter().map(|(descriptor, _)| descriptor.clone()).collect();
    let descriptor = Descriptor::of(MediaType::OCI_CONFIG, &config);
    blobs.insert(0, (descriptor.clone(), config));
    let manifest =
        serde_json::to_vec(&Manifest::image(descriptor, layers)).expect("a manifest is always JSON");
    let descriptor = Descriptor::of(MediaType::OCI_MANIFEST, &manifest);
    SyntheticImage { manifest, descriptor, blobs, diff_ids }
}

/// An index of images, each with its platform.
pub fn index(images: &[(Platform, &SyntheticImage)]) -> (Descriptor, Vec<u8>) {
    let entry = |(platform, image): &(Platform, &SyntheticImage)| Descriptor {
        platform: Some(platform.clone()),
        ..image.descriptor.clone()
    };
    let bytes =
        serde_json::to_vec(&Index::of(images.iter().map(entry).collect())).expect("an index is always JSON");
    (Descriptor::of(MediaType::OCI_INDEX, &bytes), bytes)
}

/// A tar of files owned by root.
pub fn tar_of(files: &[File]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for file in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(1_700_000_000);
        builder
            .append_data(&mut header, &file.path, file.content.as_slice())
            .expect("writing to memory does not fail");
    }
    builder.into_inner().expect("writing to memory does not fail")
}

/// Bytes as gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("writing to memory does not fail");
    encoder.finish().expect("writing to memory does not fail")
}
