//! Timing two commands in turn.

use std::fmt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Problem;

/// One side of a comparison.
pub(super) struct Side<'s> {
    /// What it is called.
    pub(super) name: &'static str,
    /// Puts things back before each run; not timed.
    pub(super) prepare: &'s dyn Fn() -> Result<(), Problem>,
    /// The command that is timed.
    pub(super) command: &'s dyn Fn() -> Command,
}

/// What came of it.
pub(super) struct Comparison {
    ours: Measured,
    theirs: Measured,
}

struct Measured {
    name: &'static str,
    times: Vec<Duration>,
    /// Of the largest process that the command waited for; a daemon is not in it.
    memory_kib: u64,
}

/// Runs the two sides in turn, `runs` times each, after one round that only takes their memory.
pub(super) fn compare(runs: usize, ours: &Side<'_>, theirs: &Side<'_>) -> Result<Comparison, Problem> {
    let mut comparison = Comparison { ours: Measured::warm_up(ours)?, theirs: Measured::warm_up(theirs)? };
    for _ in 0..runs {
        comparison.ours.times.push(time(ours)?);
        comparison.theirs.times.push(time(theirs)?);
    }
    comparison.ours.times.sort();
    comparison.theirs.times.sort();
    Ok(comparison)
}

impl Measured {
    fn warm_up(side: &Side<'_>) -> Result<Measured, Problem> {
        (side.prepare)()?;
        Ok(Measured { name: side.name, times: Vec::new(), memory_kib: peak_memory_kib(&(side.command)())? })
    }

    fn median(&self) -> Duration {
        self.times[self.times.len() / 2]
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let (first, last) = (self.times[0], self.times[self.times.len() - 1]);
        write!(f, "{} {:.1} ms ({:.1} to {:.1}), ", self.name, ms(self.median()), ms(first), ms(last))?;
        write!(f, "{} MiB", self.memory_kib / 1024)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ratio = self.ours.median().as_secs_f64() / self.theirs.median().as_secs_f64();
        write!(f, "{}; {}; ratio {ratio:.3}", self.ours, self.theirs)
    }
}

fn time(side: &Side<'_>) -> Result<Duration, Problem> {
    (side.prepare)()?;
    // What the last run left in the page cache would otherwise be written during this one.
    rustix::fs::sync();
    let mut command = (side.command)();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let start = Instant::now();
    let output = command.spawn()?.wait_with_output()?;
    let taken = start.elapsed();
    match output.status.success() {
        true => Ok(taken),
        false => Err(failure(&command, &output.stderr)),
    }
}

/// The command once more under GNU time, which reports the peak resident set of what it waited for.
fn peak_memory_kib(command: &Command) -> Result<u64, Problem> {
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-q", "-f", "%M"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => timed.env(name, value),
            None => timed.env_remove(name),
        };
    }
    let output = timed.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(failure(command, &output.stderr));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    last.parse().map_err(|_| format!("GNU time said {last:?}").into())
}

fn failure(command: &Command, stderr: &[u8]) -> Problem {
    format!("{command:?} failed: {}", String::from_utf8_lossy(stderr).trim_end()).into()
}
