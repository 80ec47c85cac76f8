//! Columns of text, aligned as Docker aligns them.

/// Rows of cells under a heading.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with this heading.
    pub(crate) fn new<S: Into<String>>(heading: impl IntoIterator<Item = S>) -> Table {
        Table { rows: vec![heading.into_iter().map(Into::into).collect()] }
    }

    /// Adds a row.
    pub(crate) fn push<S: Into<String>>(&mut self, row: impl IntoIterator<Item = S>) {
        self.rows.push(row.into_iter().map(Into::into).collect());
    }

    /// The text, a line a row. Each column is as wide as its widest cell and a gap; the last is not padded.
    pub(crate) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
            (widest + GAP).max(WIDTH_MIN)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            for (column, cell) in row.iter().enumerate() {
                text.push_str(cell);
                if column + 1 < row.len() {
                    let used = cell.chars().count();
                    text.extend(std::iter::repeat_n(' ', widths[column] - used));
                }
            }
            text.push('\n');
        }
        text
    }
}

const GAP: usize = 3;
const WIDTH_MIN: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(["REPOSITORY", "TAG", "IMAGE ID"]);
        table.push(["app", "1", "0123456789ab"]);
        table.push(["registry.example.com/app", "latest", "0123456789ab"]);
        let expected = "\
REPOSITORY                 TAG       IMAGE ID
app                        1         0123456789ab
registry.example.com/app   latest    0123456789ab
";
        assert_eq!(table.render(), expected);
    }
}
