//! Renders the page as one self-contained HTML file.

use anyhow::{Context, Result};
use askama::Template;

use super::chart::ThemeColor;
use super::page::{Block, Page, Table};

/// The template of the page. Templates escape all text except for charts: the canvas has already
/// escaped the text in their SVG.
#[derive(Template)]
#[template(path = "report.html")]
struct PageTemplate<'a> {
    page: &'a Page,
    /// The colors of charts in the light theme, and their replacements in the dark theme.
    theme_colors: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "block.html")]
struct BlockTemplate<'a> {
    block: &'a Block,
}

#[derive(Template)]
#[template(path = "table.html")]
struct TableTemplate<'a> {
    table: &'a Table,
}

/// Renders the page as HTML that is also well-formed XML.
///
/// # Errors
///
/// Returns an error if rendering a template fails.
pub fn html(page: &Page) -> Result<String> {
    let theme_colors = ThemeColor::all().map(ThemeColor::hex).collect();
    let page = page.printable();
    PageTemplate { page: &page, theme_colors }.render().context("cannot render the HTML page")
}

impl Block {
    fn html(&self) -> askama::Result<String> {
        BlockTemplate { block: self }.render()
    }
}

impl Table {
    fn html(&self) -> askama::Result<String> {
        TableTemplate { table: self }.render()
    }
}
