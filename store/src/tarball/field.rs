//! Numbers in header fields: octal text, or base 256 where the first bit is set.

/// A number that cannot be negative. `None`: malformed, negative, or over 64 bits.
pub(super) fn unsigned(field: &[u8]) -> Option<u64> {
    match field.first()? {
        0x80..=0xfe => binary(field),
        0xff => None,
        _ => octal(field),
    }
}

/// A number that may be negative (times of GNU archives).
pub(super) fn signed(field: &[u8]) -> Option<i64> {
    match field.first()? {
        0xff => {
            let (high, low) = field.split_at(field.len().checked_sub(8)?);
            let value = i64::from_be_bytes(low.try_into().ok()?);
            (high.iter().all(|byte| *byte == 0xff) && value < 0).then_some(value)
        }
        _ => unsigned(field)?.try_into().ok(),
    }
}

/// Writes octal digits and a NUL. The caller has checked that they fit.
pub(super) fn put_octal(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    debug_assert!(fits_octal(field.len(), value), "{value} does not fit {digits} octal digits");
    let mut rest = value;
    for byte in field[..digits].iter_mut().rev() {
        *byte = b'0' + (rest & 7) as u8;
        rest >>= 3;
    }
    field[digits] = 0;
}

/// Whether a number fits a field of `len` bytes as octal digits and a NUL.
pub(super) fn fits_octal(len: usize, value: u64) -> bool {
    value < 1 << (3 * (len - 1))
}

fn binary(field: &[u8]) -> Option<u64> {
    let mut value = u64::from(field[0] & 0x7f);
    for byte in &field[1..] {
        value = value.checked_mul(256)? | u64::from(*byte);
    }
    Some(value)
}

fn octal(field: &[u8]) -> Option<u64> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let digits = field[..end].trim_ascii();
    let mut value = 0_u64;
    for byte in digits {
        if !(b'0'..=b'7').contains(byte) {
            return None;
        }
        value = value.checked_mul(8)? | u64::from(byte - b'0');
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_and_binary_numbers() {
        assert_eq!(unsigned(b"0000644\0"), Some(0o644));
        assert_eq!(unsigned(b"   644 \0"), Some(0o644));
        assert_eq!(unsigned(b"\0\0\0\0"), Some(0));
        assert_eq!(unsigned(b"77777777"), Some(0o77777777), "a field may be full");
        assert_eq!(unsigned(b"0000z\0"), None);
        assert_eq!(unsigned(b"-000001\0"), None);
        assert_eq!(unsigned(&[0x80, 0, 0, 3]), Some(3));
        assert_eq!(unsigned(&[0xff; 12]), None, "negative");
        assert_eq!(unsigned(&[0x81, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None, "over 64 bits");
        assert_eq!(signed(&[0xff; 12]), Some(-1));
        assert_eq!(signed(b"00000000001\0"), Some(1));
        assert_eq!(signed(&[0xff; 4]), None);
    }

    #[test]
    fn what_is_written_is_read() {
        let mut field = [0xaa; 8];
        assert!(fits_octal(8, 0o7777777) && !fits_octal(8, 0o10000000));
        put_octal(&mut field, 0o7777777);
        assert_eq!(&field, b"7777777\0");
        assert_eq!(unsigned(&field), Some(0o7777777));
    }
}
