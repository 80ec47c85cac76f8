//! Whom to trust and who to be: root certificates, `certs.d` directories, client certificates.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::verify::{AnyCertificate, NoCertificate, Pinned};
use crate::endpoint::Security;

/// Why TLS for a host cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TlsError {
    /// A file of `certs.d` cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A file of `certs.d` does not hold what its name promises.
    #[error("{} holds no usable {wanted} (PEM)", .path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
    },
    /// A client certificate has no key beside it.
    #[error("{} has no key beside it; wanted {}", .certificate.display(), .key.display())]
    NoKey {
        /// The certificate.
        certificate: PathBuf,
        /// The file that is missing.
        key: PathBuf,
    },
    /// The key does not fit the certificate, or is of an unknown kind.
    #[error("client certificate {} cannot be used", .path.display())]
    Identity {
        /// The certificate.
        path: PathBuf,
        /// What the TLS library says.
        #[source]
        source: rustls::Error,
    },
}

/// What `certs.d` holds for one `host[:port]`.
#[derive(Debug, Default)]
pub(super) struct HostCertificates {
    roots: Vec<CertificateDer<'static>>,
    identity: Option<Identity>,
}

#[derive(Debug)]
struct Identity {
    path: PathBuf,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// The first of `dirs` that has a directory named like the host; `None` when none has.
pub(super) fn host_dir(dirs: &[PathBuf], authority: &str) -> Option<PathBuf> {
    // An authority is one path segment: a parsed reference or address has no slash and is not `..`.
    let plain = !authority.is_empty() && !authority.contains('/') && !authority.starts_with('.');
    plain.then(|| dirs.iter().map(|dir| dir.join(authority)).find(|dir| dir.is_dir())).flatten()
}

impl HostCertificates {
    /// Reads a directory: `*.crt` are authorities, `NAME.cert` with `NAME.key` is who to be.
    pub(super) fn read(dir: &Path) -> Result<HostCertificates, TlsError> {
        let failed = |source| TlsError::Read { path: dir.to_owned(), source };
        let mut paths = Vec::new();
        for entry in fs::read_dir(dir).map_err(failed)?.take(FILES_MAX) {
            paths.push(entry.map_err(failed)?.path());
        }
        paths.sort();
        let mut found = HostCertificates::default();
        for path in paths {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("crt") => found.roots.extend(certificates(&path)?),
                Some("cert") if found.identity.is_none() => found.identity = Some(Identity::read(path)?),
                _ => {}
            }
        }
        Ok(found)
    }
}

impl Identity {
    fn read(path: PathBuf) -> Result<Identity, TlsError> {
        let chain = certificates(&path)?;
        let key_path = path.with_extension("key");
        if !key_path.exists() {
            return Err(TlsError::NoKey { certificate: path, key: key_path });
        }
        let key = PrivateKeyDer::from_pem_slice(&read(&key_path)?)
            .map_err(|_| TlsError::Pem { path: key_path, wanted: "private key" })?;
        Ok(Identity { path, chain, key })
    }
}

/// The TLS client configuration for a host.
pub(super) fn config(
    system: &[CertificateDer<'static>],
    host: &HostCertificates,
    security: Security,
) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring has the suites of TLS 1.2 and 1.3");
    let verifier: Arc<dyn ServerCertVerifier> = match security {
        Security::Waived => Arc::new(AnyCertificate(provider)),
        Security::Required => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(system.iter().chain(&host.roots).cloned());
            if roots.is_empty() {
                Arc::new(NoCertificate(provider))
            } else {
                let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
                let usual = usual.build().expect("there are roots, and no revocation lists to be wrong");
                Arc::new(Pinned { usual, pinned: host.roots.clone() })
            }
        }
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    match &host.identity {
        None => Ok(builder.with_no_client_auth()),
        Some(identity) => builder
            .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
            .map_err(|source| TlsError::Identity { path: identity.path.clone(), source }),
    }
}

/// The authorities that the system trusts: the first bundle that is there. A system without any trusts nobody.
pub(super) fn system_roots(bundles: &[PathBuf]) -> Vec<CertificateDer<'static>> {
    let first = bundles.iter().find_map(|bundle| read(bundle).ok());
    let pem = first.unwrap_or_default();
    CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect()
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(TlsError::Pem { path: path.to_owned(), wanted: "certificate" }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes))
        .map_err(failed)?;
    Ok(bytes)
}

const FILES_MAX: usize = 256;
const FILE_BYTES_MAX: u64 = 8 << 20;
