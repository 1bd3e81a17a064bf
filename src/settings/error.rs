//! What is wrong with settings that can be read one by one, and not together.

/// A field that cannot have the value that it has, or not beside another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct SettingsError {
    /// Path of the field that has to change.
    pub field: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}
