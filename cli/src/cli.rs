//! The command line as a whole: global options, the grouped overview, and what is done about mistakes in it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, CommandFactory, FromArgMatches, Parser};

use crate::command::Command;
use crate::exit::Exit;

/// Build, push, pull and run container images, without a daemon
#[derive(Debug, Parser)]
#[command(name = "tug", version, disable_version_flag = true, max_term_width = 110)]
#[command(subcommand_required = true, arg_required_else_help = true, propagate_version = false)]
pub(crate) struct Cli {
    /// Directory of the store [default: $TUG_ROOT, else /var/lib/tug for root, $XDG_DATA_HOME/tug for a user]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub(crate) root: Option<PathBuf>,
    /// Show all that is known about a failure
    #[arg(short = 'D', long, global = true, help_heading = "Global options")]
    pub(crate) debug: bool,
    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version, help_heading = "Global options")]
    version: Option<bool>,
    /// The verb.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Reads the command line. What cannot be read is explained, and the process's exit code given.
pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Cli, Exit> {
    let mut arguments = arguments;
    let mut attempts = 0;
    loop {
        let parsed =
            command().try_get_matches_from(&arguments).and_then(|matches| Cli::from_arg_matches(&matches));
        let error = match parsed {
            Ok(cli) => return Ok(cli),
            Err(error) => error,
        };
        attempts += 1;
        match without_flag_value(&arguments, &error).filter(|_| attempts <= FLAG_VALUES_MAX) {
            Some(fewer) => arguments = fewer,
            None => return Err(explain(&error)),
        }
    }
}

/// The command line's definition, with the verbs in groups.
fn command() -> clap::Command {
    let command = Cli::command();
    let mut overview = String::new();
    for (heading, verbs) in GROUPS {
        overview.push_str(&format!("{heading}:\n"));
        for verb in *verbs {
            let about = command.find_subcommand(verb).and_then(clap::Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            overview.push_str(&format!("  {verb:<10}{about}\n"));
        }
        overview.push('\n');
    }
    let template = format!(
        "{{about}}\n\n{{usage-heading}} tug [OPTIONS] COMMAND\n\n{overview}Options:\n{{options}}{{after-help}}"
    );
    with_short_help(command)
        .help_template(template)
        .after_help("`tug COMMAND --help` says more about a command.")
        .subcommand_value_name("COMMAND")
}

/// `--help` everywhere, one line an option; `-h` too, where it means nothing else.
fn with_short_help(command: clap::Command) -> clap::Command {
    let taken = command.get_arguments().any(|argument| argument.get_short() == Some('h'));
    let help = Arg::new("help").long("help").action(ArgAction::HelpShort).help("Print this help");
    let help = if taken { help } else { help.short('h') };
    let mut command = command.disable_help_flag(true).arg(help.help_heading("Global options"));
    let verbs: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    for verb in verbs {
        command = command.mut_subcommand(verb, with_short_help);
    }
    command
}

/// Docker takes `--flag=true` and `--flag=false` for any switch: the arguments without that value, when the error
/// is about it.
fn without_flag_value(arguments: &[OsString], error: &clap::Error) -> Option<Vec<OsString>> {
    if error.kind() != ErrorKind::TooManyValues {
        return None;
    }
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let value = text(ContextKind::InvalidValue)?;
    let switched_on = value.parse::<bool>().ok()?;
    let flag = text(ContextKind::InvalidArg)?.split(['=', ' ', ',']).find(|part| part.starts_with("--"))?;
    let whole = OsString::from(format!("{flag}={value}"));
    let at = arguments.iter().position(|argument| *argument == whole)?;
    let mut fewer = arguments.to_vec();
    match switched_on {
        true => fewer[at] = OsString::from(flag),
        false => drop(fewer.remove(at)),
    }
    Some(fewer)
}

/// Prints the error (or the help that was asked for).
fn explain(error: &clap::Error) -> Exit {
    // Nothing can be done about a closed output here.
    let _ = error.print();
    exit_of(error.kind())
}

fn exit_of(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::SUCCESS,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Exit::SUCCESS,
        ErrorKind::InvalidSubcommand | ErrorKind::MissingRequiredArgument | ErrorKind::MissingSubcommand => {
            Exit::FAILURE
        }
        _ => Exit::USAGE,
    }
}

/// The overview.
const GROUPS: &[(&str, &[&str])] = &[
    ("Build and run", &["build", "run"]),
    ("Images", &["images", "tag", "rmi", "inspect", "history", "save", "load"]),
    ("Registries", &["pull", "push", "login", "logout"]),
    ("The store", &["df", "prune", "fsck"]),
    ("Groups, as Docker has them", &["image", "builder", "system"]),
    ("About tug", &["version"]),
];

/// More `--flag=true` than one command has switches.
const FLAG_VALUES_MAX: usize = 32;

#[cfg(test)]
mod tests;
