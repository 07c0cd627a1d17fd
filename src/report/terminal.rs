//! Renders tables as text for the terminal. The format is also a Markdown table.

use comfy_table::{Cell, CellAlignment, presets};

use super::page::Table;
use super::text::printable;

/// Renders a table, followed by its caption.
pub fn render_text(table: &Table) -> String {
    let mut text = comfy_table::Table::new();
    text.load_style(presets::ASCII_MARKDOWN);
    text.set_header(table.header.iter().map(|title| Cell::new(printable(title))));
    for line in &table.body {
        text.add_row(line.iter().map(|cell| aligned(&printable(cell))));
    }
    let caption =
        if table.caption.is_empty() { String::new() } else { table.caption.clone() + "\n" };
    format!("{text}\n{caption}")
}

/// Aligns text to the left and numbers to the right.
fn aligned(cell: &str) -> Cell {
    let number = cell.starts_with(|c: char| "+-(".contains(c) || c.is_ascii_digit());
    let side = if number { CellAlignment::Right } else { CellAlignment::Left };
    Cell::new(cell).set_alignment(side)
}
