//! Values of fields: truths and sizes.

/// `true`, `false`, and the short forms that Go takes.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A size in bytes: `512`, `64k`, `1.5 GiB`; every unit counts in steps of 1024.
pub(crate) fn size(text: &str) -> Option<u64> {
    let end = text.find(|next: char| !next.is_ascii_digit() && next != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
    let unit = unit.strip_suffix("ib").or(unit.strip_suffix('b')).unwrap_or(&unit);
    let power = match unit {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * 1024_f64.powi(power);
    (bytes <= i64::MAX as f64).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("512"), Some(512));
        assert_eq!(size("64k"), Some(64 << 10));
        assert_eq!(size("1.5 GiB"), Some(3 << 29));
        assert_eq!(size("10MB"), Some(10 << 20));
        for text in ["", "k", "1x", "-1", "1..5", "99999999999999999999"] {
            assert_eq!(size(text), None, "{text:?}");
        }
    }
}
