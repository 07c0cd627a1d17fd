//! The blocks of a document: visible text, and the comments that follow it.

/// Text from a heading or a comment up to the next heading or the end of the next comments.
#[derive(Debug, Default)]
pub struct Block {
    /// Number of the first line.
    pub line: usize,
    /// The visible text on one line, without code spans and the targets of links.
    pub text: String,
    /// The comments after the text; they apply to it.
    pub comments: Vec<Comment>,
}

#[derive(Debug)]
pub enum Comment {
    /// Numbers in the text that come from the rows in this directory, in the order of the text.
    Claims { directory: String, claims: Vec<Claim> },
    /// Numbers in the text that are not measured, or whose rows are not on record.
    Exempt { quotes: Vec<String> },
    /// The numbers in the rest of the document are not on record.
    NotOnRecord,
}

#[derive(Debug)]
pub struct Claim {
    /// What the quote is; several quantities are separated by semicolons.
    pub quantities: String,
    /// The number as the text quotes it.
    pub quote: String,
}

/// Splits a document into blocks. Comments begin at the beginning of a line and end at the end of
/// one.
pub fn blocks(document: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut block = Block { line: 1, ..Block::default() };
    let mut lines = (1..).zip(document.lines());
    while let Some((number, line)) = lines.next() {
        let ends_block = line.starts_with('#') || !block.comments.is_empty();
        if let Some(start) = line.strip_prefix("<!--") {
            let mut comment = start.to_owned();
            while !comment.ends_with("-->") {
                let (_, line) = lines.next().ok_or(format!("line {number}: comment has no end"))?;
                comment = comment + "\n" + line;
            }
            let comment = comment.trim_end_matches("-->").trim();
            let damage = || format!("line {number}: cannot read the comment; see CONTRIBUTING.md");
            block.comments.push(Comment::parse(comment).ok_or_else(damage)?);
        } else if !line.trim().is_empty() {
            if ends_block {
                blocks.push(std::mem::replace(
                    &mut block,
                    Block { line: number, ..Block::default() },
                ));
            }
            block.text = block.text + line + " ";
        }
    }
    blocks.push(block);
    for block in &mut blocks {
        block.text = visible(&block.text);
    }
    Ok(blocks)
}

impl Comment {
    fn parse(text: &str) -> Option<Self> {
        if text == "not on record" {
            return Some(Comment::NotOnRecord);
        }
        let (kind, text) = text.split_once(": ")?;
        match kind {
            "claim" | "claims" => {
                let (directory, claims) = text.trim().split_once(char::is_whitespace)?;
                // An indented line continues the claim before it.
                let claims = claims.replace("\n ", " ");
                let claims = claims.lines().filter(|line| !line.trim().is_empty());
                let claims = claims.map(Claim::parse).collect::<Option<_>>()?;
                Some(Comment::Claims { directory: directory.to_owned(), claims })
            }
            "exempt" => {
                let (quotes, _reason) = text.rsplit_once(": ")?;
                let quotes = quotes.split("; ").map(one_line).collect();
                Some(Comment::Exempt { quotes })
            }
            _ => None,
        }
    }
}

impl Claim {
    fn parse(line: &str) -> Option<Self> {
        // Labels may contain '=' without spaces.
        let (quantities, quote) = line.split_once(" = ")?;
        Some(Claim { quantities: one_line(quantities), quote: one_line(quote) })
    }
}

/// The text without code spans, the targets of links, and the asterisks of emphasis.
fn visible(text: &str) -> String {
    let without_code: String = text.split('`').step_by(2).collect::<Vec<_>>().join(" ` ");
    let mut parts = without_code.split("](");
    let mut visible = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        visible += part.split_once(')').map_or(part, |(_target, rest)| rest);
    }
    one_line(&visible.replace('*', ""))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
