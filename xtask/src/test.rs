//! `cargo xtask test`: all tests, with what they need installed.

use crate::cargo::{self, Profile};
use crate::{Problem, debian};

pub(crate) fn run(args: &[String]) -> Result<(), Problem> {
    debian::require(
        [&debian::COMPILER, &debian::BUSYBOX, &debian::REGISTRY].into_iter().chain(debian::JUDGES),
    )?;
    // End-to-end tests run the binary; building it here keeps its compile errors apart from theirs.
    cargo::build_tug(Profile::Dev)?;
    let mut test = vec!["test", "--workspace"];
    test.extend(args.iter().map(String::as_str));
    cargo::cargo(&test)
}
