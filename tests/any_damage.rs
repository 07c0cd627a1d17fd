//! Whatever is done to a byte of a file of rows, the reader says what is wrong, or reads what
//! can be true; and what it reads can be reported.

mod common;

use std::sync::LazyLock;

use common::rows::{directory_with, some_rows, text_of};
use echometer::analysis::Axis;
use echometer::results::Row;
use echometer::{analysis, report, results};
use proptest::prelude::*;

/// A file without damage.
static TEXT: LazyLock<String> = LazyLock::new(|| text_of(&some_rows()));

/// What is done to a byte.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Change(u8),
    Insert(u8),
    Delete,
}

fn damage() -> impl Strategy<Value = Damage> {
    // Most of all by what means something in such a file.
    let byte = prop_oneof![
        any::<u8>(),
        proptest::sample::select(&b"\",\n\r-.+eExNaif0123456789 \0\xff"[..])
    ];
    (byte, 0..3).prop_map(|(byte, kind)| match kind {
        0 => Damage::Change(byte),
        1 => Damage::Insert(byte),
        _ => Damage::Delete,
    })
}

fn damaged(text: &[u8], at: usize, damage: Damage) -> Vec<u8> {
    let mut bytes = text.to_vec();
    match damage {
        Damage::Change(byte) => bytes[at] = byte,
        Damage::Insert(byte) => bytes.insert(at, byte),
        Damage::Delete => drop(bytes.remove(at)),
    }
    bytes
}

/// All numbers of a row, of whatever column: what is there and is neither word nor truth.
fn numbers(row: &Row) -> Vec<f64> {
    let typed = serde_json::to_value(row).unwrap();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.serialize(row).unwrap();
    let text = writer.into_inner().unwrap();
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let headers = reader.headers().unwrap().clone();
    let record = reader.records().next().unwrap().unwrap();
    let of_numbers = |(name, field): &(&str, &str)| {
        let value = &typed[*name];
        !field.is_empty() && !value.is_string() && !value.is_boolean()
    };
    let fields = headers.iter().zip(&record).filter(of_numbers);
    fields
        .map(|(name, field)| field.parse().unwrap_or_else(|_| panic!("{name}: {field}")))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_makes_it_panic_or_read_what_cannot_be(
        at in any::<proptest::sample::Index>(), damage in damage()
    ) {
        let text = TEXT.as_bytes();
        let directory = directory_with(damaged(text, at.index(text.len()), damage));
        let Ok(rows) = results::read_rows(&directory.path().join("results.csv")) else {
            return Ok(());
        };
        prop_assert_eq!(rows.len(), some_rows().len(), "none is lost");
        for row in &rows {
            prop_assert!(numbers(row).iter().all(|n| n.is_finite() && *n >= 0.0), "{row:?}");
        }
        let axis = Axis::of(&rows);
        let curves = analysis::curves(&rows, axis);
        if !curves.is_empty() {
            let points = report::points(&curves, axis);
            prop_assert!(report::shown_as_text(&points).contains("msg/s"));
        }
    }
}
