//! Extended headers: records of `length key=value\n`.

use super::{Time, XATTR_PREFIX};

/// What extended headers say of the next member.
#[derive(Debug, Default)]
pub(super) struct Extended {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) mtime: Option<Time>,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) sparse: bool,
}

impl Extended {
    /// Takes the records in; a later one overrides an earlier one, an empty value takes the override away.
    pub(super) fn add(&mut self, records: &[u8]) -> Result<(), &'static str> {
        for record in Records(records) {
            let (key, value) = record?;
            match key {
                b"path" => self.path = name(value)?,
                b"linkpath" => self.link = name(value)?,
                b"size" => self.size = number(value, "size is no number")?,
                b"uid" => self.uid = owner(value, "uid is no user id")?,
                b"gid" => self.gid = owner(value, "gid is no group id")?,
                b"mtime" => self.mtime = time(value)?,
                _ if key.starts_with(b"GNU.sparse.") => self.sparse = true,
                _ => {
                    if let Some(attribute) = key.strip_prefix(XATTR_PREFIX) {
                        self.add_xattr(attribute, value)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn add_xattr(&mut self, attribute: &[u8], value: &[u8]) -> Result<(), &'static str> {
        if attribute.is_empty() || attribute.contains(&0) || attribute.len() > XATTR_NAME_MAX {
            return Err("name of an extended attribute is empty, too long or has a NUL");
        }
        if value.len() > XATTR_VALUE_MAX {
            return Err("value of an extended attribute is over 64 KiB");
        }
        match self.xattrs.binary_search_by(|(name, _)| name.as_slice().cmp(attribute)) {
            Ok(place) => value.clone_into(&mut self.xattrs[place].1),
            Err(_) if self.xattrs.len() >= XATTRS_MAX => return Err("too many extended attributes"),
            Err(place) => self.xattrs.insert(place, (attribute.to_owned(), value.to_owned())),
        }
        Ok(())
    }
}

/// The first key of a global header that would change members, if there is one.
pub(super) fn first_effective_key(records: &[u8]) -> Result<Option<String>, &'static str> {
    for record in Records(records) {
        let (key, _) = record?;
        let changes = matches!(key, b"path" | b"linkpath" | b"size" | b"uid" | b"gid" | b"mtime")
            || key.starts_with(b"GNU.sparse.")
            || key.starts_with(XATTR_PREFIX);
        if changes {
            return Ok(Some(super::shown(key)));
        }
    }
    Ok(None)
}

/// Writes one record. The length counts its own digits.
pub(super) fn put(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.ilog10() as usize + 1 {
        length = rest + length.ilog10() as usize + 1;
    }
    records.extend_from_slice(length.to_string().as_bytes());
    records.push(b' ');
    records.extend_from_slice(key);
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}

struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let record = self.take();
        if record.is_err() {
            self.0 = &[];
        }
        Some(record)
    }
}

impl<'a> Records<'a> {
    fn take(&mut self) -> Result<(&'a [u8], &'a [u8]), &'static str> {
        let space = self.0.iter().take(LENGTH_DIGITS_MAX).position(|byte| *byte == b' ');
        let space = space.ok_or("a record has no length")?;
        let length = usize::try_from(digits(&self.0[..space]).ok_or("a record's length is no number")?)
            .map_err(|_| "a record's length is no number")?;
        if length <= space + 1 || length > self.0.len() {
            return Err("a record's length is wrong");
        }
        let (record, rest) = self.0.split_at(length);
        let body = record[space + 1..].strip_suffix(b"\n").ok_or("a record does not end with a newline")?;
        let equals = body.iter().position(|byte| *byte == b'=').ok_or("a record has no equals sign")?;
        self.0 = rest;
        Ok((&body[..equals], &body[equals + 1..]))
    }
}

fn name(value: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
    if value.contains(&0) {
        return Err("a name has a NUL");
    }
    Ok((!value.is_empty()).then(|| value.to_owned()))
}

fn number(value: &[u8], wrong: &'static str) -> Result<Option<u64>, &'static str> {
    if value.is_empty() {
        return Ok(None);
    }
    digits(value).map(Some).ok_or(wrong)
}

fn owner(value: &[u8], wrong: &'static str) -> Result<Option<u32>, &'static str> {
    match number(value, wrong)? {
        None => Ok(None),
        Some(id) => u32::try_from(id).ok().filter(|id| *id != u32::MAX).map(Some).ok_or(wrong),
    }
}

/// `[-]seconds[.fraction]`. The fraction of a time before 1970 is dropped.
fn time(value: &[u8]) -> Result<Option<Time>, &'static str> {
    const WRONG: &str = "mtime is no time";
    if value.is_empty() {
        return Ok(None);
    }
    let (negative, rest) = match value.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, value),
    };
    let (whole, fraction) = match rest.iter().position(|byte| *byte == b'.') {
        Some(dot) => (&rest[..dot], &rest[dot + 1..]),
        None => (rest, &[][..]),
    };
    let secs = digits(whole).and_then(|secs| i64::try_from(secs).ok()).ok_or(WRONG)?;
    if !fraction.iter().all(u8::is_ascii_digit) {
        return Err(WRONG);
    }
    if negative {
        return Ok(Some(Time { secs: -secs, nanos: 0 }));
    }
    let digit = |place: usize| fraction.get(place).map_or(0, |byte| u32::from(byte - b'0'));
    let nanos = (0..9).fold(0, |nanos, place| nanos * 10 + digit(place));
    Ok(Some(Time { secs, nanos }))
}

fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let mut value = 0_u64;
    for byte in text {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
    }
    Some(value)
}

const LENGTH_DIGITS_MAX: usize = 20;
const XATTR_NAME_MAX: usize = 255;
const XATTR_VALUE_MAX: usize = 64 << 10;
const XATTRS_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn add(records: &[u8]) -> Result<Extended, &'static str> {
        let mut extended = Extended::default();
        extended.add(records).map(|()| extended)
    }

    #[test]
    fn a_record_counts_its_own_length() {
        for len in [1, 3, 90, 91, 92, 93, 980, 990, 99_990] {
            let value = vec![b'v'; len];
            let mut records = Vec::new();
            put(&mut records, b"path", &value);
            put(&mut records, b"uid", b"7");
            let extended = add(&records).unwrap();
            assert_eq!(extended.path.as_deref(), Some(&value[..]));
            assert_eq!(extended.uid, Some(7));
        }
    }

    #[test]
    fn malformed_records_are_refused() {
        for records in [
            &b"99 path=evil\n"[..],
            b"0 path=evil\n",
            b"13 path=evil.",
            b"11 pathevil\n",
            b"+13 path=evl\n",
            b"path=evil\n",
            b"12 path=a\0b\n",
            b"10 size=3x\n",
            b"10 size=-3\n",
            b"18 uid=4294967296\n",
            b"18 uid=4294967295\n",
            b"8 uid=-1\n",
            b"19 mtime=yesterday\n",
        ] {
            assert!(add(records).is_err(), "{}", String::from_utf8_lossy(records));
        }
    }

    #[test]
    fn later_records_override_and_empty_ones_take_away() {
        let extended = add(b"12 path=one\n12 path=two\n9 size=5\n8 size=\n").unwrap();
        assert_eq!(extended.path.as_deref(), Some(&b"two"[..]));
        assert_eq!(extended.size, None);
    }

    #[test]
    fn times_have_fractions() {
        assert_eq!(time(b"1000000000.987654321"), Ok(Some(Time { secs: 1_000_000_000, nanos: 987_654_321 })));
        assert_eq!(time(b"5.5"), Ok(Some(Time { secs: 5, nanos: 500_000_000 })));
        assert_eq!(time(b"-1000.5"), Ok(Some(Time { secs: -1000, nanos: 0 })));
    }
}
