//! The last step: finding the program, and becoming it.

use std::convert::Infallible;
use std::ffi::{CStr, CString};

use nix::libc;

use crate::plan::Process;
use crate::setup::{Cause, SetupError, Step};
use crate::sys;

/// What is to be executed, with all memory that it takes.
pub(super) struct Program {
    args: Vec<CString>,
    env: Vec<CString>,
    candidates: Vec<CString>,
}

impl Program {
    /// Prepares the process's program, looking for its name in the search path of its own environment.
    pub(super) fn new(process: &Process) -> Result<Program, SetupError> {
        let name = process.args.first().map(String::as_str).unwrap_or_default();
        let string = |text: &str| {
            let invalid = |_| Step::Exec.failed(name, Cause::Errno(libc::EINVAL));
            CString::new(text).map_err(invalid)
        };
        let strings = |list: &[String]| list.iter().map(|text| string(text)).collect::<Result<Vec<_>, _>>();
        let candidates: Vec<String> = if name.contains('/') || name.is_empty() {
            vec![name.to_owned()]
        } else {
            let path = process.env.iter().rev().find_map(|pair| pair.strip_prefix("PATH="));
            let directories = path.unwrap_or(DEFAULT_PATH).split(':');
            directories.filter(|dir| dir.starts_with('/')).map(|dir| format!("{dir}/{name}")).collect()
        };
        Ok(Program {
            args: strings(&process.args)?,
            env: strings(&process.env)?,
            candidates: strings(&candidates)?,
        })
    }

    /// Becomes the program.
    pub(super) fn execute(&self) -> Result<Infallible, SetupError> {
        let args: Vec<&CStr> = self.args.iter().map(CString::as_c_str).collect();
        let env: Vec<&CStr> = self.env.iter().map(CString::as_c_str).collect();
        let mut cause = Cause::NotInSearchPath;
        for candidate in &self.candidates {
            let error = sys::execve(candidate, &args, &env);
            let searching = self.args.first() != Some(candidate);
            match error.raw_os_error().unwrap_or(libc::EIO) {
                libc::ENOENT | libc::ENOTDIR if searching => {}
                // Another directory may have one that works.
                libc::EACCES if searching => cause = Cause::Errno(libc::EACCES),
                errno => return Err(self.failed(Cause::Errno(errno))),
            }
        }
        Err(self.failed(cause))
    }

    fn failed(&self, cause: Cause) -> SetupError {
        let name = self.args.first().map(|name| name.to_string_lossy().into_owned());
        Step::Exec.failed(name.unwrap_or_default(), cause)
    }
}

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
