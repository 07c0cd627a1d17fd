//! After any change to one byte of results.csv, the reader either returns an error or returns
//! plausible rows, and those rows can be reported.

mod common;

use std::sync::LazyLock;

use common::rows::{csv_text, directory_with_csv, sample_rows};
use echometer::analysis::Axis;
use echometer::results::Row;
use echometer::{analysis, report, results};
use proptest::prelude::*;

/// The intact file.
static TEXT: LazyLock<String> = LazyLock::new(|| csv_text(&sample_rows()));

/// A change to one byte.
#[derive(Debug, Clone, Copy)]
enum Corruption {
    Change(u8),
    Insert(u8),
    Delete,
}

fn corruption() -> impl Strategy<Value = Corruption> {
    // Prefer bytes that have a meaning in such a file.
    let byte = prop_oneof![
        any::<u8>(),
        proptest::sample::select(&b"\",\n\r-.+eExNaif0123456789 \0\xff"[..])
    ];
    (byte, 0..3).prop_map(|(byte, kind)| match kind {
        0 => Corruption::Change(byte),
        1 => Corruption::Insert(byte),
        _ => Corruption::Delete,
    })
}

fn corrupt(text: &[u8], at: usize, corruption: Corruption) -> Vec<u8> {
    let mut bytes = text.to_vec();
    match corruption {
        Corruption::Change(byte) => bytes[at] = byte,
        Corruption::Insert(byte) => bytes.insert(at, byte),
        Corruption::Delete => drop(bytes.remove(at)),
    }
    bytes
}

/// All numeric values of a row: the fields that are not empty, strings or booleans.
fn numbers(row: &Row) -> Vec<f64> {
    let typed = serde_json::to_value(row).unwrap();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.serialize(row).unwrap();
    let text = writer.into_inner().unwrap();
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let headers = reader.headers().unwrap().clone();
    let record = reader.records().next().unwrap().unwrap();
    let is_number = |(name, field): &(&str, &str)| {
        let value = &typed[*name];
        !field.is_empty() && !value.is_string() && !value.is_boolean()
    };
    let fields = headers.iter().zip(&record).filter(is_number);
    fields
        .map(|(name, field)| field.parse().unwrap_or_else(|_| panic!("{name}: {field}")))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn a_corrupt_byte_causes_neither_a_panic_nor_impossible_rows(
        at in any::<proptest::sample::Index>(), corruption in corruption()
    ) {
        let text = TEXT.as_bytes();
        let directory = directory_with_csv(corrupt(text, at.index(text.len()), corruption));
        let Ok(rows) = results::read_rows(&directory.path().join("results.csv")) else {
            return Ok(());
        };
        prop_assert_eq!(rows.len(), sample_rows().len(), "a row is missing");
        for row in &rows {
            prop_assert!(numbers(row).iter().all(|n| n.is_finite() && *n >= 0.0), "{row:?}");
        }
        let axis = Axis::of(&rows);
        let curves = analysis::curves(&rows, axis);
        if !curves.is_empty() {
            let points = report::points(&curves, axis);
            prop_assert!(report::render_text(&points).contains("msg/s"));
        }
    }
}
