//! Points in time: RFC 3339 text and seconds since 1970, both ways.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::units;

/// Seconds since 1970 of an RFC 3339 text; fractions are cut off. `None` when it is none.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut date = date.split('-');
    let year: i64 = digits(date.next()?, 4)?;
    let month: i64 = digits(date.next()?, 2)?;
    let day: i64 = digits(date.next()?, 2)?;
    if date.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (clock, offset) = split_offset(time)?;
    let clock = clock.split('.').next()?;
    let mut clock = clock.split(':');
    let hour: i64 = digits(clock.next()?, 2)?;
    let minute: i64 = digits(clock.next()?, 2)?;
    let second: i64 = digits(clock.next()?, 2)?;
    if clock.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(days_from_civil(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset)
}

/// `2026-01-02T03:04:05Z`.
pub(crate) fn rfc3339(seconds: i64) -> String {
    let (date, clock) = date_and_clock(seconds);
    format!("{date}T{clock}Z")
}

/// `2026-01-02 03:04:05 +0000 UTC`, as Docker's `CreatedAt`.
pub(crate) fn created_at(seconds: i64) -> String {
    let (date, clock) = date_and_clock(seconds);
    format!("{date} {clock} +0000 UTC")
}

/// How long ago a time was, in words.
pub(crate) fn ago(seconds: i64) -> String {
    format!("{} ago", units::span(now() - seconds))
}

/// Now, in seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn date_and_clock(seconds: i64) -> (String, String) {
    let (year, month, day) = civil_from_days(seconds.div_euclid(DAY));
    let rest = seconds.rem_euclid(DAY);
    let clock = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    (format!("{year:04}-{month:02}-{day:02}"), clock)
}

/// The clock part, and how many seconds its zone is ahead of UTC.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let (hours, minutes) = time[at + 1..].split_once(':')?;
    let seconds = digits(hours, 2)? * 3600 + digits(minutes, 2)? * 60;
    Some((&time[..at], if time[at..].starts_with('-') { -seconds } else { seconds }))
}

fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar. Years start in March here, so that the leap day is
/// a year's last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * DAYS_OF_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH_SHIFT
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + EPOCH_SHIFT;
    let (era, of_era) = (shifted.div_euclid(DAYS_OF_ERA), shifted.rem_euclid(DAYS_OF_ERA));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = (shifted_month + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

const DAY: i64 = 86_400;
/// Days of 400 years.
const DAYS_OF_ERA: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_SHIFT: i64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        let rows = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_767_323_045, "2026-01-02T03:04:05Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ];
        for (seconds, text) in rows {
            assert_eq!(rfc3339(seconds), text);
            assert_eq!(parse(text), Some(seconds), "{text}");
        }
        assert_eq!(created_at(0), "1970-01-01 00:00:00 +0000 UTC");
    }

    #[test]
    fn fractions_and_zones() {
        assert_eq!(parse("1970-01-01T02:00:00.123456789+02:00"), Some(0));
        assert_eq!(parse("1970-01-01T00:00:00-01:30"), Some(5400));
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in
            ["", "1970-01-01", "1970-13-01T00:00:00Z", "1970-01-01T00:00:00", "1970-1-1T00:00:00Z", "x"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
