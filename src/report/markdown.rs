//! The page as Markdown, its pictures as files beside it.

use std::fmt::Write;

use super::page::{Block, Figure, Page, Table};
use super::text::{escaped, visible};

/// The name of the file in which the Markdown looks for a picture.
pub fn file_of(figure: &Figure) -> String {
    format!("{}.svg", figure.id)
}

/// The page as Markdown that GitHub and others show. What came from elsewhere is shown as it
/// is, and is no markup.
pub fn markdown(page: &Page) -> String {
    let mut out = format!("# {}\n", plain(&page.title));
    paragraph(&mut out, &plain(&page.subtitle));
    for section in &page.sections {
        paragraph(&mut out, &format!("## {}", plain(&section.heading)));
        for block in &section.blocks {
            write_block(&mut out, block);
        }
    }
    out
}

/// Nothing is told of a string that cannot be written to: it can.
fn paragraph(out: &mut String, text: &str) {
    if !text.is_empty() {
        let _ = write!(out, "\n{}\n", text.trim_end());
    }
}

fn write_block(out: &mut String, block: &Block) {
    match block {
        Block::Paragraph(words) => paragraph(out, &plain(words)),
        Block::List(items) => {
            let items: Vec<_> = items.iter().map(|item| format!("- {}", plain(item))).collect();
            paragraph(out, &items.join("\n"));
        }
        Block::Lines(lines) => paragraph(out, &fenced(lines)),
        Block::Table(table) => {
            paragraph(out, &format!("{}:", plain(&table.caption)));
            paragraph(out, &of_table(table));
        }
        Block::Folded(summary, blocks) => {
            let mut folded = String::new();
            for block in blocks {
                write_block(&mut folded, block);
            }
            paragraph(out, &details(summary, &folded));
        }
        Block::Figure(figure) => {
            paragraph(out, &format!("![{}]({})", plain(&figure.title), file_of(figure)));
            paragraph(out, &plain(&figure.sentence));
            paragraph(out, &details(&figure.table.caption, &of_table(&figure.table)));
        }
    }
}

/// What is one click away.
fn details(summary: &str, text: &str) -> String {
    let summary = escaped(&visible(summary));
    format!("<details><summary>{summary}</summary>\n\n{}\n\n</details>", text.trim())
}

fn of_table(table: &Table) -> String {
    let numbers = table.of_numbers();
    let side = |column| if numbers.contains(&column) { "--:" } else { "---" }.to_owned();
    let sides = (0..table.titles.len()).map(side).collect::<Vec<_>>();
    let cells = |cells: &[String]| cells.iter().map(|cell| plain(cell)).collect::<Vec<_>>();
    let lines = table.lines.iter().map(|line| cells(line));
    let lines = [cells(&table.titles), sides].into_iter().chain(lines);
    lines.map(|cells| format!("| {} |", cells.join(" | "))).collect::<Vec<_>>().join("\n")
}

/// Lines shown as they are, between fences that are longer than any within.
fn fenced(lines: &[String]) -> String {
    let lines: Vec<_> = lines.iter().map(|line| visible(line)).collect();
    let text = lines.join("\n");
    let ticks = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(ticks.max(2) + 1);
    format!("{fence}text\n{text}\n{fence}")
}

/// Words in which nothing is markup.
fn plain(words: &str) -> String {
    let mut out = String::new();
    for c in visible(words).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    // At the beginning of a line these make a heading, a list or a quotation.
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
    fn nothing_from_elsewhere_is_markup() {
        assert_eq!(plain("<script>a_b|c*"), "&lt;script&gt;a\\_b\\|c\\*");
        assert_eq!(plain("# no heading\n- no list"), "\\# no heading - no list");
        assert_eq!((plain("-1.5"), plain("-")), ("-1.5".to_owned(), "-".to_owned()));
        assert_eq!(fenced(&["a ``` b".to_owned()]), "````text\na ``` b\n````");
    }

    #[test]
    fn a_page_is_headings_paragraphs_pictures_and_tables() {
        let mut table = Table::new("Numbers", &["system", "msg/s"]);
        table.add(["a|b".to_owned(), "1,000".to_owned()]);
        let figure = Figure {
            id: "throughput".to_owned(),
            title: "Rates".to_owned(),
            svg: String::new(),
            sentence: "It rises.".to_owned(),
            table,
        };
        let mut section = Section::new("first", "First");
        section.say("Words.");
        section.blocks.push(Block::Figure(figure));
        let more = vec![Block::List(vec!["One".to_owned(), "two".to_owned()])];
        section.blocks.push(Block::Folded("More".to_owned(), more));
        let page =
            Page { title: "T".to_owned(), subtitle: "S".to_owned(), sections: vec![section] };
        assert_eq!(
            markdown(&page),
            "# T\n\nS\n\n## First\n\nWords.\n\n![Rates](throughput.svg)\n\nIt rises.\n\n\
             <details><summary>Numbers</summary>\n\n| system | msg/s |\n| --- | --: |\n\
             | a\\|b | 1,000 |\n\n</details>\n\n\
             <details><summary>More</summary>\n\n- One\n- two\n\n</details>\n"
        );
    }
}
