//! What expansion leaves as it is written.

/// What is left as it is written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mode {
    pub(super) quotes: Quotes,
    pub(super) escapes: Escapes,
    pub(super) unset: Unset,
}

/// What becomes of quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Quotes {
    /// They protect what is in them, and go.
    #[default]
    Remove,
    /// They protect what is in them, and stay.
    Keep,
    /// They are characters like others.
    Text,
}

/// What becomes of escape characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Escapes {
    #[default]
    Remove,
    Keep,
}

/// What becomes of variables that have no value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Unset {
    #[default]
    Empty,
    AsWritten,
}
