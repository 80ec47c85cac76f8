//! Platforms as flags name them, as far as rules need to tell them apart.

/// Operating system and architecture of `os/arch[/variant]`, `os` or `arch`; `None` where that is not said.
pub(super) fn parts(platform: &str) -> Option<(Option<String>, Option<String>)> {
    let mut parts = platform.split('/').map(|part| part.split('(').next().unwrap_or(part).to_lowercase());
    let first = parts.next().filter(|first| !first.is_empty())?;
    match parts.next() {
        Some(architecture) => Some((Some(system(first)), Some(machine(architecture)))),
        None if SYSTEMS.contains(&system(first.clone()).as_str()) => Some((Some(system(first)), None)),
        None => Some((None, Some(machine(first)))),
    }
}

fn system(name: String) -> String {
    if name == "macos" { "darwin".to_owned() } else { name }
}

fn machine(name: String) -> String {
    match name.as_str() {
        "x86_64" | "x86-64" => "amd64".to_owned(),
        "aarch64" => "arm64".to_owned(),
        "i386" => "386".to_owned(),
        "armhf" | "armel" => "arm".to_owned(),
        _ => name,
    }
}

const SYSTEMS: [&str; 7] = ["linux", "windows", "darwin", "freebsd", "netbsd", "openbsd", "solaris"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_have_two_parts() {
        let both = |os: &str, arch: &str| Some((Some(os.to_owned()), Some(arch.to_owned())));
        assert_eq!(parts("linux/amd64"), both("linux", "amd64"));
        assert_eq!(parts("Linux/aarch64/v8"), both("linux", "arm64"));
        assert_eq!(parts("windows(10.0)/x86_64"), both("windows", "amd64"));
        assert_eq!(parts("linux"), Some((Some("linux".to_owned()), None)));
        assert_eq!(parts("arm64"), Some((None, Some("arm64".to_owned()))));
        assert_eq!(parts(""), None);
    }
}
