//! Which bytes are taken for a manifest or index, and which image of an index is chosen.

use super::*;
use crate::Digest;

fn manifest_json(extra: &str) -> String {
    let digest = Digest::of(b"");
    format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"{}","digest":"{digest}","size":2}},"layers":[]{extra}}}"#,
        MediaType::OCI_CONFIG
    )
}

fn parse(media_type: &str, json: &str) -> Result<ManifestKind, ParseManifestError> {
    ManifestKind::parse(&media_type.into(), json.as_bytes())
}

#[test]
fn both_families_of_media_types() {
    for media_type in [MediaType::OCI_MANIFEST, MediaType::DOCKER_MANIFEST] {
        assert!(matches!(parse(media_type, &manifest_json("")), Ok(ManifestKind::Manifest(_))));
    }
    for media_type in [MediaType::OCI_INDEX, MediaType::DOCKER_INDEX] {
        let index = r#"{"schemaVersion":2,"manifests":[]}"#;
        assert!(matches!(parse(media_type, index), Ok(ManifestKind::Index(_))));
    }
}

#[test]
fn bytes_that_are_two_things_at_once_are_refused() {
    let both = manifest_json(r#","manifests":[]"#);
    assert!(matches!(parse(MediaType::OCI_MANIFEST, &both), Err(ParseManifestError::Ambiguous)));
    assert!(matches!(parse(MediaType::OCI_INDEX, &both), Err(ParseManifestError::Ambiguous)));
    let other = manifest_json(&format!(r#","mediaType":"{}""#, MediaType::DOCKER_MANIFEST));
    let error = parse(MediaType::OCI_MANIFEST, &other).unwrap_err();
    assert!(matches!(error, ParseManifestError::MediaTypeDiffers { .. }), "{error}");
}

#[test]
fn what_is_no_manifest() {
    let plain = manifest_json("");
    let schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    assert!(matches!(parse(schema1, &plain), Err(ParseManifestError::NotAManifest(_))));
    let one = plain.replace("\"schemaVersion\":2", "\"schemaVersion\":1");
    assert!(matches!(parse(MediaType::OCI_MANIFEST, &one), Err(ParseManifestError::Schema(1))));
    for bad in ["", "[]", "{}", "<html>", "{\"schemaVersion\":2}", "{\"schemaVersion\":-2}"] {
        let error = parse(MediaType::OCI_MANIFEST, bad).unwrap_err();
        assert!(matches!(error, ParseManifestError::Json { .. }), "{bad}: {error}");
    }
    let negative = plain.replace("\"size\":2", "\"size\":-2");
    assert!(matches!(parse(MediaType::OCI_MANIFEST, &negative), Err(ParseManifestError::Json { .. })));
    let escaping = plain.replace("sha256:", "../../sha256:");
    assert!(matches!(parse(MediaType::OCI_MANIFEST, &escaping), Err(ParseManifestError::Json { .. })));
}

#[test]
fn a_tower_of_layers_is_refused() {
    let layer = Descriptor::of(MediaType::OCI_LAYER, b"");
    let config = Descriptor::of(MediaType::OCI_CONFIG, b"{}");
    let json =
        |count| serde_json::to_string(&Manifest::image(config.clone(), vec![layer.clone(); count])).unwrap();
    assert!(parse(MediaType::OCI_MANIFEST, &json(LAYERS_MAX)).is_ok());
    let error = parse(MediaType::OCI_MANIFEST, &json(LAYERS_MAX + 1)).unwrap_err();
    assert!(matches!(error, ParseManifestError::TooManyLayers(_)), "{error}");
}

fn entry(platform: Option<&str>) -> Descriptor {
    let name = platform.unwrap_or("none");
    let platform = platform.map(|platform| platform.parse().unwrap());
    Descriptor { platform, ..Descriptor::of(MediaType::OCI_MANIFEST, name.as_bytes()) }
}

#[test]
fn the_image_for_a_platform_is_chosen() {
    let unknown = Some(Platform::new("unknown", "unknown"));
    let attestation = Descriptor { platform: unknown, ..entry(None) };
    let index = Index::of(vec![
        attestation.clone(),
        entry(Some("linux/arm/v6")),
        entry(Some("linux/arm/v7")),
        entry(Some("linux/arm64")),
        entry(Some("linux/amd64")),
    ]);
    let choose = |wanted: &str| index.choose(&wanted.parse().unwrap()).cloned();
    assert_eq!(choose("linux/amd64"), Some(entry(Some("linux/amd64"))));
    assert_eq!(choose("x86_64"), Some(entry(Some("linux/amd64"))));
    assert_eq!(choose("linux/arm64/v8"), Some(entry(Some("linux/arm64"))));
    assert_eq!(choose("linux/arm"), Some(entry(Some("linux/arm/v7"))));
    assert_eq!(choose("linux/arm/v6"), Some(entry(Some("linux/arm/v6"))));
    assert_eq!(choose("linux/s390x"), None);
    assert_eq!(choose("windows/amd64"), None);
    let host = Platform::host();
    assert_eq!(Index::of(vec![entry(None)]).choose(&host), Some(&entry(None)));
    assert_eq!(Index::of(vec![attestation]).choose(&host), None);
    assert_eq!(Index::of(Vec::new()).choose(&host), None);
}
