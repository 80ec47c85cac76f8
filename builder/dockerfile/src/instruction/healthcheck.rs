//! `HEALTHCHECK`.

use std::time::Duration;

use crate::instruction::command::CommandForm;

/// `HEALTHCHECK`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Healthcheck {
    /// `NONE`: no check, not even the base image's.
    None,
    /// `CMD`: a command whose exit code tells.
    Test(HealthcheckTest),
}

/// `HEALTHCHECK CMD`. A zero stands for what the engine takes when nothing was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthcheckTest {
    /// The command.
    pub command: CommandForm,
    /// `--interval`: time between two checks.
    pub interval: Duration,
    /// `--timeout`: how long a check may take.
    pub timeout: Duration,
    /// `--start-period`: how long failures do not count.
    pub start_period: Duration,
    /// `--start-interval`: time between two checks in the start period.
    pub start_interval: Duration,
    /// `--retries`: failures in a row until the container counts as unhealthy.
    pub retries: u32,
}
