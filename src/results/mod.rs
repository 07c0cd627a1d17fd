//! What a trial leaves behind: rows in CSV files, and the JSON Lines of older tools.
//!
//! Files are opened before anything is measured, and each row is on disk before the next
//! trial begins.

mod csv_file;
mod json_lines;
mod row;

pub use csv_file::{CsvSink, read_reference, read_rows};
pub use json_lines::{ClientLine, JsonLines, ServerLine};
pub use row::Row;
