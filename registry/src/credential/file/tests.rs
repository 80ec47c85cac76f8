//! What a user finds in `config.json` after `login` and `logout`, and what is found in one that Docker wrote.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn file(text: &str) -> (tempfile::TempDir, CredentialFile) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.json");
    fs::write(&path, text).unwrap();
    (dir, CredentialFile::at(path))
}

fn basic(username: &str, password: &str) -> Credential {
    Credential::Basic { username: username.to_owned(), password: Secret::new(password) }
}

#[test]
fn entries_are_found_by_every_spelling_docker_uses() {
    let (_dir, file) = file(
        r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "aHViOnB3"},
            "plain.example:5000": {"auth": "YTpi"},
            "https://old.example/v1/": {"username": "c", "password": "d"},
            "token.example": {"auth": "ZTo=", "identitytoken": "refresh"},
            "empty.example": {}
        }}"#,
    );
    let find = |registry| file.find(registry).unwrap();
    assert_eq!(find("docker.io"), Some(basic("hub", "pw")));
    assert_eq!(find("plain.example:5000"), Some(basic("a", "b")));
    assert_eq!(find("old.example"), Some(basic("c", "d")));
    let token = Credential::IdentityToken { username: "e".to_owned(), token: Secret::new("refresh") };
    assert_eq!(find("token.example"), Some(token));
    assert_eq!(find("empty.example"), None);
}

#[test]
fn a_credential_is_not_given_to_a_neighbour() {
    let (_dir, file) = file(
        r#"{"auths": {
            "registry.example": {"auth": "YTpi"},
            "other.example/team": {"auth": "YTpi"}
        }}"#,
    );
    for registry in
        ["registry.example:5000", "sub.registry.example", "example", "registry.example.evil", "other.example"]
    {
        assert_eq!(file.find(registry).unwrap(), None, "{registry}");
    }
}

#[test]
fn storing_keeps_the_rest_of_the_file_and_hides_it_from_others() {
    let (_dir, file) =
        file(r#"{"psFormat": "table", "auths": {"a.example": {"auth": "YTpi", "email": "x"}}}"#);
    let kept = file.store("b.example", &basic("user", "pass:word")).unwrap();
    assert_eq!(kept, Kept::File(file.path().to_owned()));
    assert_eq!(file.find("b.example").unwrap(), Some(basic("user", "pass:word")));
    let text = fs::read_to_string(file.path()).unwrap();
    let config: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(config["psFormat"], "table");
    assert_eq!(config["auths"]["a.example"]["email"], "x");
    assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn erasing_takes_every_spelling_of_the_registry_and_nothing_else() {
    let (_dir, file) = file(
        r#"{"auths": {
            "https://a.example/v1/": {"auth": "YTpi"}, "a.example": {"auth": "YTpi"}, "b.example": {"auth": "YTpi"}
        }}"#,
    );
    assert!(file.erase("a.example").unwrap());
    assert!(!file.erase("a.example").unwrap());
    assert_eq!(file.find("a.example").unwrap(), None);
    assert_eq!(file.find("b.example").unwrap(), Some(basic("a", "b")));
}

#[test]
fn a_missing_file_is_empty_and_is_made_on_login() {
    let dir = tempfile::tempdir().unwrap();
    let file = CredentialFile::at(dir.path().join("deep/.docker/config.json"));
    assert_eq!(file.find("a.example").unwrap(), None);
    file.store("docker.io", &basic("u", "p")).unwrap();
    let config: Value = serde_json::from_slice(&fs::read(file.path()).unwrap()).unwrap();
    assert!(config["auths"]["https://index.docker.io/v1/"]["auth"].is_string());
}

#[test]
fn a_link_to_the_file_stays_a_link() {
    let (dir, file) = file("{}");
    let link = dir.path().join("link.json");
    std::os::unix::fs::symlink(file.path(), &link).unwrap();
    CredentialFile::at(&link).store("a.example", &basic("u", "p")).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(file.find("a.example").unwrap(), Some(basic("u", "p")));
}

#[test]
fn broken_files_are_named_and_never_overwritten() {
    let (_dir, file) = file(r#"{"auths": {"a.example": {"auth": "%%%"}}"#);
    assert!(matches!(file.find("a.example"), Err(CredentialError::Json { .. })));
    assert!(matches!(file.store("b.example", &basic("u", "p")), Err(CredentialError::Json { .. })));
    assert!(fs::read_to_string(file.path()).unwrap().ends_with("%%%\"}}"));
}

#[test]
fn debug_shows_no_secret() {
    let text = format!("{:?}", basic("user", "hunter2"));
    assert!(text.contains("user") && !text.contains("hunter2"), "{text}");
}

#[test]
fn helpers_are_asked_first_and_told_of_logins() {
    let (dir, file) = file(
        r#"{"auths": {"kept.example": {}, "plain.example": {"auth": "YTpi"}},
            "credHelpers": {"own.example": "own"}, "credsStore": "all"}"#,
    );
    for name in ["own", "all"] {
        let path = dir.path().join(format!("docker-credential-{name}"));
        // Remembers what it was told; answers for all but one.
        let text = format!(
            "#!/bin/sh\ninput=$(cat)\necho \"$1 $input\" >>{}/{name}.log\n[ \"$input\" = plain.example ] && \
             {{ echo credentials not found; exit 1; }}\necho '{{\"Username\":\"{name}\",\"Secret\":\"s\"}}'\n",
            dir.path().display()
        );
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let file = file.with_helpers_in(dir.path());
    assert_eq!(file.find("own.example").unwrap(), Some(basic("own", "s")));
    assert_eq!(file.find("kept.example").unwrap(), Some(basic("all", "s")));
    assert_eq!(file.find("plain.example").unwrap(), Some(basic("a", "b")));

    assert_eq!(file.store("new.example", &basic("u", "p")).unwrap(), Kept::Helper("all".to_owned()));
    let config = fs::read_to_string(file.path()).unwrap();
    assert!(config.contains("new.example") && !config.contains("dTpw"), "{config}");
    assert!(file.erase("new.example").unwrap());
    let log = fs::read_to_string(dir.path().join("all.log")).unwrap();
    assert!(log.contains(r#"store {"ServerURL":"new.example","Username":"u","Secret":"p"}"#), "{log}");
    assert!(log.contains("erase new.example"), "{log}");
}
