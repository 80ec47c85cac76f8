//! References resolved: by tag, by digest, through tokens, past faults.

use tug_oci::{Digest, Platform};
use tug_registry::Options;
use tug_registry::credential::{Credential, Credentials, Secret};
use tug_testkit::fault::{Demand, Fault, Reply, Rule};
use tug_testkit::image::{File, image, index};

use crate::support::{chain, client, faulty, options, reference};

#[test]
fn by_tag_and_by_digest() {
    let registry = faulty();
    let image = image(&[vec![File::new("a", "1")]]);
    registry.put_image("team/app", "1", &image);
    let client = client(options());
    let by_tag = client.resolve(&reference(&registry.authority(), "team/app:1")).unwrap();
    assert_eq!(by_tag.descriptor, image.descriptor);
    assert_eq!(by_tag.bytes, image.manifest);
    let by_digest = format!("team/app@{}", image.descriptor.digest);
    assert_eq!(client.resolve(&reference(&registry.authority(), &by_digest)).unwrap(), by_tag);
}

#[test]
fn an_index_is_given_as_it_is() {
    let registry = faulty();
    let image = image(&[]);
    let (descriptor, bytes) = index(&[(Platform::host(), &image)]);
    registry.put_manifest("app", "1", &descriptor.media_type, &bytes);
    let resolved = client(options()).resolve(&reference(&registry.authority(), "app:1")).unwrap();
    assert_eq!((resolved.descriptor, resolved.bytes), (descriptor, bytes));
}

#[test]
fn what_is_not_there_is_said_with_the_registrys_words() {
    let registry = faulty();
    let error = client(options()).resolve(&reference(&registry.authority(), "app:none")).unwrap_err();
    let text = chain(&error);
    let wanted = format!(
        "cannot resolve {host}/app:none: GET http://{host}/v2/app/manifests/none: 404 Not Found (MANIFEST_UNKNOWN: manifest unknown)",
        host = registry.authority()
    );
    assert_eq!(text, wanted);
    assert_eq!(error.request().hint().as_deref(), Some("check the name and the tag"));
    assert!(!error.request().is_temporary());
    assert_eq!(registry.count("GET", "/manifests/"), 1, "a 404 is not tried again");
}

#[test]
fn a_lying_registry_is_found_out() {
    let registry = faulty();
    let image = image(&[vec![File::new("a", "1")]]);
    registry.put_image("app", "1", &image);
    registry.fail(Rule::new("GET", "/manifests/", 1, Fault::FlipByte));
    let by_digest = reference(&registry.authority(), &format!("app@{}", image.descriptor.digest));
    let error = client(options()).resolve(&by_digest).unwrap_err();
    assert!(chain(&error).contains("body has digest"), "{}", chain(&error));
    // By tag the registry's own header says otherwise.
    registry.fail(Rule::new("GET", "/manifests/", 1, Fault::FlipByte));
    let error = client(options()).resolve(&reference(&registry.authority(), "app:1")).unwrap_err();
    assert!(chain(&error).contains("body has digest"), "{}", chain(&error));
}

#[test]
fn a_manifest_beyond_four_mebibytes_is_refused() {
    let registry = faulty();
    let bytes = vec![b' '; (4 << 20) + 1];
    registry.put_manifest("app", "1", &tug_oci::MediaType::OCI_MANIFEST.into(), &bytes);
    let error = client(options()).resolve(&reference(&registry.authority(), "app:1")).unwrap_err();
    assert!(chain(&error).contains("longer than 4194304 bytes"), "{}", chain(&error));
}

#[test]
fn tokens_are_fetched_once_and_renewed_when_refused() {
    let registry = faulty();
    registry.put_image("app", "1", &image(&[]));
    registry.demand(Demand::AnonymousToken);
    let client = client(options());
    let app = reference(&registry.authority(), "app:1");
    client.resolve(&app).unwrap();
    client.resolve(&app).unwrap();
    assert_eq!(registry.count("GET", "/token"), 1);
    registry.revoke_tokens();
    client.resolve(&app).unwrap();
    assert_eq!(registry.count("GET", "/token"), 2);
    let asked = registry.requests().into_iter().find(|request| request.path.starts_with("/token")).unwrap();
    assert_eq!(asked.path, "/token?service=faulty&scope=repository%3Aapp%3Apull");
}

fn with_password(registry: &str, username: &str, password: &str) -> Options {
    let credential = Credential::Basic { username: username.to_owned(), password: Secret::new(password) };
    Options { credentials: Credentials::Fixed { registry: registry.to_owned(), credential }, ..options() }
}

#[test]
fn the_password_goes_to_the_token_server_and_the_token_to_the_registry() {
    let registry = faulty();
    registry.put_image("app", "1", &image(&[]));
    registry.demand(Demand::Token("me".to_owned(), "pass".to_owned()));
    let app = reference(&registry.authority(), "app:1");
    client(with_password(&registry.authority(), "me", "pass")).resolve(&app).unwrap();
    for request in registry.requests() {
        let shown = request.header("authorization").unwrap_or_default();
        assert_eq!(shown.starts_with("Basic"), request.path.starts_with("/token"), "{request:?}");
    }
    let error = client(with_password(&registry.authority(), "me", "hunter2")).resolve(&app).unwrap_err();
    let text = format!("{} {:?}", chain(&error), error);
    assert!(text.contains("401 Unauthorized (incorrect username or password)"), "{text}");
    assert!(!text.contains("hunter2") && !text.contains("bWU6"), "{text}");
    assert!(error.request().hint().unwrap().contains("tug login"), "{:?}", error.request().hint());
}

#[test]
fn no_credential_crosses_a_redirect_to_another_host() {
    let (registry, other) = (faulty(), faulty());
    let image = image(&[]);
    registry.put_image("app", "1", &image);
    other.put_image("app", "1", &image);
    registry.demand(Demand::Basic("me".to_owned(), "pass".to_owned()));
    let location = format!("http://{}/v2/app/manifests/1", other.authority());
    let redirect = Reply::status(307).with("location", location);
    // The first request is the one that is asked to log in.
    let client = client(with_password(&registry.authority(), "me", "pass"));
    client.resolve(&reference(&registry.authority(), "app:1")).unwrap();
    registry.fail(Rule::new("GET", "/manifests/", 1, Fault::Answer(redirect.clone())));
    client.resolve(&reference(&registry.authority(), "app:1")).unwrap();
    assert_eq!(other.count("GET", "/manifests/1"), 1);
    assert!(other.requests().iter().all(|request| request.header("authorization").is_none()));
    // Nor does the other host get them by asking.
    other.demand(Demand::Basic("me".to_owned(), "pass".to_owned()));
    registry.fail(Rule::new("GET", "/manifests/", 1, Fault::Answer(redirect)));
    let error = client.resolve(&reference(&registry.authority(), "app:1")).unwrap_err();
    assert_eq!(error.request().status(), Some(401));
    assert!(other.requests().iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn redirects_without_end_are_left() {
    let registry = faulty();
    let redirect = Reply::status(302).with("location", "/v2/app/manifests/1");
    registry.fail(Rule::new("GET", "/manifests/", 100, Fault::Answer(redirect)));
    let error = client(options()).resolve(&reference(&registry.authority(), "app:1")).unwrap_err();
    assert!(chain(&error).contains("redirected more than 8 times"), "{}", chain(&error));
}

#[test]
fn digest_of_the_wrong_algorithm_is_no_hole() {
    let registry = faulty();
    let image = image(&[]);
    let sha512 = {
        let mut digester = tug_oci::Digester::new(tug_oci::Algorithm::Sha512);
        digester.update(b"something else");
        digester.finish()
    };
    registry.put_manifest("app", &sha512.to_string(), &image.descriptor.media_type, &image.manifest);
    let error =
        client(options()).resolve(&reference(&registry.authority(), &format!("app@{sha512}"))).unwrap_err();
    assert!(chain(&error).contains("body has digest sha512:"), "{}", chain(&error));
    assert_ne!(Digest::of(&image.manifest), sha512);
}
