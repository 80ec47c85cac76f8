//! `RUN`.

use crate::csv;
use crate::diagnostic::Diagnostic;
use crate::instruction::{Device, MountField, MountFlag, NetworkMode, Run, SecurityMode};
use crate::parse::command;
use crate::parse::flags::{self, Takes};
use crate::parse::problem::Problem;
use crate::suggest;
use crate::syntax::Node;
use crate::value;
use crate::word::Word;

pub(super) fn run(node: &Node) -> Result<Run, Problem> {
    let flags = flags::read(
        node,
        &[
            ("mount", Takes::Values),
            ("network", Takes::Value),
            ("security", Takes::Value),
            ("device", Takes::Values),
        ],
    )?;
    Ok(Run {
        command: command::form(&node.arguments, node.keyword.span).ok_or(Problem::SAID)?,
        heredocs: node.heredocs.clone(),
        mounts: flags.values("mount").into_iter().map(mount).collect::<Result<_, _>>()?,
        network: flags.value("network").map(|mode| one_of(&mode, "network", &NETWORKS)).transpose()?,
        security: flags.value("security").map(|mode| one_of(&mode, "security", &SECURITIES)).transpose()?,
        devices: flags.values("device").iter().map(device).collect::<Result<_, _>>()?,
    })
}

const NETWORKS: [(&str, NetworkMode); 3] =
    [("default", NetworkMode::Default), ("none", NetworkMode::None), ("host", NetworkMode::Host)];

const SECURITIES: [(&str, SecurityMode); 2] =
    [("sandbox", SecurityMode::Sandbox), ("insecure", SecurityMode::Insecure)];

fn one_of<M: Copy>(value: &Word, flag: &str, modes: &[(&str, M)]) -> Result<M, Problem> {
    let names: Vec<&str> = modes.iter().map(|(name, _)| *name).collect();
    let found = modes.iter().find(|(name, _)| *name == value.text);
    found.map(|(_, mode)| *mode).ok_or_else(|| {
        let message = format!("--{flag} cannot be {:?}", value.text);
        let help = suggest::did_you_mean(&value.text, &names);
        let help = help.unwrap_or_else(|| format!("it is one of {}", names.join(", ")));
        Diagnostic::error(value.span, message).with_help(help).into()
    })
}

fn mount(value: Word) -> Result<MountFlag, Problem> {
    let Some(fields) = csv::fields(&value.text) else {
        return Err(Diagnostic::error(value.span, "the quotes in --mount are not balanced").into());
    };
    let field = |field: String| match field.split_once('=') {
        Some((key, value)) => MountField { key: key.to_ascii_lowercase(), value: Some(value.to_owned()) },
        None => MountField { key: field.to_ascii_lowercase(), value: None },
    };
    let flag = MountFlag { fields: fields.into_iter().map(field).collect(), value };
    // Which stages a step needs has to be known before any variable is.
    let mut froms =
        flag.fields.iter().filter(|field| field.key == "from").filter_map(|field| field.value.as_ref());
    if froms.any(|from| from.find('$').is_some_and(|at| at + 1 < from.len())) {
        let message = "from in --mount cannot hold variables";
        let help = "name a stage with FROM ${VARIABLE} AS NAME, and mount from=NAME";
        return Err(Diagnostic::error(flag.value.span, message).with_help(help.to_owned()).into());
    }
    Ok(flag)
}

fn device(word: &Word) -> Result<Device, Problem> {
    let problem = |message: String| Problem::from(Diagnostic::error(word.span, message));
    let fields = csv::fields(&word.text);
    let fields = fields.ok_or_else(|| problem("the quotes in --device are not balanced".to_owned()))?;
    let mut name = None;
    let mut required = false;
    for field in fields {
        match field.split_once('=') {
            Some(("required", text)) => {
                let read = value::truth(text);
                required = read.ok_or_else(|| problem(format!("required is true or false, not {text:?}")))?;
            }
            None if field == "required" => required = true,
            Some(("name", _)) if name.is_some() => return Err(problem("--device has two names".to_owned())),
            Some(("name", text)) => name = Some(text.to_owned()),
            _ if name.is_none() => name = Some(field),
            _ => return Err(problem(format!("--device has no field {field:?}"))),
        }
    }
    let name = name.unwrap_or_default();
    Ok(Device { name: Word::new(name, word.span), required })
}
