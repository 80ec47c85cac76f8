//! The files of a container that are about its network: their content, for the caller to write and bind.

/// What `/etc/resolv.conf` says in a container with the host's network, or one that reaches it: the host's, without
/// comments.
pub fn resolv_conf(host: &str) -> String {
    let lines = host.lines().map(str::trim_end);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with(['#', ';']))
        .fold(String::new(), |text, line| text + line + "\n")
}

/// What `/etc/hosts` says in a container: itself by name, and what the caller adds as pairs of name and address.
pub fn hosts(hostname: &str, extra: &[(String, String)]) -> String {
    let mut text = String::from(LOCAL_HOSTS);
    for (name, address) in extra {
        text += &format!("{address}\t{name}\n");
    }
    if !hostname.is_empty() && hostname != "localhost" {
        text += &format!("127.0.1.1\t{hostname}\n");
    }
    text
}

const LOCAL_HOSTS: &str = "127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
ff00::0\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
";

#[cfg(test)]
mod tests {
    use super::{hosts, resolv_conf};

    #[test]
    fn comments_stay_on_the_host() {
        let host = "# made by something\nnameserver 192.0.2.1  \n\n; old\nsearch example.test\n";
        assert_eq!(resolv_conf(host), "nameserver 192.0.2.1\nsearch example.test\n");
    }

    #[test]
    fn hosts_name_the_container() {
        let text = hosts("box", &[("db".into(), "192.0.2.7".into())]);
        assert!(text.starts_with("127.0.0.1\tlocalhost\n"));
        assert!(text.ends_with("192.0.2.7\tdb\n127.0.1.1\tbox\n"));
    }
}
