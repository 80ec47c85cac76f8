//! Templates that people use, and what they make.

use serde_json::json;

use super::{Template, TemplateError};

fn check(template: &str, expected: &str) {
    let value = json!({
        "Id": "sha256:0123",
        "RepoTags": ["app:1", "app:2"],
        "RepoDigests": [],
        "Size": 1234,
        "Config": {
            "Cmd": ["sh", "-c", "echo hi"],
            "Env": ["PATH=/bin", "A=b"],
            "Labels": {"a.b": "c", "d": "e"},
            "Entrypoint": [],
        },
    });
    let rendered = Template::parse(template).and_then(|parsed| parsed.render(&value));
    assert_eq!(rendered.as_deref(), Ok(expected), "{template}");
}

fn refused(template: &str) -> TemplateError {
    let value = json!({"Id": "x", "Tags": ["a"]});
    Template::parse(template).and_then(|parsed| parsed.render(&value)).expect_err(template)
}

#[test]
fn fields() {
    check("{{.Id}}", "sha256:0123");
    check("{{ .Id }} is {{.Size}} bytes", "sha256:0123 is 1234 bytes");
    check("{{.Config.Cmd}}", "[sh -c echo hi]");
    check("{{.Config.Entrypoint}}", "[]");
    check("{{.Config.Labels}}", "map[a.b:c d:e]");
    check("{{.Config.User}}", "<no value>");
}

#[test]
fn functions_and_pipes() {
    check("{{json .Config.Cmd}}", r#"["sh","-c","echo hi"]"#);
    check("{{.RepoTags | json}}", r#"["app:1","app:2"]"#);
    check("{{index .RepoTags 0}}", "app:1");
    check(r#"{{index .Config.Labels "a.b"}}"#, "c");
    check(r#"{{index .Config.Labels "none"}}"#, "");
    check(r#"{{join .Config.Env ", "}}"#, "PATH=/bin, A=b");
    check("{{len .RepoTags}}", "2");
    check("{{upper (index .RepoTags 1)}}", "APP:2");
    check(r#"{{printf "%s-%d" .Id .Size}}"#, "sha256:0123-1234");
    check(r#"{{(index .RepoTags 0) | printf "<%s>"}}"#, "<app:1>");
}

#[test]
fn blocks() {
    check("{{range .RepoTags}}{{.}};{{end}}", "app:1;app:2;");
    check("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}} {{end}}", "a.b=c d=e ");
    check("{{range .RepoDigests}}x{{else}}none{{end}}", "none");
    check("{{range .Config.Env}}{{println .}}{{end}}", "PATH=/bin\nA=b\n");
    check("{{if .RepoDigests}}yes{{else if .RepoTags}}tags{{else}}no{{end}}", "tags");
    check("{{with .Config}}{{index .Cmd 0}}{{end}}", "sh");
    check("{{$x := .Size}}{{range .RepoTags}}{{$x}}{{$.Id}} {{end}}", "1234sha256:0123 1234sha256:0123 ");
    check(r#"{{if and (eq .Size 1234) (ne .Id "")}}ok{{end}}"#, "ok");
    check("a  {{- /* comment */ -}}  b", "ab");
    check("a \n{{- .Size -}}\n b", "a1234b");
}

#[test]
fn mistakes_are_named() {
    assert_eq!(refused("{{.Id"), TemplateError::Unclosed);
    assert_eq!(
        refused("{{.Nope}}"),
        TemplateError::NoField { name: "Nope".to_owned(), known: "Id, Tags".to_owned() }
    );
    assert_eq!(refused("{{foo .Id}}"), TemplateError::UnknownFunction("foo".to_owned()));
    assert_eq!(refused("{{range .Tags}}"), TemplateError::Unbalanced("range".to_owned()));
    assert_eq!(refused("{{end}}"), TemplateError::Unbalanced("end".to_owned()));
    assert_eq!(refused("{{}}x{{ | }}"), TemplateError::Incomplete);
    assert_eq!(refused("{{index .Tags 3}}"), TemplateError::OutOfRange { index: "3".to_owned(), len: 1 });
    assert_eq!(refused(&"{{if .Id}}".repeat(200)), TemplateError::TooDeep);
    assert_eq!(refused(&format!("{{{{ {}.Id }}}}", "(".repeat(200))), TemplateError::TooDeep);
}
