//! The functions a template may call, and how Go prints and judges values.

use std::cmp::Ordering;

use serde_json::Value;

use super::TemplateError;

pub(super) fn call(name: &str, arguments: &[Value]) -> Result<Value, TemplateError> {
    match (name, arguments) {
        ("json", [value]) => Ok(value.to_string().into()),
        ("index", [value, keys @ ..]) => index(value, keys),
        ("len", [value]) => len(value).map(Value::from),
        ("join", [Value::Array(items), Value::String(separator)]) => {
            Ok(items.iter().map(text).collect::<Vec<_>>().join(separator).into())
        }
        ("join", [Value::Null, Value::String(_)]) => Ok("".into()),
        ("split", [Value::String(value), Value::String(separator)]) => {
            Ok(value.split(separator.as_str()).map(Value::from).collect::<Vec<_>>().into())
        }
        ("upper", [value]) => Ok(text(value).to_uppercase().into()),
        ("lower", [value]) => Ok(text(value).to_lowercase().into()),
        ("title", [value]) => Ok(title(&text(value)).into()),
        ("truncate", [value, Value::Number(length)]) => {
            let length = length.as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
            Ok(text(value).chars().take(length).collect::<String>().into())
        }
        ("print", _) => Ok(arguments.iter().map(text).collect::<String>().into()),
        ("println", _) => {
            Ok(format!("{}\n", arguments.iter().map(text).collect::<Vec<_>>().join(" ")).into())
        }
        ("printf", [Value::String(format), values @ ..]) => Ok(printf(format, values).into()),
        ("not", [value]) => Ok((!truth(value)).into()),
        ("and", [_, ..]) => Ok(pick(arguments, |value| !truth(value))),
        ("or", [_, ..]) => Ok(pick(arguments, truth)),
        ("eq", [value, others @ ..]) if !others.is_empty() => Ok(others.contains(value).into()),
        ("ne", [one, other]) => Ok((one != other).into()),
        ("lt" | "le" | "gt" | "ge", [one, other]) => compare(name, one, other),
        (
            "json" | "index" | "len" | "join" | "split" | "upper" | "lower" | "title" | "truncate" | "printf",
            _,
        )
        | ("not" | "and" | "or" | "eq" | "ne" | "lt" | "le" | "gt" | "ge", _) => {
            let given = arguments.iter().map(Value::to_string).collect::<Vec<_>>().join(" ");
            let given = if given.is_empty() { "no arguments".to_owned() } else { given };
            Err(TemplateError::Argument { function: name.to_owned(), given })
        }
        _ => Err(TemplateError::UnknownFunction(name.to_owned())),
    }
}

/// As Go prints a value.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(" ")),
        Value::Object(members) => {
            let pairs: Vec<String> =
                members.iter().map(|(key, value)| format!("{key}:{}", text(value))).collect();
            format!("map[{}]", pairs.join(" "))
        }
        other => other.to_string(),
    }
}

/// Go's rule: what is empty or zero is false.
pub(super) fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

pub(super) fn unfit(function: &str, value: &Value) -> TemplateError {
    TemplateError::Argument { function: function.to_owned(), given: value.to_string() }
}

fn index(value: &Value, keys: &[Value]) -> Result<Value, TemplateError> {
    let mut at = value;
    for key in keys {
        at = match (at, key) {
            (Value::Array(items), Value::Number(number)) => {
                let out_of_range =
                    || TemplateError::OutOfRange { index: number.to_string(), len: items.len() };
                let position = number.as_u64().and_then(|n| usize::try_from(n).ok());
                position.and_then(|n| items.get(n)).ok_or_else(out_of_range)?
            }
            (Value::Object(members), Value::String(name)) => members.get(name).unwrap_or(&EMPTY),
            (other, _) => return Err(unfit("index", other)),
        };
    }
    Ok(at.clone())
}

fn len(value: &Value) -> Result<usize, TemplateError> {
    match value {
        Value::Null => Ok(0),
        Value::String(text) => Ok(text.len()),
        Value::Array(items) => Ok(items.len()),
        Value::Object(members) => Ok(members.len()),
        other => Err(unfit("len", other)),
    }
}

/// The first argument that decides, else the last.
fn pick(arguments: &[Value], decides: impl Fn(&Value) -> bool) -> Value {
    let decisive = arguments.iter().find(|value| decides(value));
    decisive.or(arguments.last()).cloned().unwrap_or(Value::Null)
}

fn compare(name: &str, one: &Value, other: &Value) -> Result<Value, TemplateError> {
    let order = match (one, other) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    };
    let order = order.ok_or_else(|| unfit(name, other))?;
    let holds = match name {
        "lt" => order == Ordering::Less,
        "le" => order != Ordering::Greater,
        "gt" => order == Ordering::Greater,
        _ => order != Ordering::Less,
    };
    Ok(holds.into())
}

fn title(value: &str) -> String {
    let mut chars = value.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// `%s`, `%v` and `%d` print a value, `%q` quotes it, `%%` is a percent sign; widths are not known.
fn printf(format: &str, values: &[Value]) -> String {
    let mut values = values.iter();
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '%' { chars.next() } else { None }) {
            ('%', Some('%')) => out.push('%'),
            ('%', Some('q')) => out.push_str(&format!("{:?}", values.next().map(text).unwrap_or_default())),
            ('%', Some('s' | 'v' | 'd')) => out.push_str(&values.next().map(text).unwrap_or_default()),
            ('%', Some(other)) => out.extend(['%', other]),
            (c, _) => out.push(c),
        }
    }
    out
}

/// What an absent map element prints as.
static EMPTY: Value = Value::String(String::new());
