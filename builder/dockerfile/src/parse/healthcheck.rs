//! `HEALTHCHECK`.

use std::time::Duration;

use crate::diagnostic::Diagnostic;
use crate::duration;
use crate::instruction::{CommandForm, Healthcheck, HealthcheckTest};
use crate::parse::command;
use crate::parse::flags::{self, Flags, Takes};
use crate::parse::problem::Problem;
use crate::suggest;
use crate::syntax::{Arguments, Node};

pub(super) fn healthcheck(node: &Node) -> Result<Healthcheck, Problem> {
    let Arguments::Typed(kind, arguments) = &node.arguments else {
        return Err(Problem::needs(node, "NONE, or CMD and a command"));
    };
    let command = command::form(arguments, kind.span).ok_or(Problem::SAID)?;
    let empty = match &command {
        CommandForm::Shell(line) => line.text.is_empty(),
        CommandForm::Exec(words) => words.is_empty(),
    };
    match kind.text.to_ascii_uppercase().as_str() {
        "NONE" if empty => Ok(Healthcheck::None),
        "NONE" => Err(Diagnostic::error(kind.span, "HEALTHCHECK NONE takes no arguments").into()),
        "CMD" if empty => Err(Diagnostic::error(kind.span, "HEALTHCHECK CMD needs a command").into()),
        "CMD" => Ok(Healthcheck::Test(test(node, command)?)),
        _ => {
            let help = suggest::did_you_mean(&kind.text, &["CMD", "NONE"]);
            let message = format!("HEALTHCHECK has no kind {:?}", kind.text);
            let help = help.unwrap_or("it is CMD or NONE".to_owned());
            Err(Diagnostic::error(kind.span, message).with_help(help).into())
        }
    }
}

fn test(node: &Node, command: CommandForm) -> Result<HealthcheckTest, Problem> {
    let flags = flags::read(
        node,
        &[
            ("interval", Takes::Value),
            ("timeout", Takes::Value),
            ("start-period", Takes::Value),
            ("start-interval", Takes::Value),
            ("retries", Takes::Value),
        ],
    )?;
    Ok(HealthcheckTest {
        command,
        interval: time(&flags, "interval")?,
        timeout: time(&flags, "timeout")?,
        start_period: time(&flags, "start-period")?,
        start_interval: time(&flags, "start-interval")?,
        retries: retries(&flags)?,
    })
}

/// A time; zero if it was not given.
fn time(flags: &Flags, name: &str) -> Result<Duration, Problem> {
    let Some(value) = flags.value(name).filter(|value| !value.text.is_empty()) else {
        return Ok(Duration::ZERO);
    };
    let time = duration::parse(&value.text);
    time.filter(|time| time.is_zero() || *time >= TIME_MIN).ok_or_else(|| {
        let message = format!("--{name} cannot be {:?}", value.text);
        let help = "write a time such as 30s or 1m30s, at least 1ms; 0s leaves it to the engine";
        Diagnostic::error(value.span, message).with_help(help.to_owned()).into()
    })
}

/// The shortest time that an engine takes.
const TIME_MIN: Duration = Duration::from_millis(1);

fn retries(flags: &Flags) -> Result<u32, Problem> {
    let Some(value) = flags.value("retries").filter(|value| !value.text.is_empty()) else {
        return Ok(0);
    };
    let retries = value.text.parse::<i32>().ok().and_then(|retries| u32::try_from(retries).ok());
    retries.ok_or_else(|| {
        let message = format!("--retries cannot be {:?}", value.text);
        Diagnostic::error(value.span, message).with_help("write a number, 0 or more".to_owned()).into()
    })
}
