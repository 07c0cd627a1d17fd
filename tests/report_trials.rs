//! `echometer report` of points with several trials: intervals, ratios, and the claims that they
//! allow. The rows have given values.

mod common;

use std::path::Path;

use common::CommandOutput;
use common::rows::{
    bounded, directory_with_rows, figure, invalid, modified, report, svg_texts, table_row, trials,
    two_systems,
};
use echometer::results::{ALL_DISTURBED, Row};
use roxmltree::Document;
use serde_json::Value;
use tempfile::TempDir;

/// Three throughputs with this mean and a standard deviation of 100.
fn around(mean: f64) -> [f64; 3] {
    [mean, mean + 100.0, mean - 100.0]
}

/// The output of `report` on these rows, and its directory with the figure.
fn reported(rows: &[Row]) -> (CommandOutput, TempDir) {
    let directory = directory_with_rows(rows);
    let output = report(directory.path(), &[]);
    assert_eq!(output.status, 0, "{output:?}");
    (output, directory)
}

/// The only ratio at this number of clients, in the report as JSON.
fn ratio(directory: &Path, clients: usize) -> Value {
    let json = report(directory, &["--format", "json"]);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let ratios = json["ratios"].as_array().unwrap();
    ratios.iter().find(|ratio| ratio["clients"] == clients).unwrap().clone()
}

/// Number of lines of stderr that contain this fragment.
fn stderr_lines(output: &CommandOutput, fragment: &str) -> usize {
    output.stderr.lines().filter(|line| line.contains(fragment)).count()
}

#[test]
fn mean_and_interval_of_three_trials_equal_a_hand_calculation() {
    // t(0.975, 2) = 4.302653, so the half-width is 4.302653 · 100 / √3 = 248.
    let (output, _directory) = reported(&trials(two_systems()[0], 5, &around(12_000.0)));
    let point = table_row(&output.stdout, &[two_systems()[0], "5"]);
    assert_eq!(point[..5], [two_systems()[0], "5", "3", "12,000", "248"]);
    // The row of the curve shows them as its peak.
    let curve = table_row(&output.stdout, &[two_systems()[0], "-"]);
    assert_eq!(curve[..7], [two_systems()[0], "-", "-", "-", "12,000", "248", "5"]);
    assert_eq!(stderr_lines(&output, "no interval"), 0, "{output:?}");
}

#[test]
fn ratios_are_computed_per_trial_and_claimed_if_significant() {
    let [a, b] = two_systems();
    let rows = [
        // 2.0, 2.1 and 1.9.
        trials(a, 1, &[2000.0, 2100.0, 1900.0]),
        trials(b, 1, &[1000.0; 3]),
        // Ratios 0.5, 2 and 1: the geometric mean is 1.
        trials(a, 2, &[500.0, 2000.0, 1000.0]),
        trials(b, 2, &[1000.0; 3]),
        // The machine drifts, but the ratio is the same in each trial.
        trials(a, 3, &[3000.0, 6000.0, 1500.0]),
        trials(b, 3, &[1000.0, 2000.0, 500.0]),
        trials(a, 4, &[2000.0]),
    ];
    let (_output, directory) = reported(&rows.concat());
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
fn two_trials_have_no_interval_and_allow_no_claim() {
    let [a, b] = two_systems();
    let rows = [trials(a, 1, &[2000.0, 2000.5]), trials(b, 1, &[1000.0, 1000.5])].concat();
    let (output, directory) = reported(&rows);
    assert_eq!(table_row(&output.stdout, &[a, "1"])[2..5], ["2", "2,000", "-"]);
    let ratio = ratio(directory.path(), 1);
    assert_eq!((&ratio["verdict"], &ratio["low"]), (&"tie".into(), &Value::Null));
    assert_eq!(stderr_lines(&output, "fewer than 3 trials have no interval"), 1, "{output:?}");
    assert_eq!(stderr_lines(&output, "--trials 5"), 1, "{output:?}");
}

#[test]
fn client_bound_points_are_not_ranked() {
    let [a, b] = two_systems();
    let rows = [
        bounded(trials(a, 1, &[2000.0, 2100.0, 1900.0]), "server"),
        bounded(trials(b, 1, &[1000.0; 3]), "latency"),
        bounded(trials(a, 8, &[2000.0, 2100.0, 1900.0]), "client"),
        bounded(trials(b, 8, &[1000.0; 3]), "server"),
        bounded(trials(a, 9, &[1000.0; 3]), "client"),
        bounded(trials(b, 9, &[1000.0; 3]), "host"),
    ];
    let (output, directory) = reported(&rows.concat());
    let ranks = [1, 8, 9].map(|clients| ratio(directory.path(), clients)["ranks"] == true);
    assert_eq!(ranks, [true, false, false]);
    // The matrix marks the client-bound ratio at the last point.
    assert!(output.stdout.contains("(1.000 ± 0.000)"), "{output:?}");
    let expected = format!("not ranked: {a} at 8, 9 clients, where the clients were the bound; ");
    assert!(output.stderr.contains(&expected), "{output:?}");
    assert!(output.stderr.contains("--client-cpus"), "{output:?}");
    assert!(table_row(&output.stdout, &[a, "8"]).contains(&"client".to_owned()), "{output:?}");
    let (unaffected, _directory) = reported(&rows[..2].concat());
    assert_eq!(stderr_lines(&unaffected, "not ranked"), 0, "{unaffected:?}");
}

#[test]
fn a_peak_that_both_sides_bounded_on_separate_cpus_is_not_the_fastest() {
    let [a, b] = two_systems();
    let separate = |row: &mut Row| {
        row.server_cpus = Some("0".to_owned());
        row.client_cpus = "1-3".to_owned();
    };
    let mut fastest = trials(b, 24, &[149_000.0, 150_000.0, 149_500.0, 149_200.0, 150_100.0]);
    for (row, bound) in fastest.iter_mut().zip(["host", "client", "host", "host", "server"]) {
        row.bound = Some(bound.to_owned());
    }
    let others = bounded(trials(a, 24, &around(38_000.0)), "thread");
    let rows = modified([others, fastest].concat(), separate);
    let (output, directory) = reported(&rows);
    assert_eq!(ratio(directory.path(), 24)["ranks"], false);
    let expected = format!("not ranked: {b} at 24 clients, where the clients had no CPU time left");
    assert!(output.stderr.contains(&expected), "{output:?}");
    let cells = table_row(&output.stdout, &[b, "24"]);
    assert!(cells.contains(&"client, host, server".to_owned()), "{cells:?}");
    let json: Value =
        serde_json::from_str(&report(directory.path(), &["--format", "json"]).stdout).unwrap();
    let ranks: Vec<_> = json["points"].as_array().unwrap().iter().map(|p| &p["ranks"]).collect();
    assert_eq!(ranks, [true, false]);
    let verdict = json["verdict"].to_string();
    assert!(
        verdict.contains("is not ranked: the clients had no CPU time left either"),
        "{verdict}"
    );
    assert!(verdict.contains("one thread of the server used all of a CPU"), "{verdict}");
}

#[test]
fn excluded_trials_and_notes_are_counted() {
    let [a, b] = two_systems();
    let mut rows = [trials(a, 1, &around(2000.0)), trials(b, 1, &around(1000.0))].concat();
    rows[1].notes = Some("both sides share CPUs; one more".to_owned());
    rows[2].notes = Some("one more".to_owned());
    let with =
        |row: &Row, reason| invalid(Row { trial: 4, throughput_per_s: 1e9, ..row.clone() }, reason);
    rows.extend([with(&rows[0], "interrupted"), with(&rows[3], "both sides disagree")]);
    let (output, _directory) = reported(&rows);
    assert_eq!(table_row(&output.stdout, &[a, "1"])[2..4], ["3", "2,000"]);
    for fragment in [
        "left out of every mean: 2 of 8 trials",
        &format!("left out: {a}, 1 client, trial 4: interrupted"),
        &format!("left out: {b}, 1 client, trial 4: both sides disagree"),
        "note, 1 of 8 trials: both sides share CPUs",
        "note, 2 of 8 trials: one more",
    ] {
        assert_eq!(stderr_lines(&output, fragment), 1, "{fragment}: {output:?}");
    }
}

#[test]
fn rows_with_only_disturbed_slices_allow_no_claim_and_give_advice() {
    let [a, b] = two_systems();
    let disturbed = |system| invalid(trials(system, 4, &[0.0]).remove(0), ALL_DISTURBED);
    let directory = directory_with_rows(&[disturbed(a), disturbed(b)]);
    let output = report(directory.path(), &[]);
    output.assert_fails(1, &["no claim is possible on this machine now", "measure again later"]);
    // With other, valid rows, it is a sentence of the verdict.
    let rows = [trials(a, 4, &around(2000.0)), vec![disturbed(b)]].concat();
    let (output, _directory) = reported(&rows);
    assert!(output.stdout.contains("No claim about disturbed trials is possible"), "{output:?}");
}

#[test]
fn marker_shapes_show_the_bound_and_the_legend_explains_them() {
    const BOUNDS: [&str; 6] = ["server", "thread", "client", "host", "latency", "unclear"];
    let entry = |bound| match bound {
        "host" => "bound: host (ranked on shared CPUs only)".to_owned(),
        bound => format!("bound: {bound}"),
    };
    let legend = |rows: &[Row]| -> Vec<String> {
        let (_output, directory) = reported(rows);
        let svg = figure(directory.path());
        let texts = svg_texts(&Document::parse(&svg).unwrap());
        texts.into_iter().filter(|text| text.starts_with("bound: ")).collect()
    };
    let of = |(clients, bound)| bounded(trials(two_systems()[0], clients, &[1000.0]), bound);
    let each: Vec<_> = (1..).zip(BOUNDS).flat_map(of).collect();
    assert_eq!(legend(&each), BOUNDS.map(entry));
    for bound in BOUNDS {
        assert_eq!(legend(&of((1, bound))), [entry(bound)]);
    }
    // An unknown bound, or one that differs between trials, is unclear.
    let mixed = [of((1, "server")), of((1, "latency"))].concat();
    for rows in [trials(two_systems()[0], 1, &[1000.0]), mixed] {
        assert_eq!(legend(&rows), ["bound: unclear"]);
    }
}

/// Number of confidence bands in the figure of these rows: translucent polygons.
fn bands(rows: &[Row]) -> usize {
    let (_output, directory) = reported(rows);
    let svg = figure(directory.path());
    let document = Document::parse(&svg).unwrap();
    let polygons = document.descendants().filter(|node| node.has_tag_name("polygon"));
    let opacities = polygons.filter_map(|node| node.attribute("opacity")?.parse::<f64>().ok());
    // The legend's markers are only slightly transparent.
    opacities.filter(|opacity| (0.01..0.5).contains(opacity)).count()
}

#[test]
fn bands_are_drawn_from_three_trials_on() {
    let curve = |system, throughputs: &[f64]| -> Vec<Row> {
        [1, 2, 4].into_iter().flat_map(|clients| trials(system, clients, throughputs)).collect()
    };
    let [a, b] = two_systems();
    let (three, two) = (around(1000.0), [1000.0, 1100.0]);
    assert_eq!(bands(&[curve(a, &three), curve(b, &three)].concat()), 2);
    assert_eq!(bands(&[curve(a, &three), curve(b, &two)].concat()), 1);
    assert_eq!(bands(&[curve(a, &two), curve(b, &[1000.0])].concat()), 0);
    // A band would also cover the one point that has no interval.
    assert_eq!(bands(&[curve(a, &three), trials(a, 8, &two)].concat()), 0);
}

#[test]
fn the_ratio_of_two_peaks_is_shown_for_extra_cost_per_message() {
    let of = |system: &str, throughput: f64, cost_us: f64, bound: &str| -> Vec<Row> {
        let with = |row: Row| Row {
            server_cpu_us_per_msg: Some(cost_us),
            server_cpus: Some("0".to_owned()),
            ..row
        };
        bounded(trials(system, 8, &around(throughput)), bound).into_iter().map(with).collect()
    };
    let [a, b] = two_systems();
    let markdown = |bound: &str| {
        let rows = [of(a, 42_000.0, 23.6, "server"), of(b, 74_000.0, 13.5, bound)].concat();
        report(directory_with_rows(&rows).path(), &["--format", "md"]).stdout
    };
    let shown = table_row(&markdown("server"), &[&format!("{b} / {a}")]);
    assert_eq!(shown[1..], ["13.5", "23.6", "1.75", "1.55", "1.43", "1.30"]);
    let none = markdown("client");
    assert!(!none.contains("+20 us"), "a server that was not the bound: {none}");
}
