//! `report`, the real binary, of points with several trials: intervals, ratios, what is
//! claimed of them and what is not. The rows are made by hand.

mod common;

use std::path::Path;

use common::Ran;
use common::rows::{bounded, directory_of, figure, invalid, line, pair, report, texts, trials};
use echometer::results::{ALL_DISTURBED, Row};
use roxmltree::Document;
use serde_json::Value;
use tempfile::TempDir;

/// Three throughputs of which this is the mean, and 100 the standard deviation.
fn around(mean: f64) -> [f64; 3] {
    [mean, mean + 100.0, mean - 100.0]
}

/// What `report` says of these rows, and where the figure is.
fn reported(rows: &[Row]) -> (Ran, TempDir) {
    let directory = directory_of(rows);
    let ran = report(directory.path(), &[]);
    assert_eq!(ran.status, 0, "{ran:?}");
    (ran, directory)
}

/// The only ratio at this number of clients, in the report as JSON.
fn ratio(directory: &Path, clients: usize) -> Value {
    let json = report(directory, &["--format", "json"]);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let ratios = json["ratios"].as_array().unwrap();
    ratios.iter().find(|ratio| ratio["clients"] == clients).unwrap().clone()
}

/// How many lines of stderr contain this.
fn said(ran: &Ran, telling: &str) -> usize {
    ran.stderr.lines().filter(|line| line.contains(telling)).count()
}

#[test]
fn mean_and_interval_of_three_trials_are_those_worked_out_by_hand() {
    // t(0.975, 2) = 4.302653, so that half the width is 4.302653 · 100 / √3 = 248.
    let (ran, _directory) = reported(&trials(pair()[0], 5, &around(12_000.0)));
    let point = line(&ran.stdout, &[pair()[0], "5"]);
    assert_eq!(point[..5], [pair()[0], "5", "3", "12,000", "248"]);
    // In the line of the curve they are the peak.
    let curve = line(&ran.stdout, &[pair()[0], "-"]);
    assert_eq!(curve[..7], [pair()[0], "-", "-", "-", "12,000", "248", "5"]);
    assert_eq!(said(&ran, "no interval"), 0, "{ran:?}");
}

#[test]
fn ratios_are_taken_within_a_pass_and_claimed_where_they_hold() {
    let [a, b] = pair();
    let rows = [
        // 2.0, 2.1 and 1.9.
        trials(a, 1, &[2000.0, 2100.0, 1900.0]),
        trials(b, 1, &[1000.0; 3]),
        // Half, twice and one: the geometric mean is 1.
        trials(a, 2, &[500.0, 2000.0, 1000.0]),
        trials(b, 2, &[1000.0; 3]),
        // A machine that drifts: in each pass it is the same.
        trials(a, 3, &[3000.0, 6000.0, 1500.0]),
        trials(b, 3, &[1000.0, 2000.0, 500.0]),
        trials(a, 4, &[2000.0]),
    ];
    let (_ran, directory) = reported(&rows.concat());
    let found = [1, 2, 3].map(|clients| ratio(directory.path(), clients));
    let verdicts = found.each_ref().map(|ratio| ratio["verdict"].as_str().unwrap());
    assert_eq!(verdicts, ["higher", "tie", "higher"]);
    // Logarithms 0.693147, 0.741937 and 0.641854: a mean of 0.692313 with a standard error of
    // 0.028895, and t(0.975, 2) = 4.302653.
    for (name, expected) in [("ratio", 1.99833), ("low", 1.76472), ("high", 2.26288)] {
        let value = found[0][name].as_f64().unwrap();
        assert!((value / expected - 1.0).abs() < 1e-4, "{name}: {value}");
    }
    assert!((found[1]["ratio"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{found:?}");
    assert!((found[2]["low"].as_f64().unwrap() - 3.0).abs() < 1e-9, "{found:?}");
}

#[test]
fn two_trials_have_no_interval_and_nothing_is_claimed_of_them() {
    let [a, b] = pair();
    let rows = [trials(a, 1, &[2000.0, 2000.5]), trials(b, 1, &[1000.0, 1000.5])].concat();
    let (ran, directory) = reported(&rows);
    assert_eq!(line(&ran.stdout, &[a, "1"])[2..5], ["2", "2,000", "-"]);
    let ratio = ratio(directory.path(), 1);
    assert_eq!((&ratio["verdict"], &ratio["low"]), (&"tie".into(), &Value::Null));
    assert_eq!(said(&ran, "fewer than 3 trials have no interval"), 1, "{ran:?}");
    assert_eq!(said(&ran, "--trials 5"), 1, "{ran:?}");
}

#[test]
fn what_the_clients_bounded_is_not_ranked() {
    let [a, b] = pair();
    let rows = [
        bounded(trials(a, 1, &[2000.0, 2100.0, 1900.0]), "server"),
        bounded(trials(b, 1, &[1000.0; 3]), "latency"),
        bounded(trials(a, 8, &[2000.0, 2100.0, 1900.0]), "client"),
        bounded(trials(b, 8, &[1000.0; 3]), "server"),
        bounded(trials(a, 9, &[1000.0; 3]), "client"),
        bounded(trials(b, 9, &[1000.0; 3]), "host"),
    ];
    let (ran, directory) = reported(&rows.concat());
    let ranks = [1, 8, 9].map(|clients| ratio(directory.path(), clients)["ranks"] == true);
    assert_eq!(ranks, [true, false, false]);
    // The matrix at the last point marks it.
    assert!(ran.stdout.contains("(1.000 ± 0.000)"), "{ran:?}");
    let expected = format!("not ranked: {a} at 8, 9 clients, where the clients were the bound; ");
    assert!(ran.stderr.contains(&expected), "{ran:?}");
    assert!(ran.stderr.contains("--client-cpus"), "{ran:?}");
    assert!(line(&ran.stdout, &[a, "8"]).contains(&"client".to_owned()), "{ran:?}");
    let (held, _directory) = reported(&rows[..2].concat());
    assert_eq!(said(&held, "not ranked"), 0, "{held:?}");
}

#[test]
fn what_is_left_out_and_what_rows_say_of_themselves_is_counted() {
    let [a, b] = pair();
    let mut rows = [trials(a, 1, &around(2000.0)), trials(b, 1, &around(1000.0))].concat();
    rows[1].notes = Some("both sides share CPUs; one more".to_owned());
    rows[2].notes = Some("one more".to_owned());
    let with =
        |row: &Row, reason| invalid(Row { trial: 4, throughput_per_s: 1e9, ..row.clone() }, reason);
    rows.extend([with(&rows[0], "interrupted"), with(&rows[3], "both sides disagree")]);
    let (ran, _directory) = reported(&rows);
    assert_eq!(line(&ran.stdout, &[a, "1"])[2..4], ["3", "2,000"]);
    for telling in [
        "left out of every mean: 2 of 8 trials",
        &format!("left out: {a}, 1 client, trial 4: interrupted"),
        &format!("left out: {b}, 1 client, trial 4: both sides disagree"),
        "note, 1 of 8 trials: both sides share CPUs",
        "note, 2 of 8 trials: one more",
    ] {
        assert_eq!(said(&ran, telling), 1, "{telling}: {ran:?}");
    }
}

#[test]
fn rows_of_which_every_slice_was_disturbed_claim_nothing_and_say_what_to_do() {
    let [a, b] = pair();
    let disturbed = |system| invalid(trials(system, 4, &[0.0]).remove(0), ALL_DISTURBED);
    let directory = directory_of(&[disturbed(a), disturbed(b)]);
    let ran = report(directory.path(), &[]);
    ran.assert_fails(1, &["no claim is possible on this machine now", "measure again later"]);
    // Next to rows that are valid, it is a sentence of the verdict.
    let rows = [trials(a, 4, &around(2000.0)), vec![disturbed(b)]].concat();
    let (ran, _directory) = reported(&rows);
    assert!(ran.stdout.contains("No claim about these is possible"), "{ran:?}");
}

#[test]
fn the_shape_of_a_point_says_what_bounded_it_and_the_legend_what_shapes_say() {
    const BOUNDS: [&str; 4] = ["server", "client", "host", "latency"];
    let legend = |rows: &[Row]| -> Vec<String> {
        let (_ran, directory) = reported(rows);
        let svg = figure(directory.path());
        let texts = texts(&Document::parse(&svg).unwrap());
        texts.into_iter().filter(|text| text.starts_with("bound: ")).collect()
    };
    let of = |(clients, bound)| bounded(trials(pair()[0], clients, &[1000.0]), bound);
    let each: Vec<_> = (1..).zip(BOUNDS).flat_map(of).collect();
    assert_eq!(legend(&each), BOUNDS.map(|bound| format!("bound: {bound}")));
    for bound in BOUNDS {
        assert_eq!(legend(&of((1, bound))), [format!("bound: {bound}")]);
    }
    // Neither what is not known, nor what is not the same in all trials.
    let mixed = [of((1, "server")), of((1, "latency"))].concat();
    for rows in [trials(pair()[0], 1, &[1000.0]), mixed] {
        assert_eq!(legend(&rows), ["bound: unclear"]);
    }
}

/// The bands of the figure of these rows: what is filled, and lets others be seen.
fn bands(rows: &[Row]) -> usize {
    let (_ran, directory) = reported(rows);
    let svg = figure(directory.path());
    let document = Document::parse(&svg).unwrap();
    let polygons = document.descendants().filter(|node| node.has_tag_name("polygon"));
    let opacities = polygons.filter_map(|node| node.attribute("opacity")?.parse::<f64>().ok());
    // The marks of the legend are a little so.
    opacities.filter(|opacity| (0.01..0.5).contains(opacity)).count()
}

#[test]
fn bands_are_drawn_from_three_trials_on() {
    let curve = |system, throughputs: &[f64]| -> Vec<Row> {
        [1, 2, 4].into_iter().flat_map(|clients| trials(system, clients, throughputs)).collect()
    };
    let [a, b] = pair();
    let (three, two) = (around(1000.0), [1000.0, 1100.0]);
    assert_eq!(bands(&[curve(a, &three), curve(b, &three)].concat()), 2);
    assert_eq!(bands(&[curve(a, &three), curve(b, &two)].concat()), 1);
    assert_eq!(bands(&[curve(a, &two), curve(b, &[1000.0])].concat()), 0);
    // One point without an interval, and the band would claim something of it.
    assert_eq!(bands(&[curve(a, &three), trials(a, 8, &two)].concat()), 0);
}
