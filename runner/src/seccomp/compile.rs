//! Profile → program. One filter for all architectures and actions of a profile.

use std::collections::BTreeMap;

use nix::libc;
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompFilterFlag, LinuxSeccompOperator,
    LinuxSyscall,
};

use super::bpf::{self, Code, Comparison, Condition};
use super::table::Architecture;
use crate::plan::Filter;

/// A profile cannot be made a filter.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// This runtime does not know the system calls of the machine.
    #[error("system calls of this architecture are not known")]
    Architecture,
    /// A system call has six arguments.
    #[error("system call {name:?}: no argument {index}")]
    Argument {
        /// The system call.
        name: String,
        /// The argument that it should have.
        index: usize,
    },
    /// The kernel takes no more instructions.
    #[error("filter of {length} instructions, the kernel takes {INSTRUCTIONS_MAX}")]
    Length {
        /// How many there are.
        length: usize,
    },
    /// The profile hands system calls to another process.
    #[error("action SCMP_ACT_NOTIFY is not supported")]
    Notify,
}

/// Makes a profile the kernel's program.
///
/// A system call of an architecture that is not in the profile, or that this runtime does not know, kills the process.
/// Where the default action is an error, a call that is newer than the table gets `ENOSYS` instead, so that programs
/// take the older one.
pub(crate) fn compile(profile: &LinuxSeccomp) -> Result<Filter, CompileError> {
    let rules = profile.syscalls().as_deref().unwrap_or_default();
    let notifies = |action| action == LinuxSeccompAction::ScmpActNotify;
    if notifies(profile.default_action()) || rules.iter().any(|rule| notifies(rule.action())) {
        return Err(CompileError::Notify);
    }
    let mut program = bpf::load_architecture();
    for architecture in architectures(profile)? {
        let code = section(architecture, profile, rules)?;
        program.extend(bpf::when_equal(architecture.audit_number(), code));
    }
    program.extend(bpf::verdict(libc::SECCOMP_RET_KILL_PROCESS));
    if program.len() > INSTRUCTIONS_MAX {
        return Err(CompileError::Length { length: program.len() });
    }
    Ok(Filter { program, flags: flags(profile) })
}

fn architectures(profile: &LinuxSeccomp) -> Result<Vec<Architecture>, CompileError> {
    let native = Architecture::NATIVE.ok_or(CompileError::Architecture)?;
    let mut all = vec![native];
    for architecture in profile.architectures().iter().flatten() {
        let known = match architecture {
            Arch::ScmpArchX86_64 => Architecture::X86_64,
            Arch::ScmpArchX86 => Architecture::X86,
            Arch::ScmpArchAarch64 => Architecture::Aarch64,
            _ => continue,
        };
        if !all.contains(&known) {
            all.push(known);
        }
    }
    Ok(all)
}

fn section(
    architecture: Architecture,
    profile: &LinuxSeccomp,
    rules: &[LinuxSyscall],
) -> Result<Code, CompileError> {
    let default = profile.default_action().as_u32(profile.default_errno_ret());
    let mut calls: BTreeMap<u32, Call> = BTreeMap::new();
    for rule in rules {
        let action = rule.action().as_u32(rule.errno_ret());
        for name in rule.names() {
            let Some(number) = architecture.number(name) else { continue };
            calls.entry(number).or_default().add(name, rule.args().as_deref(), action)?;
        }
    }
    let unknown = match profile.default_action() {
        LinuxSeccompAction::ScmpActErrno => libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32,
        _ => default,
    };
    let mut ranges: Vec<(u32, Code)> = Vec::new();
    let mut extend = |first: u32, code: Code| {
        if ranges.last().is_none_or(|(_, last)| *last != code) {
            ranges.push((first, code));
        }
    };
    let mut next = 0;
    for (number, call) in calls {
        if number > next {
            extend(next, bpf::verdict(default));
        }
        extend(number, call.code(default));
        next = number + 1;
    }
    if next < architecture.end() {
        extend(next, bpf::verdict(default));
    }
    extend(architecture.end().max(next), bpf::verdict(unknown));
    if architecture == Architecture::X86_64 {
        extend(X32_BIT, bpf::verdict(default));
    }
    let mut code = bpf::load_number();
    code.extend(bpf::decide(&ranges));
    Ok(code)
}

/// What a profile says about one system call.
#[derive(Default)]
struct Call {
    conditional: Code,
    otherwise: Option<u32>,
}

impl Call {
    fn add(&mut self, name: &str, args: Option<&[LinuxSeccompArg]>, action: u32) -> Result<(), CompileError> {
        let args = args.unwrap_or_default();
        if args.is_empty() {
            self.otherwise.get_or_insert(action);
            return Ok(());
        }
        let conditions = args.iter().map(|arg| condition(name, arg)).collect::<Result<Vec<_>, _>>()?;
        // Two conditions on one argument are alternatives: libseccomp cannot say it otherwise, so profiles do.
        let repeated = args
            .iter()
            .enumerate()
            .any(|(n, arg)| args[..n].iter().any(|other| other.index() == arg.index()));
        if repeated {
            for condition in conditions {
                self.conditional.extend(bpf::when_all(&[condition], action));
            }
        } else {
            self.conditional.extend(bpf::when_all(&conditions, action));
        }
        Ok(())
    }

    fn code(self, default: u32) -> Code {
        let mut code = self.conditional;
        code.extend(bpf::verdict(self.otherwise.unwrap_or(default)));
        code
    }
}

fn condition(name: &str, arg: &LinuxSeccompArg) -> Result<Condition, CompileError> {
    let index = arg.index();
    if index >= ARGUMENTS {
        return Err(CompileError::Argument { name: name.to_owned(), index });
    }
    let value = arg.value();
    let comparison = match arg.op() {
        LinuxSeccompOperator::ScmpCmpEq => Comparison::Equal(value),
        LinuxSeccompOperator::ScmpCmpNe => Comparison::NotEqual(value),
        LinuxSeccompOperator::ScmpCmpLt => Comparison::Less(value),
        LinuxSeccompOperator::ScmpCmpLe => Comparison::LessOrEqual(value),
        LinuxSeccompOperator::ScmpCmpGt => Comparison::Greater(value),
        LinuxSeccompOperator::ScmpCmpGe => Comparison::GreaterOrEqual(value),
        LinuxSeccompOperator::ScmpCmpMaskedEq => {
            Comparison::Masked { mask: value, value: arg.value_two().unwrap_or(0) }
        }
    };
    Ok(Condition { argument: index as u32, comparison })
}

fn flags(profile: &LinuxSeccomp) -> u32 {
    profile.flags().iter().flatten().fold(0, |flags, flag| {
        flags
            | match flag {
                LinuxSeccompFilterFlag::SeccompFilterFlagLog => libc::SECCOMP_FILTER_FLAG_LOG as u32,
                LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => {
                    libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW as u32
                }
                // One is about other threads, one about listeners, and there are neither.
                LinuxSeccompFilterFlag::SeccompFilterFlagTsync
                | LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => 0,
            }
    })
}

const ARGUMENTS: usize = 6;

/// The kernel's `BPF_MAXINSNS`.
const INSTRUCTIONS_MAX: usize = 4096;

/// Marks the calls of the x32 ABI, which share an architecture with those of x86_64.
const X32_BIT: u32 = 0x4000_0000;

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use oci_spec::runtime::Capability;

    use super::*;
    use crate::default::capabilities;
    use crate::seccomp::default_profile;

    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

    fn verdict(filter: &Filter, architecture: Architecture, number: u32, argument: u64) -> u32 {
        let mut data = [0; 16];
        (data[0], data[1]) = (number, architecture.audit_number());
        (data[4], data[5]) = (argument as u32, (argument >> 32) as u32);
        bpf::interpret(&filter.program, data)
    }

    fn default_filter() -> Filter {
        compile(&default_profile(&capabilities())).expect("the profile is sound")
    }

    #[test]
    fn default_profile_says_what_dockers_says() {
        let filter = default_filter();
        let cases: [(&str, u64, u32); 18] = [
            ("read", 0, ALLOW),
            ("ptrace", 0, ALLOW),
            ("chroot", 0, ALLOW),
            ("clone", libc::CLONE_VM as u64, ALLOW),
            ("clone", libc::CLONE_NEWUSER as u64, EPERM),
            ("clone", libc::CLONE_NEWNS as u64 | libc::CLONE_VM as u64, EPERM),
            ("clone3", 0, ENOSYS),
            ("unshare", 0, EPERM),
            ("setns", 0, EPERM),
            ("mount", 0, EPERM),
            ("io_uring_setup", 0, EPERM),
            ("keyctl", 0, EPERM),
            ("personality", 0, ALLOW),
            ("personality", 0xffff_ffff, ALLOW),
            ("personality", 0x4_0000, EPERM),
            ("socket", libc::AF_INET as u64, ALLOW),
            ("socket", libc::AF_VSOCK as u64, EPERM),
            ("statmount", 0, ENOSYS),
        ];
        for (name, argument, expected) in cases {
            for architecture in [Architecture::X86_64, Architecture::X86] {
                let number = architecture.number(name).unwrap_or_else(|| panic!("{name}"));
                let got = verdict(&filter, architecture, number, argument);
                assert_eq!(got, expected, "{name}({argument:#x}) on {architecture:?}");
            }
        }
    }

    #[test]
    fn strange_architectures_and_numbers_are_refused() {
        let filter = default_filter();
        let kill = libc::SECCOMP_RET_KILL_PROCESS;
        assert_eq!(verdict(&filter, Architecture::Aarch64, 63, 0), kill);
        let read = Architecture::X86_64.number("read").unwrap();
        assert_eq!(verdict(&filter, Architecture::X86_64, read | X32_BIT, 0), EPERM, "x32");
        assert_eq!(verdict(&filter, Architecture::X86_64, 5000, 0), ENOSYS, "from the future");
        assert_eq!(verdict(&filter, Architecture::X86_64, u32::MAX, 0), EPERM);
    }

    #[test]
    fn capabilities_open_their_calls() {
        let mut more = capabilities();
        more.insert(Capability::SysAdmin);
        let filter = compile(&default_profile(&more)).unwrap();
        for name in ["mount", "unshare", "clone3", "setns"] {
            let number = Architecture::X86_64.number(name).unwrap();
            assert_eq!(verdict(&filter, Architecture::X86_64, number, 0), ALLOW, "{name}");
        }
    }

    #[test]
    fn an_unconditional_rule_gives_way_to_a_conditional_one() {
        let profile: LinuxSeccomp = serde_json::from_str(
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                {"names": ["getcwd"], "action": "SCMP_ACT_ERRNO"},
                {"names": ["getcwd"], "action": "SCMP_ACT_KILL_PROCESS",
                 "args": [{"index": 0, "value": 7, "op": "SCMP_CMP_EQ"}]},
                {"names": ["chmod"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38,
                 "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"},
                          {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]}]}"#,
        )
        .unwrap();
        let filter = compile(&profile).unwrap();
        let verdicts = |name, arguments: [u64; 3]| {
            let number = Architecture::X86_64.number(name).unwrap();
            arguments.map(|argument| verdict(&filter, Architecture::X86_64, number, argument))
        };
        assert_eq!(verdicts("getcwd", [6, 7, 8]), [EPERM, libc::SECCOMP_RET_KILL_PROCESS, EPERM]);
        assert_eq!(verdicts("chmod", [1, 2, 3]), [ENOSYS, ENOSYS, ALLOW]);
        assert_eq!(verdicts("read", [0; 3]), [ALLOW; 3]);
    }

    #[test]
    fn what_cannot_be_done_is_an_error() {
        let profile = |syscall: &str| -> LinuxSeccomp {
            let text = format!(r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{syscall}]}}"#);
            serde_json::from_str(&text).unwrap()
        };
        let notify = profile(r#"{"names": ["read"], "action": "SCMP_ACT_NOTIFY"}"#);
        assert!(matches!(compile(&notify), Err(CompileError::Notify)));
        let seventh = profile(
            r#"{"names": ["read"], "action": "SCMP_ACT_ERRNO",
                "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}"#,
        );
        assert!(matches!(compile(&seventh), Err(CompileError::Argument { index: 6, .. })));
    }
}
