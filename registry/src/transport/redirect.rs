//! Where a redirect may lead. Pure.

use hyper::Uri;

/// Why a redirect is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RedirectError {
    #[error("redirected without saying where to")]
    NoLocation,
    #[error("redirected to {0:?}, which is no address")]
    Malformed(String),
    #[error("redirected from https to {0}, in clear")]
    Downgrade(String),
    #[error("redirected more than {REDIRECTS_MAX} times")]
    TooMany,
}

/// The address that `location` means when it comes with a response from `from`.
pub(crate) fn target(from: &Uri, location: &str) -> Result<Uri, RedirectError> {
    let malformed = || RedirectError::Malformed(crate::printable::printable(location, LOCATION_CHARS_MAX));
    if location.len() > LOCATION_BYTES_MAX {
        return Err(malformed());
    }
    // Fragments are for browsers.
    let bare = location.split('#').next().unwrap_or_default();
    let target: Uri = absolute(from, bare).ok_or_else(malformed)?.parse().map_err(|_| malformed())?;
    let scheme = target.scheme_str().unwrap_or_default();
    let authority = target.authority().ok_or_else(malformed)?;
    // `user:password@host` would be a credential that nobody gave.
    if !matches!(scheme, "https" | "http") || authority.as_str().contains('@') || authority.host().is_empty()
    {
        return Err(malformed());
    }
    if from.scheme_str() == Some("https") && scheme == "http" {
        return Err(RedirectError::Downgrade(authority.to_string()));
    }
    Ok(target)
}

/// Whether two addresses belong to one server, so that a credential for one may go to the other.
pub(crate) fn same_origin(one: &Uri, other: &Uri) -> bool {
    let origin = |uri: &Uri| {
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        Some((uri.host()?.to_ascii_lowercase(), port, scheme))
    };
    origin(one).is_some() && origin(one) == origin(other)
}

fn absolute(from: &Uri, location: &str) -> Option<String> {
    let (scheme, authority) = (from.scheme_str()?, from.authority()?.as_str());
    if location.contains("://") && !location.starts_with('/') && !location.starts_with('?') {
        return Some(location.to_owned());
    }
    if let Some(rest) = location.strip_prefix("//") {
        return Some(format!("{scheme}://{rest}"));
    }
    if location.starts_with('/') {
        return Some(format!("{scheme}://{authority}{location}"));
    }
    if location.is_empty() {
        return None;
    }
    let folder = match location.starts_with('?') {
        true => from.path(),
        false => from.path().rsplit_once('/').map_or("", |(folder, _)| folder),
    };
    let joint = if location.starts_with('?') { "" } else { "/" };
    Some(format!("{scheme}://{authority}{folder}{joint}{location}"))
}

/// Redirects that are followed for one request.
pub(crate) const REDIRECTS_MAX: usize = 8;
const LOCATION_BYTES_MAX: usize = 16 << 10;
const LOCATION_CHARS_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn from(from: &str, location: &str) -> Result<String, RedirectError> {
        target(&from.parse().unwrap(), location).map(|uri| uri.to_string())
    }

    #[test]
    fn relative_and_absolute_targets() {
        let base = "https://a.example/v2/app/blobs/x?q=1";
        let check = |location, wanted: &str| assert_eq!(from(base, location).unwrap(), wanted, "{location}");
        check("https://cdn.example/b?sig=%2F", "https://cdn.example/b?sig=%2F");
        check("//cdn.example/b", "https://cdn.example/b");
        check("/b?url=http://x", "https://a.example/b?url=http://x");
        check("y", "https://a.example/v2/app/blobs/y");
        check("?r=2", "https://a.example/v2/app/blobs/x?r=2");
        check("/b#part", "https://a.example/b");
    }

    #[test]
    fn what_is_not_followed() {
        let base = "https://a.example/x";
        assert!(matches!(from(base, "http://a.example/x"), Err(RedirectError::Downgrade(_))));
        for location in ["", "ftp://a/x", "file:///etc/passwd", "https://u:p@a/x", "https://", "https:///x"] {
            assert!(matches!(from(base, location), Err(RedirectError::Malformed(_))), "{location}");
        }
        assert!(from("http://a.example/x", "https://a.example/x").is_ok());
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same = |one: &str, other: &str| same_origin(&one.parse().unwrap(), &other.parse().unwrap());
        assert!(same("https://a.example/x", "https://A.example:443/y"));
        assert!(!same("https://a.example", "https://a.example:444"));
        assert!(!same("https://a.example", "http://a.example"));
        assert!(!same("https://a.example", "https://a.example.evil"));
        assert!(!same("/x", "/x"));
    }
}
