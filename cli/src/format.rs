//! `--format`: rows as a table, as JSON lines, or by a template.

use serde_json::{Map, Value};

use crate::command_error::{Attempt, CommandError};
use crate::diagnostic::Diagnostic;
use crate::table::Table;
use crate::template::Template;

/// A field of a row and its heading in tables.
pub(crate) type Column = (&'static str, &'static str);

/// The text of rows (JSON objects of strings) in the format that was asked for. `columns` are all fields; the
/// first `shown` of them make the usual table.
pub(crate) fn rows(
    format: Option<&str>,
    columns: &[Column],
    shown: usize,
    rows: &[Value],
) -> Result<String, CommandError> {
    match format.unwrap_or("table").trim() {
        "table" => {
            let template: Vec<String> =
                columns.iter().take(shown).map(|(field, _)| format!("{{{{.{field}}}}}")).collect();
            table(&template.join("\t"), columns, rows)
        }
        "json" => Ok(rows.iter().map(|row| format!("{row}\n")).collect()),
        text => match text.strip_prefix("table ") {
            Some(text) => table(text.trim_start(), columns, rows),
            None => {
                let template = parse(&unescape(text))?;
                rows.iter().map(|row| Ok(format!("{}\n", apply(&template, text, row)?))).collect()
            }
        },
    }
}

/// The text of one value: pretty JSON, compact JSON for `json`, or by a template.
pub(crate) fn value(format: &str, value: &Value) -> Result<String, CommandError> {
    match format.trim() {
        "json" => Ok(format!("{value}\n")),
        text => Ok(format!("{}\n", apply(&parse(&unescape(text))?, text, value)?)),
    }
}

fn table(text: &str, columns: &[Column], rows: &[Value]) -> Result<String, CommandError> {
    let template = parse(&unescape(text))?;
    let headings: Map<String, Value> =
        columns.iter().map(|(field, heading)| ((*field).to_owned(), (*heading).into())).collect();
    let cells = |row: &Value| -> Result<Vec<String>, CommandError> {
        Ok(apply(&template, text, row)?.split('\t').map(str::to_owned).collect())
    };
    let mut table = Table::new(cells(&Value::Object(headings))?);
    for row in rows {
        table.push(cells(row)?);
    }
    Ok(table.render())
}

fn parse(text: &str) -> Result<Template, CommandError> {
    let advice = "a format is `json`, `table`, or a Go template such as '{{.ID}}'";
    Template::parse(text)
        .trying(|| format!("format {text:?} cannot be read"))
        .map_err(|error| error.map(|diagnostic| Diagnostic::hint(diagnostic, advice)))
}

fn apply(template: &Template, text: &str, value: &Value) -> Result<String, CommandError> {
    template.render(value).trying(|| format!("format {text:?} does not fit"))
}

/// Shells pass `\t` and `\n` on as they stand; Docker reads them.
fn unescape(text: &str) -> String {
    text.replace("\\t", "\t").replace("\\n", "\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: &[Column] = &[("Repository", "REPOSITORY"), ("ID", "IMAGE ID"), ("Size", "SIZE")];

    fn check(format: Option<&str>, expected: &str) {
        let data = [json!({"ID": "0123", "Repository": "app", "Size": "1B"})];
        let text = rows(format, COLUMNS, 2, &data).unwrap_or_else(|_| "failed".to_owned());
        assert_eq!(text, expected, "{format:?}");
    }

    #[test]
    fn formats() {
        check(None, "REPOSITORY   IMAGE ID\napp          0123\n");
        check(Some("table {{.ID}}\\t{{.Size}}"), "IMAGE ID   SIZE\n0123       1B\n");
        check(Some("{{.ID}}: {{.Repository}}"), "0123: app\n");
        check(Some("json"), "{\"ID\":\"0123\",\"Repository\":\"app\",\"Size\":\"1B\"}\n");
        check(Some("{{.Nope}}"), "failed");
    }
}
