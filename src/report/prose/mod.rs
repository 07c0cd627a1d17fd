//! Sentences: findings, notes, and the phrases that both use.

pub mod bounds;
pub mod findings;
pub mod notes;
pub mod phrases;
