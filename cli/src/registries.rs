//! The registry client, told what this machine's settings are.

use std::collections::HashSet;

use tug_registry::credential::{CredentialFile, Credentials};
use tug_registry::{Client, Options, Proxies};

use crate::command_error::CommandError;
use crate::context::Context;
use crate::diagnostic::Diagnostic;

/// A client with the person's credentials and the environment's proxies.
pub(crate) fn client(context: &Context) -> Result<Client, CommandError> {
    Ok(Client::new(options(context))?)
}

/// What such a client is told.
pub(crate) fn options(context: &Context) -> Options {
    let credentials = match credential_file(context) {
        Ok(file) => Credentials::File(file),
        Err(_) => Credentials::Anonymous,
    };
    Options { credentials, insecure: insecure(context), proxies: proxies(context), ..Options::default() }
}

/// Docker's `config.json`.
pub(crate) fn credential_file(context: &Context) -> Result<CredentialFile, CommandError> {
    match context.docker_config_dir() {
        Some(directory) => Ok(CredentialFile::at(directory.join("config.json"))),
        None => {
            let told =
                Diagnostic::new("there is no place for credentials: neither HOME nor DOCKER_CONFIG is set");
            Err(told.into())
        }
    }
}

/// The registries that may be spoken to in clear, besides those of this machine itself.
fn insecure(context: &Context) -> HashSet<String> {
    let list = context.var(INSECURE).unwrap_or_default();
    list.split([',', ' ']).map(str::trim).filter(|host| !host.is_empty()).map(str::to_owned).collect()
}

fn proxies(context: &Context) -> Proxies {
    let var = |upper: &str, lower: &str| {
        context.var(lower).or_else(|| context.var(upper)).unwrap_or_default().to_owned()
    };
    Proxies {
        https: var("HTTPS_PROXY", "https_proxy"),
        // The upper-case name can be set by a client of a CGI program, which tug is not.
        http: var("HTTP_PROXY", "http_proxy"),
        no_proxy: var("NO_PROXY", "no_proxy"),
    }
}

/// Hosts (`host[:port]`, separated by commas) that are spoken to in clear or with any certificate.
const INSECURE: &str = "TUG_INSECURE_REGISTRIES";
