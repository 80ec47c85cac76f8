//! The front end as a whole, on texts that look like Dockerfiles and are none.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tug_dockerfile::lint::{self, Base, Scope, Settings};
use tug_dockerfile::{Colors, Source, render};

proptest! {
    #[test]
    fn nothing_that_looks_like_a_dockerfile_makes_it_panic(lines in proptest::collection::vec(line(), 0..12)) {
        let text = lines.concat();
        let parsed = tug_dockerfile::parse(&text);
        for diagnostic in &parsed.diagnostics {
            prop_assert!(text.get(diagnostic.span.range()).is_some(), "{:?}", diagnostic);
        }
        prop_assert!(parsed.dockerfile.is_some() || parsed.diagnostics.iter().any(|said| said.is_error()));
        let settings = Settings {
            options: None,
            scope: Scope::All,
            build_args: &BTreeMap::new(),
            predefined: &[],
            ignore: None,
            bases: &|_| Some(Base::default()),
        };
        let report = lint::check(&text, &settings);
        for warning in &report.warnings {
            prop_assert!(text.get(warning.span.range()).is_some(), "{:?}", warning);
        }
        let source = Source::new("Dockerfile", text.clone());
        let rendered = render(&parsed.diagnostics, &source, Colors::None);
        prop_assert_eq!(rendered.is_empty(), parsed.diagnostics.is_empty());
    }
}

fn line() -> impl Strategy<Value = String> {
    let keyword =
        "(?i)(FROM|RUN|COPY|ADD|ENV|LABEL|ARG|ONBUILD|ONBUILD RUN|HEALTHCHECK CMD|SHELL|VOLUME|# escape=)?";
    let rest = "[ -~é\t]{0,6}(--mount=|--from=|<<-?'?EOF|\\[\"|\"|`|\\\\|\\$\\{|=|,)?[ -~é]{0,6}";
    let end = "(\\\\\n|\n|\r\n|`\n|\nEOF\n|\n\n)";
    (keyword, rest, end).prop_map(|(keyword, rest, end)| format!("{keyword} {rest}{end}"))
}
