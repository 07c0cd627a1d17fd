//! Tables as text for the terminal, which is Markdown too.

use comfy_table::{Cell, CellAlignment, presets};

use super::page::Table;
use super::text::visible;

/// The table, and behind it its caption.
pub fn shown_as_text(table: &Table) -> String {
    let mut text = comfy_table::Table::new();
    text.load_style(presets::ASCII_MARKDOWN);
    text.set_header(table.titles.iter().map(|title| Cell::new(visible(title))));
    for line in &table.lines {
        text.add_row(line.iter().map(|cell| aligned(&visible(cell))));
    }
    let caption =
        if table.caption.is_empty() { String::new() } else { table.caption.clone() + "\n" };
    format!("{text}\n{caption}")
}

/// Words to the left, numbers to the right.
fn aligned(cell: &str) -> Cell {
    let number = cell.starts_with(|c: char| "+-(".contains(c) || c.is_ascii_digit());
    let side = if number { CellAlignment::Right } else { CellAlignment::Left };
    Cell::new(cell).set_alignment(side)
}
