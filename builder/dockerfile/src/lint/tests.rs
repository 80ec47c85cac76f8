//! Checks of whole Dockerfiles.

use std::collections::BTreeMap;

use super::*;
use crate::ignore::Matcher;

/// The rules that find something in a Dockerfile, and what they point at.
fn found(text: &str, scope: Scope<'_>) -> Vec<(String, String)> {
    let matcher = Matcher::new(&["secret.txt"]).expect("is a pattern");
    let base = |image: &str| (image != "unknown").then(Base::default);
    let settings = Settings {
        options: None,
        scope,
        build_args: &BTreeMap::new(),
        predefined: &[("TARGETPLATFORM".into(), "linux/amd64".into())],
        ignore: Some(&matcher),
        bases: &base,
    };
    let report = check(text, &settings);
    let place = |warning: Diagnostic| {
        (warning.code.unwrap_or_default().to_owned(), text[warning.span.range()].to_owned())
    };
    report.warnings.into_iter().map(place).collect()
}

#[track_caller]
fn check_all(text: &str, want: &[(&str, &str)]) {
    let want: Vec<_> = want.iter().map(|(rule, place)| ((*rule).to_owned(), (*place).to_owned())).collect();
    assert_eq!(found(text, Scope::All), want);
}

#[test]
fn findings_point_at_the_word() {
    check_all("FROM a as B\n", &[("FromAsCasing", "as"), ("StageNameCasing", "B")]);
    check_all("FROM a\nENV X=1 \\\n  Y=$Z\n", &[("UndefinedVar", "$Z")]);
    check_all("FROM a\nCOPY b secret.txt /\n", &[("CopyIgnoredFile", "secret.txt")]);
    check_all("FROM $X\n", &[("UndefinedArgInFrom", "$X"), ("InvalidDefaultArgInFrom", "$X")]);
}

#[test]
fn variables_of_an_unknown_image_may_exist() {
    check_all("FROM unknown\nUSER $ME\n", &[]);
    check_all("FROM unknown AS a\nFROM a\nUSER $ME\n", &[]);
}

#[test]
fn only_stages_that_count_are_followed() {
    let text =
        "FROM a AS one\nUSER $ONE\nFROM a AS two\nUSER $TWO\nFROM a\nCOPY --from=two x /\nUSER $SELF\n";
    let names = |scope| found(text, scope).into_iter().map(|(_, place)| place).collect::<Vec<_>>();
    assert_eq!(names(Scope::All), ["$ONE", "$TWO", "$SELF"]);
    assert_eq!(names(Scope::Last), ["$TWO", "$SELF"]);
    assert_eq!(names(Scope::Target("ONE")), ["$ONE"]);
}

#[test]
fn comments_switch_rules_off_where_they_stand() {
    check_all("FROM a\n# check=skip=UndefinedVar\nUSER $X\nUSER $Y\n", &[("UndefinedVar", "$Y")]);
    check_all("# check=skip=all\nFROM a\nUSER $X\n", &[]);
}

#[test]
fn errors_end_the_check_but_not_what_was_found() {
    let text = "FROM a AS B\nMAINTAINER c\nBOGUS\nMAINTAINER d\n";
    check_all(text, &[("StageNameCasing", "B"), ("MaintainerDeprecated", "MAINTAINER")]);
}

#[test]
fn a_base_of_another_platform_is_reported() {
    let base = |_: &str| Some(Base { platform: Some("linux/arm64".into()), ..Base::default() });
    let settings = Settings {
        options: None,
        scope: Scope::Last,
        build_args: &BTreeMap::new(),
        predefined: &[("TARGETPLATFORM".into(), "linux/amd64".into())],
        ignore: None,
        bases: &base,
    };
    let report = check("# check=error=true\nFROM a\n", &settings);
    assert_eq!(report.warnings[0].code, Some("InvalidBaseImagePlatform"));
    assert!(report.fails);
}
