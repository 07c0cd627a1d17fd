//! What a trial leaves behind: rows in CSV files, the JSON Lines of older tools, and in
//! `run.json` what it takes to run it again.
//!
//! Files are opened before anything is measured, and each row is on disk before the next
//! trial begins.

mod csv_file;
mod hgrm;
mod json_lines;
mod provenance;
mod reading;
mod row;
mod slice_row;
mod thread_row;
mod units;

pub use csv_file::{CsvSink, beside};
pub use hgrm::Hgrm;
pub use json_lines::{ClientLine, JsonLines, ServerLine};
pub use provenance::{Machine, Program, Provenance, Run, RunFile, Trials};
pub use reading::{read_reference, read_rows, read_slices, read_threads};
pub use row::{ALL_DISTURBED, Row};
pub use slice_row::SliceRow;
pub use thread_row::ThreadRow;
pub use units::{per, rounded, us_per};
