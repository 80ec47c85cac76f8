//! `tug login`: keeps the credentials for a registry.

use std::io::{self, BufRead, IsTerminal, Read};

use clap::Parser;
use rustix::termios::{LocalModes, OptionalActions};
use tug_registry::credential::{Kept, Secret};

use crate::command_error::{Attempt, CommandError};
use crate::context::Context;
use crate::diagnostic::{Diagnostic, Style};
use crate::exit::Exit;
use crate::registries;

/// Log in to a registry
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  tug login registry.example.com\n  \
    echo \"$TOKEN\" | tug login -u ci --password-stdin registry.example.com\n\n\
    Credentials are kept where Docker keeps them: $DOCKER_CONFIG/config.json or ~/.docker/config.json, \
    or in the credential helper that this file names.")]
pub(crate) struct Args {
    /// Host, and port if any [default: Docker Hub]
    server: Option<String>,
    /// Who
    #[arg(short, long)]
    username: Option<String>,
    /// The password or token (others see it in the list of processes: prefer --password-stdin)
    #[arg(short, long, conflicts_with = "password_stdin")]
    password: Option<String>,
    /// Read the password from the standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
}

/// Checks the credentials with the registry and keeps them.
pub(crate) fn run(args: Args, context: &Context) -> Result<Exit, CommandError> {
    let registry = registry(args.server.as_deref());
    let file = registries::credential_file(context)?;
    if args.password.is_some() {
        let warning = context.stderr_colors().paint(Style::Warning, "WARNING!");
        context.note(&format!("{warning} --password is seen by others; use --password-stdin.\n"));
    }
    let username = match args.username {
        Some(username) => username,
        None => ask(context, "Username: ", Echo::On)?,
    };
    let password = match (args.password, args.password_stdin) {
        (Some(password), _) => password,
        (None, true) => read_password()?,
        (None, false) => ask(context, "Password: ", Echo::Off)?,
    };
    if username.is_empty() || password.is_empty() {
        return Err(Diagnostic::new("user name and password must not be empty").into());
    }
    let client = registries::client(context)?;
    let outcome = client.login(&registry, &username, Secret::new(password))?;
    let kept = file.store(&registry, &outcome.credential).trying(|| "cannot keep the credentials")?;
    if let Kept::File(path) = kept {
        let warning = context.stderr_colors().paint(Style::Warning, "WARNING!");
        let advice = "a credential helper (`credsStore`) would keep them encrypted";
        context
            .note(&format!("{warning} Credentials are kept unencrypted in {}; {advice}.\n", path.display()));
    }
    context.line("Login Succeeded")?;
    Ok(Exit::SUCCESS)
}

/// The registry as references name it: `https://host/v1/` is `host`.
pub(super) fn registry(server: Option<&str>) -> String {
    let Some(server) = server else { return DOCKER_HUB.to_owned() };
    let host = server.trim_start_matches("https://").trim_start_matches("http://");
    match host.split('/').next().unwrap_or_default() {
        "" | "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB.to_owned(),
        host => host.to_owned(),
    }
}

/// Whether what is typed is seen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Echo {
    On,
    Off,
}

fn ask(context: &Context, prompt: &str, echo: Echo) -> Result<String, CommandError> {
    if !io::stdin().is_terminal() {
        let told =
            Diagnostic::new("cannot ask for user name and password: the standard input is no terminal");
        return Err(told.hint("give -u USER and --password-stdin").into());
    }
    context.print(prompt)?;
    let attempt = || "cannot read from the terminal";
    let before = rustix::termios::tcgetattr(io::stdin()).trying(attempt)?;
    if echo == Echo::Off {
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        rustix::termios::tcsetattr(io::stdin(), OptionalActions::Flush, &quiet).trying(attempt)?;
    }
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    if echo == Echo::Off {
        rustix::termios::tcsetattr(io::stdin(), OptionalActions::Flush, &before).trying(attempt)?;
        context.line("")?;
    }
    read.trying(attempt)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// All of the standard input but the line break at its end.
fn read_password() -> Result<String, CommandError> {
    let mut text = String::new();
    let read = io::stdin().lock().take(PASSWORD_BYTES_MAX).read_to_string(&mut text);
    read.trying(|| "cannot read the password from the standard input")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

pub(super) const DOCKER_HUB: &str = "docker.io";
/// Tokens are long, but not longer.
const PASSWORD_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_as_people_write_them() {
        assert_eq!(registry(None), "docker.io");
        assert_eq!(registry(Some("https://index.docker.io/v1/")), "docker.io");
        assert_eq!(registry(Some("http://localhost:5000/")), "localhost:5000");
        assert_eq!(registry(Some("ghcr.io")), "ghcr.io");
    }
}
