//! Renders the page as Markdown, with figures in separate SVG files.

use std::fmt::Write;

use super::page::{Block, Figure, Page, Table};
use super::text::{escape_xml, printable};

/// The name of the figure's SVG file, to which the Markdown links.
pub fn svg_file_name(figure: &Figure) -> String {
    format!("{}.svg", figure.id)
}

/// Renders the page as Markdown for GitHub and compatible viewers. Markup characters in the text
/// are escaped.
pub fn markdown(page: &Page) -> String {
    let mut out = format!("# {}\n", escaped(&page.title));
    paragraph(&mut out, &escaped(&page.subtitle));
    for section in &page.sections {
        paragraph(&mut out, &format!("## {}", escaped(&section.heading)));
        for block in &section.blocks {
            write_block(&mut out, block);
        }
    }
    out
}

fn paragraph(out: &mut String, text: &str) {
    if !text.is_empty() {
        // Writing to a string cannot fail.
        let _ = write!(out, "\n{}\n", text.trim_end());
    }
}

fn write_block(out: &mut String, block: &Block) {
    match block {
        Block::Paragraph(text) => paragraph(out, &escaped(text)),
        Block::List(items) => {
            let items: Vec<_> = items.iter().map(|item| format!("- {}", escaped(item))).collect();
            paragraph(out, &items.join("\n"));
        }
        Block::Code(lines) => paragraph(out, &fenced(lines)),
        Block::Table(table) => {
            paragraph(out, &format!("{}:", escaped(&table.caption)));
            paragraph(out, &pipe_table(table));
        }
        Block::Details(summary, blocks) => {
            let mut content = String::new();
            for block in blocks {
                write_block(&mut content, block);
            }
            paragraph(out, &details(summary, &content));
        }
        Block::Figure(figure) => {
            paragraph(out, &format!("![{}]({})", escaped(&figure.title), svg_file_name(figure)));
            paragraph(out, &escaped(&figure.caption));
            paragraph(out, &details(&figure.table.caption, &pipe_table(&figure.table)));
        }
    }
}

/// Text that is hidden until the reader opens it.
fn details(summary: &str, text: &str) -> String {
    let summary = escape_xml(&printable(summary));
    format!("<details><summary>{summary}</summary>\n\n{}\n\n</details>", text.trim())
}

fn pipe_table(table: &Table) -> String {
    let numeric = table.numeric_columns();
    let align = |column| if numeric.contains(&column) { "--:" } else { "---" }.to_owned();
    let alignments = (0..table.header.len()).map(align).collect::<Vec<_>>();
    let cells = |cells: &[String]| cells.iter().map(|cell| escaped(cell)).collect::<Vec<_>>();
    let body = table.body.iter().map(|line| cells(line));
    let lines = [cells(&table.header), alignments].into_iter().chain(body);
    lines.map(|cells| format!("| {} |", cells.join(" | "))).collect::<Vec<_>>().join("\n")
}

/// A code block. Its fence is longer than any run of backticks inside.
fn fenced(lines: &[String]) -> String {
    let lines: Vec<_> = lines.iter().map(|line| printable(line)).collect();
    let text = lines.join("\n");
    let ticks = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(ticks.max(2) + 1);
    format!("{fence}text\n{text}\n{fence}")
}

/// Text in which all markup characters are escaped.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in printable(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    // At the start of a line, these characters make a heading or a list.
    if out.starts_with(['#', '-', '+', '='])
        && out.len() > 1
        && !out[1..].starts_with(|c: char| c.is_ascii_digit())
    {
        out.insert(0, '\\');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::Section;

    #[test]
    fn markup_in_text_is_escaped() {
        assert_eq!(escaped("<script>a_b|c*"), "&lt;script&gt;a\\_b\\|c\\*");
        assert_eq!(escaped("# no heading\n- no list"), "\\# no heading - no list");
        assert_eq!((escaped("-1.5"), escaped("-")), ("-1.5".to_owned(), "-".to_owned()));
        assert_eq!(fenced(&["a ``` b".to_owned()]), "````text\na ``` b\n````");
    }

    #[test]
    fn page_is_rendered_as_headings_paragraphs_figures_and_tables() {
        let mut table = Table::new("Numbers", &["system", "msg/s"]);
        table.add(["a|b".to_owned(), "1,000".to_owned()]);
        let figure = Figure {
            id: "throughput".to_owned(),
            title: "Rates".to_owned(),
            svg: String::new(),
            caption: "It rises.".to_owned(),
            table,
        };
        let mut section = Section::new("first", "First");
        section.add_paragraph("Text.");
        section.blocks.push(Block::Figure(figure));
        let more = vec![Block::List(vec!["One".to_owned(), "two".to_owned()])];
        section.blocks.push(Block::Details("More".to_owned(), more));
        let page =
            Page { title: "T".to_owned(), subtitle: "S".to_owned(), sections: vec![section] };
        assert_eq!(
            markdown(&page),
            "# T\n\nS\n\n## First\n\nText.\n\n![Rates](throughput.svg)\n\nIt rises.\n\n\
             <details><summary>Numbers</summary>\n\n| system | msg/s |\n| --- | --: |\n\
             | a\\|b | 1,000 |\n\n</details>\n\n\
             <details><summary>More</summary>\n\n- One\n- two\n\n</details>\n"
        );
    }
}
