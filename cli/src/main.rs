//! The binary `tug`: arguments in, wiring, terminal, exit code out. What another front end would need lives elsewhere.

mod cli;
mod command;
mod command_error;
mod container;
mod context;
mod diagnostic;
mod executor;
mod exit;
mod format;
mod glob;
mod image_source;
mod listing;
mod progress;
mod registries;
mod scratch;
mod screen;
mod signals;
mod table;
mod template;
mod terminal;
mod timestamp;
mod transfers;
mod units;

use std::process::ExitCode;

use crate::context::Context;
use crate::exit::Exit;

fn main() -> ExitCode {
    tug_runner::helper_entry();
    let cli = match cli::parse(std::env::args_os().collect()) {
        Ok(cli) => cli,
        Err(exit) => return exit.into(),
    };
    let context = Context::new(cli.root, cli.debug);
    let failure_exit = cli.command.failure_exit();
    match cli.command.run(&context) {
        Ok(exit) => exit.into(),
        Err(error) => {
            context.tell(&error);
            match error.exit() {
                Exit::FAILURE => failure_exit.into(),
                exit => exit.into(),
            }
        }
    }
}
