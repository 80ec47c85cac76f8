//! An image against the one recorded.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use tug_store::image::Image;

use super::case::{Node, Want};
use crate::Problem;

/// What differs first, if anything.
pub(super) fn image(
    image: &Image,
    tree: &BTreeMap<String, Node>,
    (base, want, loose): (&BTreeMap<String, Node>, &Want, &[String]),
) -> Result<Option<String>, Problem> {
    let differences = [
        config(image, want)?,
        platform(image, want)?,
        want.created.as_ref().and_then(|created| {
            let got = image.config.created.as_ref();
            (got != Some(created)).then(|| format!("created {got:?}, wanted {created}"))
        }),
        files(tree, base, want, loose),
    ];
    let all: Vec<String> = differences.into_iter().flatten().collect();
    Ok((!all.is_empty()).then(|| all.join("; ")))
}

fn config(image: &Image, want: &Want) -> Result<Option<String>, Problem> {
    let got = serde_json::to_value(&image.config.config)?;
    let got = got.as_object().cloned().unwrap_or_default();
    Ok(fields(&got, &want.config, &CONFIG))
}

fn platform(image: &Image, want: &Want) -> Result<Option<String>, Problem> {
    let got = serde_json::to_value(&image.config.platform)?;
    let got = got.as_object().cloned().unwrap_or_default();
    Ok(fields(&got, &want.platform, &["os", "architecture", "variant", "os.version"]))
}

fn fields(got: &Map<String, Value>, want: &Map<String, Value>, names: &[&str]) -> Option<String> {
    let different = |name: &&&str| filled(got.get(**name)) != filled(want.get(**name));
    let name = names.iter().find(different)?;
    let shown = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    Some(format!("{name} is {}, wanted {}", shown(got.get(*name)), shown(want.get(*name))))
}

fn filled(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    })
}

fn files(
    tree: &BTreeMap<String, Node>,
    base: &BTreeMap<String, Node>,
    want: &Want,
    loose: &[String],
) -> Option<String> {
    let counts = |path: &str| !left_out(path) && !loose.iter().any(|loose| loose == path);
    let own = tree.iter().filter(|(path, node)| counts(path) && base.get(*path) != Some(*node));
    let own: BTreeMap<&String, &Node> = own.collect();
    let wanted: BTreeMap<&String, &Node> = want.fs.iter().filter(|(path, _)| counts(path)).collect();
    let paths: BTreeSet<&&String> = own.keys().chain(wanted.keys()).collect();
    let mut differences: Vec<String> = paths
        .into_iter()
        .filter(|path| !same(own.get(**path).copied(), wanted.get(**path).copied()))
        .map(|path| format!("{path} is {}, wanted {}", shown(own.get(*path)), shown(wanted.get(*path))))
        .collect();
    for path in want.removed.iter().filter(|path| counts(path) && tree.contains_key(*path)) {
        differences.push(format!("{path} is there, wanted removed"));
    }
    for path in base.keys().filter(|path| counts(path) && !tree.contains_key(*path)) {
        if !want.removed.contains(path) {
            differences.push(format!("{path} is gone"));
        }
    }
    let first: Vec<String> = differences.into_iter().take(SHOWN).collect();
    (!first.is_empty()).then(|| first.join("; "))
}

fn same(got: Option<&Node>, want: Option<&Node>) -> bool {
    match (got, want) {
        (Some(got), Some(want)) => {
            let mut got = got.clone();
            if want.mode.is_none() {
                got.mode = None;
            }
            let late = want.mtime.is_some_and(|time| time > 1_500_000_000);
            let mut want = want.clone();
            if late {
                want.mtime = None;
            }
            got == want
        }
        (None, None) => true,
        _ => false,
    }
}

fn shown(node: Option<&&Node>) -> String {
    let Some(node) = node else {
        return "nothing".to_owned();
    };
    let mut text = format!("{} {} {}:{}", node.kind, node.mode.as_deref().unwrap_or("-"), node.uid, node.gid);
    if let Some(sha) = &node.sha {
        text.push_str(&format!(" {} bytes {sha}", node.size.unwrap_or_default()));
    }
    if let Some(to) = &node.to {
        text.push_str(&format!(" to {to}"));
    }
    if let Some(mtime) = node.mtime {
        text.push_str(&format!(" of {mtime}"));
    }
    text
}

/// What the machine and the runtime put there.
fn left_out(path: &str) -> bool {
    matches!(path, "/etc/resolv.conf" | "/etc/hosts" | "/etc/hostname")
        || ["/proc", "/dev", "/sys"].iter().any(|top| path == *top || path.starts_with(&format!("{top}/")))
}

const CONFIG: [&str; 12] = [
    "Env",
    "Cmd",
    "Entrypoint",
    "User",
    "WorkingDir",
    "Labels",
    "ExposedPorts",
    "Volumes",
    "StopSignal",
    "Shell",
    "OnBuild",
    "Healthcheck",
];
const SHOWN: usize = 4;
