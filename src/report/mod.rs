//! What people see: pure functions of the analysis.
//!
//! The analysis becomes a [`Page`] of sections, which is then written as HTML or as Markdown, so
//! that both tell the same.

mod chart;
mod html;
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
pub use prose::findings::NO_CLAIM;

pub use html::html;
pub use json::json;
pub use markdown::{file_of, markdown};
pub use paced::table as paced;
pub use page::{Block, Figure, Page, Section, Table};
pub use sections::{Given, MAIN_FIGURE, page, verdict};
pub use table::{changes, matrices, points, summary};
pub use terminal::shown_as_text;
