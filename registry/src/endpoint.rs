//! Where a registry of some name is reached, and under which name its credentials are filed.

use std::net::{Ipv4Addr, Ipv6Addr};

/// How a registry may be spoken to, in the order in which it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// TLS.
    Https,
    /// In clear.
    Http,
}

impl Scheme {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Scheme::Https => "https",
            Scheme::Http => "http",
        }
    }
}

/// Whether a person declared a registry insecure: plain http and unknown certificates are then taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// TLS with a certificate that can be verified.
    Required,
    /// Whatever works.
    Waived,
}

/// The `host[:port]` that the registry of a name listens on.
pub(crate) fn authority(registry: &str) -> &str {
    match registry {
        DOCKER_HUB => "registry-1.docker.io",
        other => other,
    }
}

/// The key under which Docker files a registry's credentials.
pub(crate) fn credential_key(registry: &str) -> String {
    match registry {
        DOCKER_HUB => "https://index.docker.io/v1/".to_owned(),
        other => other.to_owned(),
    }
}

/// What to try, in order. Only loopback and registries that were named insecure are ever spoken to in clear, and
/// loopback not when `certs.d` has something for it.
pub(crate) fn schemes(registry: &str, security: Security, has_certificates: bool) -> &'static [Scheme] {
    match security {
        Security::Waived => &[Scheme::Https, Scheme::Http],
        Security::Required if is_loopback(registry) && !has_certificates => &[Scheme::Https, Scheme::Http],
        Security::Required => &[Scheme::Https],
    }
}

/// Whether `host[:port]` can only be this machine.
pub(crate) fn is_loopback(authority: &str) -> bool {
    let host = host(authority);
    let v6 = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match v6 {
        Some(address) => address.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback()),
        None => host == "localhost" || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback()),
    }
}

/// `host[:port]` without the port; an IPv6 address keeps its brackets.
pub(crate) fn host(authority: &str) -> &str {
    match authority.rfind(']') {
        Some(end) => &authority[..=end],
        None => authority.split_once(':').map_or(authority, |(host, _)| host),
    }
}

const DOCKER_HUB: &str = "docker.io";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for name in ["localhost", "localhost:5000", "127.0.0.1", "127.3.2.1:80", "[::1]", "[::1]:5000"] {
            assert!(is_loopback(name), "{name}");
        }
        for name in
            ["localhost.example", "127.0.0.1.example", "128.0.0.1", "[::2]:5000", "xlocalhost", "10.0.0.1"]
        {
            assert!(!is_loopback(name), "{name}");
        }
    }

    #[test]
    fn clear_text_only_where_it_is_allowed() {
        let both = [Scheme::Https, Scheme::Http].as_slice();
        let tls = [Scheme::Https].as_slice();
        assert_eq!(schemes("registry.example", Security::Required, false), tls);
        assert_eq!(schemes("registry.example", Security::Waived, false), both);
        assert_eq!(schemes("localhost:5000", Security::Required, false), both);
        assert_eq!(schemes("localhost:5000", Security::Required, true), tls);
    }

    #[test]
    fn docker_hub_has_its_own_names() {
        assert_eq!(authority("docker.io"), "registry-1.docker.io");
        assert_eq!(credential_key("docker.io"), "https://index.docker.io/v1/");
        assert_eq!(credential_key("ghcr.io"), "ghcr.io");
    }
}
