//! Expansion, rule by rule.

use proptest::prelude::*;

use super::*;

fn env(name: &str) -> Option<String> {
    let value = match name {
        "A" => "value",
        "EMPTY" => "",
        "FILE" => "dir/archive.tar.gz",
        "LIST" => "one  two",
        _ => return None,
    };
    Some(value.to_owned())
}

#[track_caller]
fn check(input: &str, want: &str) {
    assert_eq!(word(input, &env, '\\').map(|expansion| expansion.text), Ok(want.to_owned()), "{input}");
}

#[track_caller]
fn check_error(input: &str, want: ExpandError) {
    assert_eq!(word(input, &env, '\\'), Err(want), "{input}");
}

#[test]
fn variables_quotes_and_escapes() {
    check("$A ${A}s $Nothing!", "value values !");
    check("'$A' \"$A\" \\$A", "$A value $A");
    check(r#""\a\"\\""#, r#"\a"\"#);
    check("cost: 5$", "cost: 5$");
    check("end\\", "end");
}

#[test]
fn modifiers_for_absent_values() {
    check("${A:-x} ${EMPTY:-x} ${EMPTY-x} ${NO-x}", "value x  x");
    check("${A:+x} ${EMPTY:+x} ${EMPTY+x} ${NO+x}", "x  x ");
    check("${NO:-${NO:-$A}}", "value");
    check("${A?} ${EMPTY?}", "value ");
    check_error(
        "${EMPTY:?say why}",
        ExpandError::Missing { name: "EMPTY".into(), message: "say why".into() },
    );
}

#[test]
fn modifiers_with_patterns() {
    check("${FILE#*.} ${FILE##*.}", "tar.gz gz");
    check("${FILE%.*} ${FILE%%.*}", "dir/archive.tar dir/archive");
    check("${FILE/a*e/b} ${FILE//[ar]/x}", "dir/b.tar.gz dir/archive.tar.gz");
    check("${FILE//a/A}", "dir/Archive.tAr.gz");
    check("${A//?/x} ${A///-}", "xxxxx -v-a-l-u-e-");
    check("${FILE/\\//:}", "dir:archive.tar.gz");
}

#[test]
fn errors_name_what_is_missing() {
    check_error("'a", ExpandError::UnclosedQuote('\''));
    check_error("\"a", ExpandError::UnclosedQuote('"'));
    check_error("${A", ExpandError::UnclosedBrace);
    check_error("${A:-", ExpandError::UnclosedBrace);
    check_error("${A/x}", ExpandError::UnclosedPattern);
    check_error("${}", ExpandError::BadSubstitution);
    check_error("${A:=x}", ExpandError::UnknownModifier { name: "A".into(), modifier: ":=".into() });
}

#[test]
fn what_was_looked_up_is_reported() {
    let expansion = word("$A ${B:-$C} $A", &env, '\\').expect("expands");
    assert_eq!(expansion.matched.into_iter().collect::<Vec<_>>(), ["A"]);
    assert_eq!(expansion.unmatched.into_iter().collect::<Vec<_>>(), ["B", "C"]);
}

#[test]
fn words_split_outside_of_quotes() {
    let split = |input| words(input, &env, '\\').expect("expands");
    assert_eq!(split("a $LIST \"$LIST\" b\\ c"), ["a", "one", "two", "one  two", "b c"]);
    assert_eq!(split("80${NO:-80} x${A:+y}"), ["8080", "xy"]);
    assert_eq!(words_for_display("a \"$A\" $NO", &env, '\\').expect("expands"), ["a", "\"value\"", "$NO"]);
}

#[test]
fn quotes_in_a_text_are_text() {
    assert_eq!(text("it's \"$A\" \\$A", &env).expect("expands").text, "it's \"value\" $A");
}

#[test]
fn input_without_end_is_refused() {
    let deep = "${A:+".repeat(100_000);
    check_error(&deep, ExpandError::TooDeep);
    let long = |_: &str| Some("x".repeat(1 << 20));
    assert_eq!(word(&"$A".repeat(100), &long, '\\'), Err(ExpandError::TooLong));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(input in "([$a{}:#%/*?'\"\\\\é-]|\\PC){0,24}", escape in "[`\\\\]") {
        let escape = escape.chars().next().expect("has a character");
        let _ = word(&input, &env, escape);
        let _ = words(&input, &env, escape);
        let _ = words_for_display(&input, &env, escape);
        let _ = text(&input, &env);
    }

    #[test]
    fn plain_text_stays(input in "[a-z ]{0,24}") {
        prop_assert_eq!(word(&input, &env, '\\').map(|expansion| expansion.text), Ok(input));
    }
}
