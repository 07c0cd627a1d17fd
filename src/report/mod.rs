//! What people see: pure functions of the analysis.

mod figure;
mod marker;
mod numbers;
mod table;
mod words;

pub use figure::figure;
pub use table::{changes, points, ratios, summary};
