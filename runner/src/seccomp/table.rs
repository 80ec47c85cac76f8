//! The numbers of the system calls, by name, on the architectures that this runtime knows.

use std::collections::HashMap;
use std::sync::LazyLock;

/// An architecture as seccomp sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Architecture {
    X86_64,
    X86,
    Aarch64,
}

impl Architecture {
    /// The one that this program runs on.
    pub(super) const NATIVE: Option<Architecture> = if cfg!(target_arch = "x86_64") {
        Some(Architecture::X86_64)
    } else if cfg!(target_arch = "aarch64") {
        Some(Architecture::Aarch64)
    } else {
        None
    };

    /// The kernel's number of it.
    pub(super) fn audit_number(self) -> u32 {
        match self {
            Architecture::X86_64 => 0xc000_003e,
            Architecture::X86 => 0x4000_0003,
            Architecture::Aarch64 => 0xc000_00b7,
        }
    }

    /// The number of a system call, if the architecture has it.
    pub(super) fn number(self, name: &str) -> Option<u32> {
        TABLE.get(name)?[self as usize]
    }

    /// One more than the largest number in the table.
    pub(super) fn end(self) -> u32 {
        TABLE.values().filter_map(|numbers| numbers[self as usize]).max().map_or(0, |last| last + 1)
    }
}

static TABLE: LazyLock<HashMap<&'static str, [Option<u32>; 3]>> = LazyLock::new(|| {
    let lines = include_str!("syscalls.txt").lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let mut fields = line.split(' ');
            let name = fields.next()?;
            Some((name, std::array::from_fn(|_| fields.next().and_then(|number| number.parse().ok()))))
        })
        .collect()
});

#[cfg(test)]
mod tests {
    use nix::libc;

    use super::*;

    #[test]
    fn numbers_are_the_kernels() {
        assert_eq!(Architecture::X86_64.number("execve"), Some(59));
        assert_eq!(Architecture::X86.number("execve"), Some(11));
        assert_eq!(Architecture::Aarch64.number("execve"), Some(221));
        assert_eq!(Architecture::Aarch64.number("open"), None);
        let native = Architecture::NATIVE.unwrap();
        assert_eq!(native.number("clone3").map(i64::from), Some(libc::SYS_clone3));
        assert_eq!(native.number("io_uring_setup").map(i64::from), Some(libc::SYS_io_uring_setup));
    }
}
