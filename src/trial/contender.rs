//! A contender: one server under test.

use crate::spec::Target;
use crate::systems::System;

/// One server under test: a system with its options, or any program that speaks the system's wire
/// protocol.
#[derive(Clone)]
pub struct Contender {
    /// What rows and reports call it; unique within a bench.
    pub label: String,
    /// The system, whose clients load the server.
    pub system: &'static dyn System,
    /// The server.
    pub target: Target,
}

impl Contender {
    /// What errors call it.
    pub fn name(&self) -> String {
        format!("contender '{}'", self.label)
    }
}
