//! Results of trials: rows in CSV files, JSON Lines in the format of older tools, and `run.json`
//! with the information needed to repeat a run.
//!
//! All files are opened before the measurement begins. Each row is on disk before the next trial
//! begins.

mod csv_file;
mod hgrm;
mod histogram_row;
mod json_lines;
mod provenance;
mod reading;
mod row;
mod slice_row;
mod thread_row;
mod units;

pub use csv_file::{CsvSink, sibling_file};
pub use hgrm::HgrmFile;
pub use histogram_row::HistogramRow;
pub use json_lines::{ClientLine, JsonLines, ServerLine};
pub use provenance::{Machine, Program, Provenance, Run, RunFile, Trials};
pub use reading::{read_histograms, read_reference, read_rows, read_slices, read_threads};
pub use row::{ALL_DISTURBED, Row};
pub use slice_row::SliceRow;
pub use thread_row::ThreadRow;
pub use units::{per_message, rounded, us_per_message};
