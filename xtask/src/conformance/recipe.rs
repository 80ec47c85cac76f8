//! Archives from the recipes of the tar corpus, byte by byte, so that they can be as wrong as they like.

use serde_json::Value;

/// The archive of a list of entries; `case` says how it ends.
pub(super) fn archive(entries: &[Value], case: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        match (entry["repeat"].as_u64(), entry["zero_blocks"].as_u64()) {
            (Some(times), _) => {
                for number in 0..times {
                    let mut numbered = entry["entry"].clone();
                    let name = numbered["name"].as_str().unwrap_or_default();
                    numbered["name"] = name.replace("%05d", &format!("{number:05}")).into();
                    put(&mut bytes, &numbered);
                }
            }
            (_, Some(blocks)) => bytes.extend(std::iter::repeat_n(0, blocks as usize * 512)),
            _ => put(&mut bytes, entry),
        }
    }
    if !case["no_end"].as_bool().unwrap_or(false) {
        bytes.extend([0; 1024]);
    }
    bytes.extend(unhex(&case["trailing_hex"]));
    bytes
}

fn put(bytes: &mut Vec<u8>, entry: &Value) {
    if let Some(records) = records(entry) {
        let header = serde_json::json!({ "name": "PaxHeader", "type": "raw:x" });
        put_member(bytes, &header, &records);
    }
    let content = entry["content"].as_str().unwrap_or_default();
    put_member(bytes, entry, content.as_bytes());
}

fn records(entry: &Value) -> Option<Vec<u8>> {
    if let Some(raw) = entry["pax_raw"].as_str() {
        return Some(raw.as_bytes().to_vec());
    }
    let mut records = Vec::new();
    for (key, value) in entry["pax"].as_object().into_iter().flatten() {
        let value = match value["repeat"].as_str() {
            Some(text) => text.repeat(value["times"].as_u64().unwrap_or(1) as usize),
            None => value.as_str().unwrap_or_default().to_owned(),
        };
        record(&mut records, key, value.as_bytes());
    }
    for (key, value) in entry["pax_hex"].as_object().into_iter().flatten() {
        record(&mut records, key, &unhex(value));
    }
    (!records.is_empty()).then_some(records)
}

fn record(records: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend(format!("{length} {key}=").bytes());
    records.extend(value);
    records.push(b'\n');
}

fn put_member(bytes: &mut Vec<u8>, entry: &Value, content: &[u8]) {
    let text = |key: &str| entry[key].as_str().unwrap_or_default().as_bytes().to_vec();
    let number = |key: &str, default: u64| entry[key].as_u64().unwrap_or(default);
    let kind = kind(entry["type"].as_str().unwrap_or("file"));
    let mut header = [0_u8; 512];
    let mut set = |at: usize, max: usize, field: &[u8]| {
        let len = field.len().min(max);
        header[at..at + len].copy_from_slice(&field[..len]);
    };
    let name = match entry["name_hex"].is_string() {
        true => unhex(&entry["name_hex"]),
        false => text("name"),
    };
    set(0, 100, &name);
    let mode = match kind {
        b'5' => 0o755,
        b'2' => 0o777,
        _ => 0o644,
    };
    let mode = entry["mode"].as_str().map_or(Some(mode), octal).unwrap_or(mode);
    set(100, 8, format!("{mode:07o}\0").as_bytes());
    set(108, 8, format!("{:07o}\0", number("uid", 0)).as_bytes());
    set(116, 8, format!("{:07o}\0", number("gid", 0)).as_bytes());
    let size = number("size", content.len() as u64);
    match (entry["size_raw_hex"].is_string(), size >> 33) {
        (true, _) => set(124, 12, &unhex(&entry["size_raw_hex"])),
        (_, 0) => set(124, 12, format!("{size:011o}\0").as_bytes()),
        _ => set(124, 12, &[&[0x80, 0, 0, 0][..], &size.to_be_bytes()].concat()),
    }
    set(136, 12, format!("{:011o}\0", number("mtime", 1_000_000_000)).as_bytes());
    set(148, 8, b"        ");
    set(156, 1, &[kind]);
    set(157, 100, &text("linkname"));
    set(257, 8, b"ustar\x0000");
    set(329, 8, format!("{:07o}\0", number("major", 0)).as_bytes());
    set(337, 8, format!("{:07o}\0", number("minor", 0)).as_bytes());
    set(345, 155, &text("prefix"));
    let sum: i64 = match entry["checksum"].as_str() {
        Some("signed") => header.iter().map(|byte| i64::from(byte.cast_signed())).sum(),
        Some("bad") => header.iter().map(|byte| i64::from(*byte)).sum::<i64>() + 1,
        _ => header.iter().map(|byte| i64::from(*byte)).sum(),
    };
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    bytes.extend(header);
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
}

fn kind(name: &str) -> u8 {
    match name {
        "hardlink" => b'1',
        "symlink" => b'2',
        "char" => b'3',
        "block" => b'4',
        "dir" => b'5',
        "fifo" => b'6',
        other => other.strip_prefix("raw:").and_then(|raw| raw.bytes().next()).unwrap_or(b'0'),
    }
}

fn octal(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0o")?, 8).ok()
}

fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap_or_default();
    let pair = |at: usize| text.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    (0..text.len()).step_by(2).filter_map(pair).collect()
}
