//! HTTP/1.1 as a test needs it: heads, bodies with a length, nothing else.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Write};

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `GET`, `PUT`, …
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Fields by lower-case name; of several the last.
    pub headers: BTreeMap<String, String>,
    /// The body, or the part of it that was taken.
    pub body: Vec<u8>,
}

impl Request {
    /// A field by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Fields; the length is added.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// An answer without fields and body.
    pub fn status(status: u16) -> Reply {
        Reply { status, headers: Vec::new(), body: Vec::new() }
    }

    /// The same with another field.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The same with a body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Reply {
        self.body = body.into();
        self
    }

    /// A refusal in the words of the distribution spec.
    pub fn refusal(status: u16, code: &str, message: &str) -> Reply {
        let body = serde_json::json!({"errors": [{"code": code, "message": message}]}).to_string();
        Reply::status(status).with("content-type", "application/json").body(body)
    }
}

/// The next request's head; `None` at the connection's end or where it is not HTTP (a TLS hello, for example).
pub(crate) fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let Some(line) = read_line(reader)? else { return Ok(None) };
    let mut words = line.split(' ');
    let (Some(method), Some(path), Some(version)) = (words.next(), words.next(), words.next()) else {
        return Ok(None);
    };
    if !version.starts_with("HTTP/1.") {
        return Ok(None);
    }
    // As a proxy would be asked.
    let path = path.split_once("://").map_or(path, |(_, rest)| &rest[rest.find('/').unwrap_or(rest.len())..]);
    let mut request = Request { method: method.to_owned(), path: path.to_owned(), ..Request::default() };
    for _ in 0..FIELDS_MAX {
        match read_line(reader)? {
            Some(line) if line.is_empty() => return Ok(Some(request)),
            Some(line) => {
                if let Some((name, value)) = line.split_once(':') {
                    request.headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
                }
            }
            None => return Ok(None),
        }
    }
    Ok(None)
}

/// Reads the body, or no more than `limit` bytes of it; says whether it is all there.
pub(crate) fn read_body(
    reader: &mut impl BufRead,
    request: &mut Request,
    limit: Option<usize>,
) -> io::Result<bool> {
    let length: usize = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let wanted = limit.map_or(length, |limit| limit.min(length));
    reader.take(wanted as u64).read_to_end(&mut request.body)?;
    Ok(request.body.len() == length && limit.is_none())
}

/// Writes the head, which promises the whole body, and the first `count` bytes of the body.
pub(crate) fn write(writer: &mut impl Write, reply: &Reply, count: usize) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Status\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if reply.status != 204 {
        head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
    }
    head.push_str("\r\n");
    writer.write_all(head.as_bytes())?;
    writer.write_all(&reply.body[..count])?;
    writer.flush()
}

fn read_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    reader.take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Ok(None);
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(String::from_utf8(line).ok())
}

const FIELDS_MAX: usize = 100;
const LINE_BYTES_MAX: u64 = 64 << 10;
