//! The page: the content of the report and its order, independent of the output format.

use std::collections::BTreeSet;

use super::text::printable;

/// The content of the report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The question that the page answers.
    pub title: String,
    /// Number of trials, hosts, dates and CPU model, in one line.
    pub subtitle: String,
    /// The sections, in reading order.
    pub sections: Vec<Section>,
}

/// A part of the page with a heading.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// The target of links; unique on the page.
    pub id: &'static str,
    /// The text of the heading.
    pub heading: String,
    /// The content, in reading order.
    pub blocks: Vec<Block>,
}

/// A block of a section.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// One or more sentences.
    Paragraph(String),
    /// An unordered list.
    List(Vec<String>),
    /// Lines of preformatted text, such as commands.
    Code(Vec<String>),
    /// A chart with its data.
    Figure(Figure),
    /// Text and numbers in columns.
    Table(Table),
    /// A summary, and blocks that are hidden until the reader opens them.
    Details(String, Vec<Block>),
}

/// A chart with its caption and its data.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The target of links and the name of the SVG file; unique on the page.
    pub id: String,
    /// The content of the chart.
    pub title: String,
    /// An SVG document.
    pub svg: String,
    /// The main observation, in one or a few sentences.
    pub caption: String,
    /// The data of the chart.
    pub table: Table,
}

/// A table of text and numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// The content of the table, with units.
    pub caption: String,
    /// The titles of the columns.
    pub header: Vec<String>,
    /// The lines of the table. Each has as many cells as the header.
    pub body: Vec<Vec<String>>,
}

impl Block {
    fn printable(&self) -> Block {
        let each = |texts: &Vec<String>| texts.iter().map(|text| printable(text)).collect();
        match self {
            Block::Paragraph(text) => Block::Paragraph(printable(text)),
            Block::List(items) => Block::List(each(items)),
            Block::Code(lines) => Block::Code(each(lines)),
            Block::Table(table) => Block::Table(table.printable()),
            Block::Details(summary, blocks) => {
                Block::Details(printable(summary), blocks.iter().map(Block::printable).collect())
            }
            Block::Figure(figure) => Block::Figure(Figure {
                id: figure.id.clone(),
                title: printable(&figure.title),
                // The canvas has already replaced control characters in the SVG.
                svg: figure.svg.clone(),
                caption: printable(&figure.caption),
                table: figure.table.printable(),
            }),
        }
    }
}

impl Section {
    /// A section without blocks.
    pub fn new(id: &'static str, heading: &str) -> Self {
        Section { id, heading: heading.to_owned(), blocks: Vec::new() }
    }

    /// Appends a paragraph.
    pub fn add_paragraph(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Paragraph(text.into()));
    }
}

impl Table {
    /// A table with these columns and an empty body.
    pub fn new(caption: &str, header: &[&str]) -> Self {
        Table {
            caption: caption.to_owned(),
            header: header.iter().map(|&title| title.to_owned()).collect(),
            body: Vec::new(),
        }
    }

    /// Appends a line to the body.
    pub fn add(&mut self, cells: impl IntoIterator<Item = String>) {
        self.body.push(cells.into_iter().collect());
    }

    fn printable(&self) -> Table {
        let each = |cells: &Vec<String>| cells.iter().map(|cell| printable(cell)).collect();
        Table {
            caption: printable(&self.caption),
            header: each(&self.header),
            body: self.body.iter().map(each).collect(),
        }
    }

    /// The indexes of right-aligned columns: those in which every cell starts like a number.
    pub fn numeric_columns(&self) -> BTreeSet<usize> {
        let all = |column: &usize| {
            self.body.iter().all(|line| line.get(*column).is_none_or(|cell| is_number(cell)))
        };
        (1..self.header.len()).filter(all).collect()
    }
}

fn is_number(cell: &str) -> bool {
    cell.is_empty() || cell.starts_with(|c: char| "+-(".contains(c) || c.is_ascii_digit())
}

impl Page {
    /// A copy in which control characters are replaced.
    #[must_use]
    pub fn printable(&self) -> Page {
        let section = |section: &Section| Section {
            id: section.id,
            heading: printable(&section.heading),
            blocks: section.blocks.iter().map(Block::printable).collect(),
        };
        Page {
            title: printable(&self.title),
            subtitle: printable(&self.subtitle),
            sections: self.sections.iter().map(section).collect(),
        }
    }

    /// All figures of the page.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        let blocks = self.sections.iter().flat_map(|section| &section.blocks);
        blocks
            .filter_map(|block| if let Block::Figure(figure) = block { Some(figure) } else { None })
    }
}
