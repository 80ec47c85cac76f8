//! `tug inspect`: all that is known of images, as JSON.

use clap::Parser;
use serde::Serialize;
use serde_json::{Value, json};
use tug_oci::{ContainerConfig, Descriptor, Reference};

use crate::command_error::{Attempt, CommandError};
use crate::context::Context;
use crate::exit::Exit;
use crate::listing::{self, Held};
use crate::{format, timestamp};

/// Show all that is known of images, as JSON
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  tug inspect app:1\n  tug inspect --format '{{json .Config.Env}}' app:1")]
pub(crate) struct Args {
    /// Names, ids or starts of ids
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    /// `json`, or a Go template such as '{{.Id}}' or '{{index .RepoDigests 0}}'
    #[arg(short, long)]
    format: Option<String>,
    /// Taken for Docker's sake: there are only images
    #[arg(long, hide = true)]
    r#type: Option<String>,
}

/// Shows each; one that is missing does not keep the others.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let store = context.store()?;
    let mut exit = Exit::SUCCESS;
    let mut inspected: Vec<Inspected> = Vec::new();
    let mut failures = Vec::new();
    for text in &args.images {
        match listing::find(store, text) {
            Ok(held) => inspected.push(Inspected::of(&held)),
            Err(error @ CommandError::Failed(_)) => failures.push(error),
            Err(other) => return Err(other),
        }
    }
    match &args.format {
        None => {
            let text = serde_json::to_string_pretty(&inspected).trying(|| "cannot write JSON")?;
            context.line(indented(&text))?;
        }
        Some(format) => {
            for image in &inspected {
                let value = serde_json::to_value(image).trying(|| "cannot write JSON")?;
                context.print(&format::value(format, &value)?)?;
            }
        }
    }
    for error in &failures {
        context.tell(error);
        exit = Exit::FAILURE;
    }
    Ok(exit)
}

/// Docker's indentation is four spaces.
fn indented(text: &str) -> String {
    let deeper = |line: &str| {
        let depth = line.len() - line.trim_start_matches(' ').len();
        format!("{}{line}", " ".repeat(depth))
    };
    text.lines().map(deeper).collect::<Vec<_>>().join("\n")
}

/// What Docker shows of an image, in its order.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    repo_tags: Vec<String>,
    repo_digests: Vec<String>,
    comment: String,
    created: String,
    author: String,
    config: Value,
    architecture: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
    os: String,
    size: u64,
    #[serde(rename = "RootFS")]
    root_fs: RootFs,
    metadata: Metadata,
    descriptor: Descriptor,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RootFs {
    r#type: String,
    layers: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    last_tag_time: String,
}

impl Inspected {
    fn of(held: &Held) -> Inspected {
        let image = &held.image;
        let config = &image.config;
        let last = config.history.last();
        Inspected {
            id: held.id().to_string(),
            repo_tags: held.tags.iter().map(Reference::familiar).collect(),
            repo_digests: held.digests.iter().map(Reference::familiar).collect(),
            comment: last.and_then(|entry| entry.comment.clone()).unwrap_or_default(),
            created: config.created.clone().unwrap_or_default(),
            author: config.author.clone().unwrap_or_default(),
            config: container_config(config.config.clone().unwrap_or_default()),
            architecture: config.platform.architecture.clone(),
            variant: config.platform.variant.clone(),
            os: config.platform.os.clone(),
            size: held.size,
            root_fs: RootFs {
                r#type: "layers".to_owned(),
                layers: image.diff_ids().iter().map(ToString::to_string).collect(),
            },
            metadata: Metadata { last_tag_time: timestamp::rfc3339(held.added) },
            descriptor: image.descriptor.clone(),
        }
    }
}

/// The config with the fields that scripts ask for, empty where the image leaves them out.
fn container_config(config: ContainerConfig) -> Value {
    let mut value = serde_json::to_value(&config).unwrap_or_default();
    let usual = json!({
        "Cmd": null, "Entrypoint": null, "Env": [], "ExposedPorts": {}, "Labels": {}, "OnBuild": [],
        "StopSignal": "", "User": "", "Volumes": {}, "WorkingDir": "",
    });
    if let (Value::Object(members), Value::Object(usual)) = (&mut value, usual) {
        for (name, empty) in usual {
            members.entry(name).or_insert(empty);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_fields_are_empty() {
        let config = ContainerConfig { cmd: Some(vec!["sh".to_owned()]), ..ContainerConfig::default() };
        let value = container_config(config);
        assert_eq!(value["Cmd"], json!(["sh"]));
        assert_eq!(value["Labels"], json!({}));
        assert_eq!(value["User"], json!(""));
    }

    #[test]
    fn four_spaces() {
        assert_eq!(indented("[\n  {\n    \"a\": 1\n  }\n]"), "[\n    {\n        \"a\": 1\n    }\n]");
    }
}
