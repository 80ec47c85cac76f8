//! Logging in, over TLS, to a real registry.

use tug_registry::Options;
use tug_registry::credential::{CredentialFile, Credentials, Secret};
use tug_testkit::registry::{Guard, PASSWORD, USER};

use crate::support::{chain, client, docker_registry, options, reference};

#[test]
fn login_needs_the_right_password_and_the_right_authority() {
    let registry = docker_registry(Guard::TlsBasic);
    let host = registry.authority();
    let trusting = client(Options { certs_dirs: vec![registry.certs_d()], ..options() });
    let outcome = trusting.login(&host, USER, Secret::new(PASSWORD)).unwrap();

    let error = trusting.login(&host, USER, Secret::new("wrong")).unwrap_err();
    assert_eq!(error.request().status(), Some(401), "{}", chain(&error));
    assert!(!format!("{error:?}").contains("wrong"), "{error:?}");

    let error = client(options()).login(&host, USER, Secret::new(PASSWORD)).unwrap_err();
    assert!(chain(&error).contains("certificate is not trusted"), "{}", chain(&error));
    assert!(error.request().hint().unwrap().contains("certs.d"), "{:?}", error.request().hint());

    // What login gave, kept and found again, opens the registry.
    let dir = tempfile::tempdir().unwrap();
    let file = CredentialFile::at(dir.path().join("config.json"));
    file.store(&host, &outcome.credential).unwrap();
    let credentials = Credentials::File(file);
    let known = client(Options { credentials, certs_dirs: vec![registry.certs_d()], ..options() });
    let error = known.resolve(&reference(&host, "app:1")).unwrap_err();
    assert_eq!(error.request().status(), Some(404), "{}", chain(&error));
    let error = trusting.resolve(&reference(&host, "app:1")).unwrap_err();
    assert_eq!(error.request().status(), Some(401), "{}", chain(&error));
    assert_eq!(
        error.request().hint(),
        Some(format!("it may be misspelt or private; to log in: tug login {host}"))
    );
}

#[test]
fn a_registry_named_insecure_is_taken_as_it_is() {
    let registry = docker_registry(Guard::Tls);
    let insecure = [registry.authority()].into_iter().collect();
    let client = client(Options { insecure, ..options() });
    let error = client.resolve(&reference(&registry.authority(), "app:1")).unwrap_err();
    assert_eq!(error.request().status(), Some(404), "{}", chain(&error));
}

#[test]
fn nobody_listening_is_said_in_plain_words() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let host = format!("127.0.0.1:{port}");
    let error = client(options()).resolve(&reference(&host, "app:1")).unwrap_err();
    assert!(chain(&error).ends_with("connection refused"), "{}", chain(&error));
    assert!(error.request().is_temporary());
    assert_eq!(error.request().hint(), Some(format!("is a registry running at {host}?")));
}

#[test]
fn a_client_certificate_opens_a_registry_that_asks_for_one() {
    let registry = docker_registry(Guard::TlsClient);
    let name = reference(&registry.authority(), "app:1");
    let stranger = client(Options { certs_dirs: vec![registry.certs_d()], ..options() });
    let error = stranger.resolve(&name).unwrap_err();
    assert_eq!(error.request().status(), None, "{}", chain(&error));
    let known = client(Options { certs_dirs: vec![registry.certs_d_with_identity()], ..options() });
    let error = known.resolve(&name).unwrap_err();
    assert_eq!(error.request().status(), Some(404), "{}", chain(&error));
}

#[test]
fn a_certificate_that_is_its_own_authority_is_taken_for_its_names() {
    let registry = docker_registry(Guard::SelfSigned);
    let name = reference(&registry.authority(), "app:1");
    let error = client(options()).resolve(&name).unwrap_err();
    assert!(chain(&error).contains("certificate is not trusted"), "{}", chain(&error));
    let trusting = client(Options { certs_dirs: vec![registry.certs_d()], ..options() });
    let error = trusting.resolve(&name).unwrap_err();
    assert_eq!(error.request().status(), Some(404), "{}", chain(&error));

    let other_name = format!("localhost:{}", registry.port());
    let certs_dirs = vec![registry.certs_d_for(&other_name)];
    let error =
        client(Options { certs_dirs, ..options() }).resolve(&reference(&other_name, "app:1")).unwrap_err();
    assert!(chain(&error).contains("certificate is not trusted"), "{}", chain(&error));
}
