//! The page: what is told and in which order, whatever it is written as.

use std::collections::BTreeSet;

use super::text::visible;

/// A page.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// What it is about.
    pub title: String,
    /// When, where and with what it was measured, in a line.
    pub subtitle: String,
    /// In reading order.
    pub sections: Vec<Section>,
}

/// A part of the page with a heading.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// By which it is linked to; unique.
    pub id: &'static str,
    /// What it is about.
    pub heading: String,
    /// What it tells, in reading order.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Sentences.
    Paragraph(String),
    /// Sentences that stand for themselves.
    List(Vec<String>),
    /// What is to be typed, or a calculation: a line each.
    Lines(Vec<String>),
    /// A picture.
    Figure(Figure),
    /// Numbers.
    Table(Table),
    /// What is one click away: what it is, and what there is.
    Folded(String, Vec<Block>),
}

/// A picture, the sentence that says what to see in it, and what it is drawn from.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// By which it is linked to, and called as a file; unique.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// An SVG document.
    pub svg: String,
    /// What to see.
    pub sentence: String,
    /// Its data.
    pub table: Table,
}

/// Numbers in lines and columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// What it holds.
    pub caption: String,
    /// The titles of the columns.
    pub titles: Vec<String>,
    /// As many cells each as there are titles.
    pub lines: Vec<Vec<String>>,
}

impl Block {
    fn visible(&self) -> Block {
        let each = |words: &Vec<String>| words.iter().map(|words| visible(words)).collect();
        match self {
            Block::Paragraph(words) => Block::Paragraph(visible(words)),
            Block::List(items) => Block::List(each(items)),
            Block::Lines(lines) => Block::Lines(each(lines)),
            Block::Table(table) => Block::Table(table.visible()),
            Block::Folded(summary, blocks) => {
                Block::Folded(visible(summary), blocks.iter().map(Block::visible).collect())
            }
            Block::Figure(figure) => Block::Figure(Figure {
                id: figure.id.clone(),
                title: visible(&figure.title),
                // What is drawn is made so where it is drawn.
                svg: figure.svg.clone(),
                sentence: visible(&figure.sentence),
                table: figure.table.visible(),
            }),
        }
    }
}

impl Section {
    /// One without contents so far.
    pub fn new(id: &'static str, heading: &str) -> Self {
        Section { id, heading: heading.to_owned(), blocks: Vec::new() }
    }

    /// Adds sentences.
    pub fn say(&mut self, words: impl Into<String>) {
        self.blocks.push(Block::Paragraph(words.into()));
    }
}

impl Table {
    /// A table of these columns, without lines so far.
    pub fn new(caption: &str, titles: &[&str]) -> Self {
        Table {
            caption: caption.to_owned(),
            titles: titles.iter().map(|&title| title.to_owned()).collect(),
            lines: Vec::new(),
        }
    }

    /// Adds a line.
    pub fn add(&mut self, cells: impl IntoIterator<Item = String>) {
        self.lines.push(cells.into_iter().collect());
    }

    fn visible(&self) -> Table {
        let each = |cells: &Vec<String>| cells.iter().map(|cell| visible(cell)).collect();
        Table {
            caption: visible(&self.caption),
            titles: each(&self.titles),
            lines: self.lines.iter().map(each).collect(),
        }
    }

    /// The columns of numbers, which stand to the right: those that begin as one in every line.
    pub fn of_numbers(&self) -> BTreeSet<usize> {
        let all = |column: &usize| {
            self.lines.iter().all(|line| line.get(*column).is_none_or(|cell| is_number(cell)))
        };
        (1..self.titles.len()).filter(all).collect()
    }
}

fn is_number(cell: &str) -> bool {
    cell.is_empty() || cell.starts_with(|c: char| "+-(".contains(c) || c.is_ascii_digit())
}

impl Page {
    /// The same without characters that cannot be shown.
    #[must_use]
    pub fn visible(&self) -> Page {
        let section = |section: &Section| Section {
            id: section.id,
            heading: visible(&section.heading),
            blocks: section.blocks.iter().map(Block::visible).collect(),
        };
        Page {
            title: visible(&self.title),
            subtitle: visible(&self.subtitle),
            sections: self.sections.iter().map(section).collect(),
        }
    }

    /// All its pictures.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        let blocks = self.sections.iter().flat_map(|section| &section.blocks);
        blocks
            .filter_map(|block| if let Block::Figure(figure) = block { Some(figure) } else { None })
    }
}
