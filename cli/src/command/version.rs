//! `tug version`.

use clap::Parser;
use serde_json::json;
use tug_oci::Platform;

use crate::command_error::CommandError;
use crate::context::Context;
use crate::exit::Exit;
use crate::format;

/// Show the version
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  tug version --format '{{.Client.Version}}'")]
pub(crate) struct Args {
    /// `json`, or a Go template: .Client.Version .Client.Os .Client.Arch
    #[arg(short, long)]
    format: Option<String>,
}

/// Prints the version.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let platform = Platform::host();
    let version = env!("CARGO_PKG_VERSION");
    let text = match &args.format {
        None => format!(
            "Client: tug\n Version:           {version}\n OS/Arch:           {platform}\n Store:             {}\n",
            context.root.display()
        ),
        Some(format) => {
            let client = json!({
                "Platform": { "Name": "tug" },
                "Version": version,
                "Os": platform.os,
                "Arch": platform.architecture,
                "Root": context.root.display().to_string(),
            });
            format::value(format, &json!({ "Client": client }))?
        }
    };
    context.print(&text)?;
    Ok(Exit::SUCCESS)
}
