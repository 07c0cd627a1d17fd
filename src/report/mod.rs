//! What people see: pure functions of the analysis.
//!
//! The analysis becomes a [`Page`] of sections, which is then written as HTML or as Markdown, so
//! that both tell the same.

mod chart;
mod html;
mod markdown;
mod numbers;
mod paced;
mod page;
pub mod phrases;
pub mod remarks;
mod sections;
mod table;
mod terminal;
mod text;
mod words;

pub use html::html;
pub use markdown::{file_of, markdown};
pub use paced::table as paced;
pub use page::{Block, Figure, Page, Section, Table};
pub use sections::{Given, MAIN_FIGURE, page, verdict};
pub use table::{changes, points, ratios, summary};
pub use terminal::shown_as_text;
