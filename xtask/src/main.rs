//! Contributor tasks: what people and CI run. `cargo xtask` lists them.

mod bench;
mod cargo;
mod conformance;
mod debian;
mod demo;
mod registry;
mod test;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (task, rest) = match args.split_first() {
        Some((task, rest)) => (task.as_str(), rest),
        None => ("help", &[][..]),
    };
    let done = match task {
        "demo" => demo::run(),
        "test" => test::run(rest),
        "bench" => bench::run(rest),
        "conformance" => conformance::run(rest),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(format!("no such task\n{USAGE}").into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("xtask {task}: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// What a task that failed has to say.
pub(crate) type Problem = Box<dyn std::error::Error>;

const USAGE: &str = "\
cargo xtask demo          build, push, remove, pull and run an image, from nothing
cargo xtask test          all tests, with what they need installed
cargo xtask conformance   the recorded corpora, where they are (TUG_CONFORMANCE, ../shared/conformance)
cargo xtask bench [ROW…]  ratios against peers, in one run";
