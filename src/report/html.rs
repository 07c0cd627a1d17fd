//! The page as one HTML file, which loads nothing.

use anyhow::{Context, Result};
use askama::Template;

use super::chart::Tone;
use super::page::{Block, Page, Table};

/// The page. The template escapes whatever it is given, but for the pictures, which are ours
/// and have escaped their words themselves.
#[derive(Template)]
#[template(path = "report.html")]
struct Document<'a> {
    page: &'a Page,
    /// The colours of pictures on light ground, and those on dark.
    tones: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "table.html")]
struct Lines<'a> {
    table: &'a Table,
}

/// The page as an HTML document that is well-formed XML too.
///
/// # Errors
///
/// Where the template cannot be filled.
pub fn html(page: &Page) -> Result<String> {
    let tones = Tone::all().map(Tone::hex).collect();
    let page = page.visible();
    Document { page: &page, tones }.render().context("cannot write the page")
}

#[derive(Template)]
#[template(path = "block.html")]
struct Piece<'a> {
    block: &'a Block,
}

impl Block {
    fn html(&self) -> askama::Result<String> {
        Piece { block: self }.render()
    }
}

impl Table {
    fn html(&self) -> askama::Result<String> {
        Lines { table: self }.render()
    }
}
