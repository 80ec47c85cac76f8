//! When to try again: exponential back-off with jitter, and the server's own word where it gives one.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

use super::failure::Outlook;

/// How often and how patiently a request is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Tries in a row without progress, the first included.
    pub attempts: u32,
    /// The pause after the first failure; it doubles with each further one.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry { attempts: 8, first: Duration::from_millis(250), longest: Duration::from_secs(8) }
    }
}

/// Counts failures in a row.
#[derive(Debug)]
pub(crate) struct Backoff {
    retry: Retry,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(retry: Retry) -> Backoff {
        Backoff { retry, failures: 0 }
    }

    /// How long to wait before the next try; `None` to give up.
    pub(crate) fn pause(&mut self, outlook: Outlook) -> Option<Duration> {
        self.failures += 1;
        let (attempts, named) = match outlook {
            Outlook::Lasting => return None,
            Outlook::Absent => (self.retry.attempts.min(ABSENT_ATTEMPTS), None),
            Outlook::Passing(named) => (self.retry.attempts, named),
        };
        if self.failures >= attempts || named.is_some_and(|named| named > RETRY_AFTER_MAX) {
            return None;
        }
        let doubled = self.retry.first.saturating_mul(1 << (self.failures - 1).min(16));
        let jittered = doubled.min(self.retry.longest).mul_f64(0.5 + unit_random() / 2.0);
        Some(jittered.max(named.unwrap_or_default()))
    }

    /// Something came through: what failed before counts no more.
    pub(crate) fn progress(&mut self) {
        self.failures = 0;
    }
}

/// The pause that a `Retry-After` field asks for: seconds, or a date.
pub(crate) fn retry_after(field: &str, now: SystemTime) -> Option<Duration> {
    let field = field.trim();
    if !field.is_empty() && field.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Duration::from_secs(field.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(field).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// A number from 0 to 1 that differs between processes; good enough to keep clients apart.
fn unit_random() -> f64 {
    let random = RandomState::new().hash_one(std::process::id());
    f64::from(random as u32) / f64::from(u32::MAX)
}

/// Tries when nobody answers at all.
const ABSENT_ATTEMPTS: u32 = 3;
/// A server that asks for more patience than this is told to the user instead.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    fn passing(seconds: Option<u64>) -> Outlook {
        Outlook::Passing(seconds.map(Duration::from_secs))
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_end() {
        let retry =
            Retry { attempts: 6, first: Duration::from_millis(100), longest: Duration::from_millis(500) };
        let mut backoff = Backoff::new(retry);
        for millis in [100, 200, 400, 500, 500] {
            let pause = backoff.pause(passing(None)).unwrap();
            let longest = Duration::from_millis(millis);
            assert!(pause <= longest && pause >= longest / 2, "{pause:?} for {longest:?}");
        }
        assert_eq!(backoff.pause(passing(None)), None);
    }

    #[test]
    fn progress_starts_the_count_anew() {
        let mut backoff = Backoff::new(Retry { attempts: 2, ..Retry::default() });
        for _ in 0..10 {
            assert!(backoff.pause(passing(None)).is_some());
            backoff.progress();
        }
    }

    #[test]
    fn the_servers_word_counts_when_it_is_bearable() {
        let mut backoff = Backoff::new(Retry::default());
        assert!(backoff.pause(passing(Some(30))).unwrap() >= Duration::from_secs(30));
        assert_eq!(backoff.pause(passing(Some(3600))), None);
    }

    #[test]
    fn what_will_not_change_is_not_tried_again() {
        assert_eq!(Backoff::new(Retry::default()).pause(Outlook::Lasting), None);
    }

    #[test]
    fn nobody_there_is_tried_less_often() {
        let mut backoff = Backoff::new(Retry::default());
        let tries = std::iter::from_fn(|| backoff.pause(Outlook::Absent)).count() + 1;
        assert_eq!(tries, ABSENT_ATTEMPTS as usize);
    }

    #[test]
    fn both_forms_of_retry_after() {
        let now = httpdate::parse_http_date("Sat, 21 Nov 2026 10:00:00 GMT").unwrap();
        assert_eq!(retry_after(" 7 ", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Sat, 21 Nov 2026 10:00:30 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Sat, 21 Nov 2026 09:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("99999999999999999999999", now), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-1", now), None);
    }
}
