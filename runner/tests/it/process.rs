//! The process: how it ends, what it sees of itself.

use tug_runner::default::{Builder, Network, RootAccess, User};
use tug_runner::{ExitStatus, Stdio};

use crate::container::{Image, sh};

#[test]
fn exit_codes_and_signals_come_back() {
    let Some(image) = Image::new() else { return };
    assert_eq!(image.sh("exit 0").code(), 0);
    assert_eq!(image.sh("exit 42").code(), 42);
    let killed = image.sh("sh -c 'kill -9 $$'; exit $?");
    assert_eq!(killed.code(), 137);
    assert_eq!(killed.status.unwrap(), ExitStatus::Exited(137));
}

#[test]
fn missing_and_unusable_programs_have_dockers_codes() {
    let Some(image) = Image::new() else { return };
    std::fs::write(image.path("etc/data"), "no program").unwrap();
    for (program, code, message) in [
        ("nowhere", 127, "executable file not found in $PATH"),
        ("/bin/nowhere", 127, "No such file or directory"),
        ("/etc/data", 126, "Permission denied"),
        ("/etc", 126, "Permission denied"),
    ] {
        let output = image.run(Builder::new([program]));
        assert_eq!(output.error().code(), code, "{program}");
        let text = output.error().to_string();
        assert!(text.contains(message) && text.contains(program), "{text}");
    }
}

#[test]
fn output_and_errors_are_apart() {
    let Some(image) = Image::new() else { return };
    let output = image.sh("echo out; echo err >&2");
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\n", "err\n"));
}

#[test]
fn environment_is_what_was_given() {
    let Some(image) = Image::new() else { return };
    let output = image.run(Builder::new(["env"]).env(["A=1", "PATH=/bin", "B=x y"]));
    assert_eq!(output.text(), "A=1\nPATH=/bin\nB=x y");
    let search = image.run(Builder::new(["env"]).env(["PATH=/tmp"]));
    assert_eq!(search.error().code(), 127, "the search path is the container's");
}

#[test]
fn working_directory_is_made_if_missing() {
    let Some(image) = Image::new() else { return };
    assert_eq!(image.run(Builder::new(["pwd"]).cwd("/etc")).text(), "/etc");
    assert_eq!(image.run(Builder::new(["pwd"]).cwd("/new/place")).text(), "/new/place");
}

#[test]
fn user_and_groups_are_what_was_given() {
    let Some(image) = Image::new() else { return };
    let user = User { uid: 1000, gid: 1001, additional_gids: vec![7, 8] };
    let output = image.run(sh("id; grep -E '^Cap(Prm|Eff|Amb)' /proc/self/status").user(user));
    let none = "0000000000000000";
    let expected = format!("uid=1000 gid=1001 groups=7,8\nCapPrm:\t{none}\nCapEff:\t{none}\nCapAmb:\t{none}");
    assert_eq!(output.text().replace("groups=1001,7,8", "groups=7,8"), expected);
}

#[test]
fn capabilities_and_filter_are_dockers() {
    let Some(image) = Image::new() else { return };
    let output = image.sh("grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status");
    let set = "00000000a80425fb";
    let none = "0000000000000000";
    assert_eq!(
        output.text(),
        format!(
            "CapInh:\t{none}\nCapPrm:\t{set}\nCapEff:\t{set}\nCapBnd:\t{set}\nCapAmb:\t{none}\n\
             NoNewPrivs:\t0\nSeccomp:\t2"
        )
    );
}

#[test]
fn no_new_privileges_can_be_set() {
    let Some(image) = Image::new() else { return };
    let mut spec = sh("grep NoNewPrivs /proc/self/status").build();
    spec.process_mut().as_mut().unwrap().set_no_new_privileges(Some(true));
    let bundle = tug_runner::Bundle { rootfs: image.overlay(), spec };
    assert_eq!(crate::container::run(bundle).text(), "NoNewPrivs:\t1");
}

#[test]
fn it_is_the_first_of_its_processes() {
    let Some(image) = Image::new() else { return };
    let output = image.sh("echo $$; ls /proc | grep -c '^[0-9]'");
    let lines: Vec<&str> = output.text().lines().collect();
    assert_eq!(lines[0], "1");
    assert!(lines[1].parse::<u32>().unwrap() <= 3, "{output:?}");
}

#[test]
fn without_a_network_there_is_only_loopback() {
    let Some(image) = Image::new() else { return };
    let output = image.sh("ls /sys/class/net; ip -o addr show lo | grep -c 127.0.0.1");
    assert_eq!(output.text(), "lo\n1");
}

#[test]
fn the_host_network_is_the_hosts() {
    let Some(image) = Image::new() else { return };
    let output = image.run(Builder::new(["readlink", "/proc/self/ns/net"]).network(Network::Host));
    let host = std::fs::read_link("/proc/self/ns/net").unwrap();
    assert_eq!(output.text(), host.to_str().unwrap());
    let none = image.run(Builder::new(["readlink", "/proc/self/ns/net"]));
    assert_ne!(none.text(), host.to_str().unwrap());
}

#[test]
fn hostname_is_its_own() {
    let Some(image) = Image::new() else { return };
    assert_eq!(image.run(Builder::new(["hostname"]).hostname("box")).text(), "box");
    assert_ne!(rustix::system::uname().nodename().to_str().unwrap(), "box");
}

#[test]
fn a_read_only_root_cannot_be_written() {
    let Some(image) = Image::new() else { return };
    let output = image.run(sh("touch /x").root_access(RootAccess::Readonly));
    assert_eq!(output.code(), 1);
    assert!(output.stderr.contains("Read-only file system"), "{output:?}");
}

#[test]
fn a_terminal_needs_streams_that_are_one() {
    let Some(image) = Image::new() else { return };
    let bundle = tug_runner::Bundle { rootfs: image.overlay(), spec: sh("true").terminal().build() };
    let runtime = crate::container::runtime();
    let error = runtime.start(&bundle, Stdio::Null, &tug_runner::Cancel::new()).unwrap_err();
    assert!(matches!(error, tug_runner::RunError::TerminalMismatch));
}

#[test]
fn any_user_can_open_its_standard_streams() {
    let Some(image) = Image::new() else { return };
    let user = User { uid: 1000, gid: 1000, additional_gids: Vec::new() };
    let output = image.run(sh("echo out >/dev/stdout; echo err >/dev/stderr").user(user));
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\n", "err\n"), "{output:?}");
}

#[test]
fn limits_are_set() {
    let Some(image) = Image::new() else { return };
    let mut spec = sh("ulimit -n").build();
    let limit = tug_runner::spec::PosixRlimitBuilder::default()
        .typ(tug_runner::spec::PosixRlimitType::RlimitNofile)
        .soft(16_u64)
        .hard(32_u64)
        .build()
        .unwrap();
    spec.process_mut().as_mut().unwrap().set_rlimits(Some(vec![limit]));
    let bundle = tug_runner::Bundle { rootfs: image.overlay(), spec };
    assert_eq!(crate::container::run(bundle).text(), "16");
}

#[test]
fn kernel_parameters_are_set() {
    let Some(image) = Image::new() else { return };
    let name = "net.ipv4.ip_unprivileged_port_start";
    let mut spec = sh("cat /proc/sys/net/ipv4/ip_unprivileged_port_start").build();
    let parameters = [(name.to_owned(), "7".to_owned())].into();
    spec.linux_mut().as_mut().unwrap().set_sysctl(Some(parameters));
    let bundle = tug_runner::Bundle { rootfs: image.overlay(), spec };
    assert_eq!(crate::container::run(bundle).text(), "7");
}
