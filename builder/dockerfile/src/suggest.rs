//! "Did you mean": the nearest of the names that exist.

/// The name among `known` that differs from `given` by at most two letters, the nearest first.
pub(crate) fn nearest<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // A name that long is no slip of the finger, and comparing takes time.
    if given.len() > LENGTH_MAX {
        return None;
    }
    let given: Vec<char> = given.to_lowercase().chars().collect();
    let near = |known: &&str| known.len().abs_diff(given.len()) <= LENGTH_DIFFERENCE_MAX;
    let measured =
        known.into_iter().take(NAMES_MAX).filter(near).map(|known| (distance(&given, known), known));
    measured
        .filter(|(distance, _)| *distance <= DISTANCE_MAX)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// A sentence that names the nearest name, for the help of a diagnostic.
pub(crate) fn did_you_mean(given: &str, known: &[&str]) -> Option<String> {
    nearest(given, known.iter().copied()).map(|near| format!("did you mean {near}?"))
}

const DISTANCE_MAX: usize = 2;
const LENGTH_MAX: usize = 64;
/// In bytes, where each of the letters may have some.
const LENGTH_DIFFERENCE_MAX: usize = 4 * DISTANCE_MAX;
const NAMES_MAX: usize = 256;

/// How many letters have to be put in, taken out, changed or swapped with their neighbour.
fn distance(given: &[char], known: &str) -> usize {
    let known: Vec<char> = known.to_lowercase().chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=known.len()).collect();
    for (line, letter) in given.iter().enumerate() {
        let mut next = vec![line + 1];
        for (column, wanted) in known.iter().enumerate() {
            let changed = row[column] + usize::from(letter != wanted);
            let mut best = changed.min(row[column + 1] + 1).min(next[column] + 1);
            if line > 0 && column > 0 && given[line - 1] == *wanted && *letter == known[column - 1] {
                best = best.min(before[column - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[known.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_names_are_suggested() {
        let known = ["ENTRYPOINT", "ENV", "RUN"];
        assert_eq!(nearest("FNTRYPOINT", known), Some("ENTRYPOINT"));
        assert_eq!(nearest("runn", known), Some("RUN"));
        assert_eq!(nearest("RNU", known), Some("RUN"));
        assert_eq!(nearest("WORKDIRECTORY", known), None);
        assert_eq!(did_you_mean("EVN", &["ENV"]).as_deref(), Some("did you mean ENV?"));
    }
}
