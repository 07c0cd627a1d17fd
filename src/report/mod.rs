//! The report: pure functions that turn the results of `analysis` into text and figures.
//!
//! The sections form a [`Page`]. HTML and Markdown are rendered from the same page, so both have
//! the same content.
//!
//! ```text
//! ReportInput -> sections -> Page -> html, markdown
//!             -> json
//! curves, comparisons -> table -> terminal
//! ```

mod chart;
mod html;
mod interleaved;
mod json;
mod markdown;
mod numbers;
mod paced;
mod page;
pub mod prose;
mod sections;
mod sliced;
mod table;
mod terminal;
mod text;

pub use html::html;
pub use interleaved::table as interleaved_table;
pub use json::json;
pub use markdown::{markdown, svg_file_name};
pub use paced::table as paced_table;
pub use page::{Block, Figure, Page, Section, Table};
pub use sections::{MAIN_FIGURE, ReportInput, page, verdict};
pub use table::{changes, matrices, points, summary};
pub use terminal::render_text;
