//! Durations as Go writes them: `1m30s`, `500ms`, `1.5h`.

use std::time::Duration;

/// Reads a duration; `None` if it is none, is negative, or is beyond 292 years.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut total: u64 = 0;
    let mut rest = Some(text).filter(|text| !text.is_empty())?;
    while !rest.is_empty() {
        let end = rest.find(|next: char| !next.is_ascii_digit() && next != '.').filter(|end| *end > 0)?;
        let (number, behind) = rest.split_at(end);
        let unit_end = behind.find(|next: char| next.is_ascii_digit() || next == '.').unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit_end);
        total = total.checked_add(nanoseconds(number, unit)?)?;
        rest = behind;
    }
    (total <= i64::MAX as u64).then(|| Duration::from_nanos(total))
}

fn nanoseconds(number: &str, unit: &str) -> Option<u64> {
    let unit = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, nanoseconds)| *nanoseconds)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
    // What is smaller than a nanosecond is cut off.
    let mut part = 0;
    let mut place = unit;
    for digit in fraction.bytes() {
        place /= 10;
        part += u64::from(digit - b'0') * place;
    }
    whole.checked_mul(unit)?.checked_add(part)
}

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_add_up() {
        assert_eq!(parse("0"), Some(Duration::ZERO));
        assert_eq!(parse("0s"), Some(Duration::ZERO));
        assert_eq!(parse("1h1m1.5s"), Some(Duration::from_millis(3_661_500)));
        assert_eq!(parse("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse(".5m"), Some(Duration::from_secs(30)));
    }

    #[test]
    fn what_is_no_duration() {
        for text in ["", "5", "s", "-5s", "5x", "1..5s", ".s", "5s3", "99999999999h", "1 s"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
