//! Every measured number in the documents equals the number that the rows on record give.
//!
//! CONTRIBUTING.md, section "Quote a number", describes the comments that name the rows.

mod comments;
mod quote;
mod rows;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use comments::{Block, Claim, Comment, blocks};
use echometer::results::Row;
use quote::{Quote, Span, measured_numbers, position};
use rows::Measurement;

/// The documents that quote measured numbers.
const DOCUMENTS: [&str; 3] = ["README.md", "docs/findings.md", "docs/tuning.md"];

/// The measurements that claims name, by directory.
type Measurements = BTreeMap<String, Measurement>;

/// Checks all claims of a document. Returns one line for each problem.
fn problems(text: &str, measurements: &mut Measurements) -> Vec<String> {
    let blocks = match blocks(text) {
        Ok(blocks) => blocks,
        Err(problem) => return vec![problem],
    };
    let mut problems = Vec::new();
    let mut is_on_record = true;
    for block in &blocks {
        if is_on_record {
            let found = problems_of(block, measurements);
            problems.extend(found.into_iter().map(|text| format!("line {}: {text}", block.line)));
        }
        if block.comments.iter().any(|comment| matches!(comment, Comment::NotOnRecord)) {
            if !block.text.contains("not on record") {
                problems.push(format!("line {}: say in the text: not on record", block.line));
            }
            is_on_record = false;
        }
    }
    problems
}

/// Checks the claims of a block, then looks for measured numbers without a claim.
fn problems_of(block: &Block, measurements: &mut Measurements) -> Vec<String> {
    let mut problems = Vec::new();
    let mut covered = Vec::new();
    for comment in &block.comments {
        problems.extend(match comment {
            Comment::Claims { directory, claims } => {
                let read = || Measurement::read(&root().join(directory));
                let rows = measurements.entry(directory.clone()).or_insert_with(read);
                let found = check_claims(&block.text, rows, claims, &mut covered);
                found.into_iter().map(|problem| format!("{directory}: {problem}")).collect()
            }
            Comment::Exempt { quotes } => exempt(&block.text, quotes, &mut covered),
            Comment::NotOnRecord => Vec::new(),
        });
    }
    let is_covered = |at: usize| covered.iter().any(|span| span.contains(&at));
    let numbers = measured_numbers(&block.text).into_iter().filter(|(at, _)| !is_covered(*at));
    problems.extend(numbers.map(|(_, number)| format!("no claim for '{number}'")));
    problems
}

/// Compares claims with the rows, and adds the places of their quotes to `covered`. The claims are
/// in the order of the text, so that exchanged numbers are found.
fn check_claims(
    text: &str,
    rows: &Measurement,
    claims: &[Claim],
    covered: &mut Vec<Span>,
) -> Vec<String> {
    let mut problems = Vec::new();
    let mut from = 0;
    for Claim { quantities, quote } in claims {
        problems.extend(check(rows, quantities, quote).err());
        if let Some(span) = position(text, quote, from, covered) {
            from = span.end;
            covered.push(span);
        } else {
            problems.push(format!(
                "{quantities}: the text does not quote '{quote}' in the order of the claims"
            ));
        }
    }
    problems
}

/// Adds all places of these quotes to `covered`.
fn exempt(text: &str, quotes: &[String], covered: &mut Vec<Span>) -> Vec<String> {
    let mut problems = Vec::new();
    for quote in quotes {
        let before = covered.len();
        while let Some(span) = position(text, quote, 0, covered) {
            covered.push(span);
        }
        if covered.len() == before {
            problems.push(format!("the text does not contain '{quote}', exempt here"));
        }
    }
    problems
}

/// Compares a quote with what the rows give for its quantities, separated by semicolons.
fn check(rows: &Measurement, quantities: &str, quote: &str) -> Result<(), String> {
    let values = quantities.split(';').map(|quantity| rows.value(quantity.trim()));
    let values = values.collect::<Result<Vec<_>, _>>()?;
    let quoted = Quote::parse(quote)?;
    if quoted.agrees_with(&values) {
        return Ok(());
    }
    let computed: Vec<_> = values.iter().map(ToString::to_string).collect();
    Err(format!("{quantities}: the text says {quote}, the rows say {}", computed.join(" and ")))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_measured_number_in_the_documents_equals_its_rows() {
    let mut measurements = Measurements::new();
    let mut all = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let found = problems(&text, &mut measurements);
        all.extend(found.into_iter().map(|problem| format!("{document}, {problem}")));
    }
    assert!(all.is_empty(), "{} problems:\n{}", all.len(), all.join("\n"));
}

/// The problems of a document about rows of `a` and `b`, in the directory `ROWS`.
fn problems_of_text(text: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let mut file = csv::Writer::from_path(directory.path().join("results.csv")).unwrap();
    let points: [(&str, usize, &[f64]); 6] = [
        ("a", 1, &[100.0, 100.0]),
        ("a", 4, &[100.0, 110.0, 95.0]),
        ("a", 8, &[1234.4, 1234.4]),
        ("b", 1, &[200.0, 200.0]),
        ("b", 4, &[104.0, 100.0, 101.0]),
        ("b", 8, &[400.0, 400.0]),
    ];
    for (label, clients, rates) in points {
        for (trial, &throughput_per_s) in (1..).zip(rates) {
            let label = label.to_owned();
            let row =
                Row { label, clients, throughput_per_s, trial, valid: true, ..Row::default() };
            file.serialize(row).unwrap();
        }
    }
    drop(file);
    // An absolute path replaces the root.
    let path = directory.path().display().to_string();
    problems(&text.replace("ROWS", &path), &mut Measurements::new())
}

#[test]
fn number_that_equals_its_rows_is_accepted() {
    let claims = "<!-- claims: ROWS\nthroughput a at 8 = 1,234\nthroughput b at 1 = 200\n-->";
    assert_eq!(
        problems_of_text(&format!("It delivers 1,234 and 200 messages/s.\n{claims}")),
        [""; 0]
    );
}

#[test]
fn number_is_rounded_to_its_last_digit() {
    // The rows give 1,234.4.
    for (number, is_right) in
        [("1,234", true), ("1,234.4", true), ("1,230", true), ("1,235", false), ("1,240", false)]
    {
        let text = format!("{number} per s.\n<!-- claim: ROWS throughput a at 8 = {number} -->");
        assert_eq!(problems_of_text(&text).is_empty(), is_right, "{number}");
    }
}

#[test]
fn number_that_differs_from_its_rows_is_reported_with_the_computed_value() {
    let found =
        problems_of_text("1,235 messages/s.\n<!-- claim: ROWS throughput a at 8 = 1,235 -->");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with("the text says 1,235, the rows say 1234.400"), "{found:?}");
}

#[test]
fn ratio_without_a_significant_difference_must_be_called_a_tie() {
    // (100 x 110 x 95 / (104 x 100 x 101))^(1/3) = 0.998
    for (quote, is_right) in [("tie: 1.00", true), ("tie", true), ("1.00", false)] {
        let text = format!("It is a {quote}.\n<!-- claim: ROWS ratio a / b at 4 = {quote} -->");
        assert_eq!(problems_of_text(&text).is_empty(), is_right, "{quote}");
    }
    let text = "It is a tie: 3.09.\n<!-- claim: ROWS ratio a / b at 8 = tie: 3.09 -->";
    assert_eq!(problems_of_text(text).len(), 1);
}

#[test]
fn claim_whose_quote_is_not_in_the_text_is_reported() {
    let found = problems_of_text("It is fast.\n<!-- claim: ROWS throughput a at 8 = 1,234 -->");
    assert!(found[0].contains("the text does not quote '1,234'"), "{found:?}");
}

#[test]
fn claims_in_another_order_than_the_text_are_reported() {
    let claims = "<!-- claims: ROWS\nthroughput a at 8 = 1,234\nthroughput b at 1 = 200\n-->";
    let found = problems_of_text(&format!("It delivers 200 and 1,234 messages/s.\n{claims}"));
    assert!(found[0].contains("does not quote '200'"), "{found:?}");
}

#[test]
fn measured_number_without_a_claim_is_reported() {
    for text in ["4.5 ms", "12 us", "17 ± 3", "2,000 of them", "| a | 985 |", "1.3 (1.1 to 1.5)"] {
        let found = problems_of_text(&format!("It took {text}\n"));
        assert!(!found.is_empty() && found[0].contains("no claim for"), "{text}: {found:?}");
    }
    for text in ["24 clients", "REQ/REP", "`--slice 1.5s`", "[rows](../2026.1/a.csv)", "64-byte"] {
        assert_eq!(problems_of_text(&format!("It has {text}\n")), [""; 0], "{text}");
    }
}

#[test]
fn comment_covers_no_number_of_another_paragraph() {
    let found = problems_of_text("5 ms\n<!-- exempt: 5 ms: a setting -->\n\n5 ms\n");
    assert_eq!(found, ["line 4: no claim for '5'"]);
}

#[test]
fn exemption_of_a_number_that_is_not_in_the_text_is_reported() {
    let found = problems_of_text("text\n<!-- exempt: 20 ms: a setting -->\n");
    assert_eq!(found, ["line 1: the text does not contain '20 ms', exempt here"]);
}

#[test]
fn numbers_that_are_not_on_record_need_a_sentence_that_says_so() {
    assert_eq!(
        problems_of_text("They are not on record.\n<!-- not on record -->\n\n3 us\n"),
        [""; 0]
    );
    assert_eq!(problems_of_text("Text.\n<!-- not on record -->\n\n3 us\n").len(), 1);
}

#[test]
fn damaged_comment_is_reported() {
    for comment in ["<!-- clams: ROWS x = 1 -->", "<!-- claims: ROWS", "<!-- claim: ROWS x 1 -->"] {
        assert_eq!(problems_of_text(&format!("text\n{comment}\n")).len(), 1, "{comment}");
    }
    let unknown = problems_of_text("7 us\n<!-- claim: ROWS speed a at 8 = 7 us -->\n");
    assert!(unknown[0].contains("unknown quantity 'speed a at 8'"), "{unknown:?}");
}
