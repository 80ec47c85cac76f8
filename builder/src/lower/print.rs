//! A plan as text: a line per vertex, then the config and the history.

use std::fmt;

use crate::lower::{HistoryItem, Plan};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, vertex) in self.graph.iter() {
            let inputs: Vec<String> = vertex.inputs.iter().map(|input| input.index().to_string()).collect();
            writeln!(f, "{} ({}) {}", id.index(), inputs.join(" "), vertex.op)?;
        }
        writeln!(f, "target {}", self.target.index())?;
        for item in &self.history {
            match item {
                HistoryItem::Base(base) => writeln!(f, "base {}", base.created_by.as_deref().unwrap_or("-"))?,
                HistoryItem::Metadata(text) => writeln!(f, "meta {text}")?,
                HistoryItem::Step(text) => writeln!(f, "step {text}")?,
            }
        }
        Ok(())
    }
}
