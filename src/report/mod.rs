//! What people see: pure functions of the analysis.

mod figure;
mod table;

pub use figure::figure;
pub use table::table;
