//! `echometer report`: the HTML page and the Markdown report of rows with given values. Any rows
//! produce a report or a one-line error.

mod common;

use std::fs;
use std::path::Path;

use common::CommandOutput;
use common::page::{SECTIONS, assert_page_is_valid, elements, parse_page, text_of};
use common::rows::{bounded, directory_with_rows, invalid, report, trials, two_systems};
use echometer::results::Row;
use roxmltree::{Document, Node};
use tempfile::TempDir;

/// Calls `check` with the page of these rows.
fn with_page<T>(rows: &[Row], check: impl FnOnce(&Document<'_>) -> T) -> T {
    let (directory, _output) = reported(rows, &[]);
    with_page_in(directory.path(), check)
}

fn reported(rows: &[Row], extra: &[&str]) -> (TempDir, CommandOutput) {
    let directory = directory_with_rows(rows);
    let output = report(directory.path(), extra);
    assert_eq!(output.status, 0, "{output:?}");
    (directory, output)
}

fn with_page_in<T>(directory: &Path, check: impl FnOnce(&Document<'_>) -> T) -> T {
    let html = fs::read_to_string(directory.join("report.html")).unwrap();
    let page = parse_page(&html);
    assert_page_is_valid(&page);
    check(&page)
}

/// Three trials with a value in every column that the figures use.
fn full_rows(system: &str, clients: usize, mean: f64) -> Vec<Row> {
    let with = |row: Row| Row {
        started_at: format!("2026-01-31T12:00:0{}Z", row.trial),
        payload_bytes: 64,
        rtt_mean_us: Some(clients as f64 * 1e6 / mean),
        rtt_p50_us: Some(90.5),
        rtt_p90_us: Some(100.5),
        rtt_p99_us: Some(120.5),
        rtt_p999_us: Some(150.5),
        server_cpu_us_per_msg: Some(11.1),
        server_switches_per_msg: Some(1.17),
        server_threads: Some(4),
        server_busy: Some(0.99),
        server_cpus: Some("0".to_owned()),
        client_cpus: "1".to_owned(),
        client_fairness: Some(1.0),
        host: "here".to_owned(),
        ..row
    };
    let rows = trials(system, clients, &[mean, mean + 10.0, mean - 10.0]);
    bounded(rows, "server").into_iter().map(with).collect()
}

/// A sweep of both systems over these client counts.
fn sweep(counts: &[usize]) -> Vec<Row> {
    let each = |(at, system): (usize, &str)| -> Vec<Row> {
        let rate = |n: usize| 20_000.0 * (at + 1) as f64 * n as f64 / (1.0 + 0.2 * (n - 1) as f64);
        counts.iter().flat_map(|n| full_rows(system, *n, rate(*n))).collect()
    };
    two_systems().into_iter().enumerate().flat_map(each).collect()
}

/// A sweep of one system that approaches this throughput.
fn sweep_of(system: &str, rate: f64) -> Vec<Row> {
    [1, 4, 16]
        .iter()
        .flat_map(|n| full_rows(system, *n, rate * *n as f64 / (*n as f64 + 1.0)))
        .collect()
}

#[test]
fn the_page_has_every_figure_with_its_numbers() {
    with_page(&sweep(&[1, 2, 4, 8, 16, 24]), |page| {
        let figures: Vec<_> = elements(page, "figure")
            .iter()
            .map(|f| f.attribute("id").unwrap().to_owned())
            .collect();
        assert_eq!(figures, ["throughput-figure", "cost-figure", "laws-figure", "rtt-figure"]);
        let text = text_of(page.root_element());
        // One CPU, 11.1 us each: 1e6 / 11.1 = 90,090.
        assert!(
            text.contains("1 CPU / (11.1 us per message) = 90,090 messages/s at most"),
            "{text}"
        );
        assert!(text.contains("fitted curve (USL)") && text.contains("95 % interval"), "{text}");
        assert_eq!(page.root_element().attribute("lang"), Some("en"));
        for landmark in ["header", "nav", "main", "footer"] {
            assert_eq!(elements(page, landmark).len(), 1, "{landmark}");
        }
    });
}

#[test]
fn a_falling_curve_is_claimed_only_with_enough_trials() {
    let sentence_of = |trials: usize| {
        let each = [(1, 10_000.0), (4, 40_000.0), (16, 30_000.0)];
        let rows: Vec<_> =
            each.iter().flat_map(|(n, mean)| full_rows(two_systems()[0], *n, *mean)).collect();
        let rows: Vec<_> = rows.into_iter().filter(|row| row.trial as usize <= trials).collect();
        with_page(&rows, |page| text_of(elements(page, "figcaption")[0]))
    };
    let shown = sentence_of(3);
    assert!(shown.contains("falls to 30,000 at 16 clients"), "{shown}");
    let one = sentence_of(1);
    assert!(one.contains("Its curve ends with 30,000 at 16 clients"), "{one}");
}

#[test]
fn the_verdict_comes_first_on_stdout_and_on_the_page() {
    let rows = sweep(&[1, 4]);
    let (directory, output) = reported(&rows, &[]);
    let first = output.stdout.lines().next().unwrap();
    assert!(first.contains("is fastest") || first.contains("messages/s"), "{first}");
    let first_sentence = first.split(". ").next().unwrap().to_owned();
    with_page_in(directory.path(), |page| {
        let verdict = elements(page, "section")[0];
        assert!(
            text_of(verdict).contains(&first_sentence),
            "{first_sentence}: {}",
            text_of(verdict)
        );
    });
    for written in ["report: ", "figure: "] {
        assert!(output.stderr.contains(written), "{output:?}");
    }
}

#[test]
fn the_markdown_report_has_all_sections_and_separate_figures() {
    let (directory, output) = reported(&sweep(&[1, 2, 4, 8, 16, 24]), &["--format", "md"]);
    let markdown = fs::read_to_string(directory.path().join("report.md")).unwrap();
    assert_eq!(output.stdout, markdown);
    let headings = markdown.lines().filter(|line| line.starts_with("## ")).count();
    assert_eq!(headings, SECTIONS.len());
    for name in ["throughput", "cost", "laws", "rtt"] {
        assert!(markdown.contains(&format!("]({name}.svg)")), "{name}");
        let svg = fs::read_to_string(directory.path().join(name).with_extension("svg")).unwrap();
        assert!(Document::parse(&svg).unwrap().descendants().count() > 20);
    }
    assert!(!directory.path().join("report.html").exists());
    assert_eq!(markdown.matches("<details>").count(), markdown.matches("</details>").count());
}

#[test]
fn an_invalid_format_is_rejected() {
    let directory = directory_with_rows(&sweep(&[1]));
    report(directory.path(), &["--format", "pdf"]).assert_fails(2, &["pdf", "html or md"]);
}

#[test]
fn an_unwritable_report_is_in_the_error() {
    let directory = directory_with_rows(&sweep(&[1]));
    // A directory of that name, which even root cannot overwrite.
    fs::create_dir(directory.path().join("report.html")).unwrap();
    report(directory.path(), &[]).assert_fails(1, &["cannot write", "report.html"]);
}

#[test]
fn sparse_rows_make_a_page() {
    let [a, b] = two_systems();
    for rows in [
        trials(a, 1, &[1000.0]),
        full_rows(a, 1, 1000.0),
        [trials(a, 1, &[1000.0]), trials(a, 2, &[0.0])].concat(),
        [trials(a, 1, &[1000.0]), trials(b, 24, &[1e18])].concat(),
        [full_rows(a, 1, 1000.0), vec![invalid(full_rows(b, 1, 10.0).remove(0), "interrupted")]]
            .concat(),
    ] {
        let figures = with_page(&rows, |page| elements(page, "figure").len());
        assert!(figures >= 1);
        reported(&rows, &["--format", "md"]);
    }
}

#[test]
fn open_loop_rows_alone_make_a_latency_page() {
    let paced = |row: Row| Row {
        rate_per_s: Some(500.0),
        arrivals: Some("poisson".to_owned()),
        due_p50_us: Some(100.0),
        due_p99_us: Some(300.0),
        // Each trial must keep its rate, not only their mean.
        throughput_per_s: if row.system == two_systems()[0] { 500.0 } else { 480.0 },
        ..row
    };
    let [a, b] = two_systems();
    let rows: Vec<_> = [full_rows(a, 24, 500.0), full_rows(b, 24, 480.0)]
        .concat()
        .into_iter()
        .map(paced)
        .collect();
    let (alone, output) = reported(&rows, &[]);
    let sentence = format!("{a}: at 500 requests/s, 99 % of requests are answered within 300 us");
    assert!(
        output.stdout.starts_with(&sentence) && output.stdout.contains("offered/s"),
        "{output:?}"
    );
    assert!(
        output.stdout.contains(&format!("{b} kept no rate: 480 of 500 requests/s sent.")),
        "{output:?}"
    );
    with_page_in(alone.path(), |page| {
        let figures: Vec<_> = elements(page, "figure").iter().map(|f| f.attribute("id")).collect();
        assert_eq!(figures, [Some("due-figure")]);
        assert!(text_of(elements(page, "section")[0]).contains(&sentence));
        assert!(text_of(elements(page, "h1")[0]).starts_with("What is the latency of"));
    });
    reported(&rows, &["--format", "md"]);
    let with_peaks = [full_rows(a, 24, 1000.0), full_rows(b, 24, 960.0), rows].concat();
    with_page(&with_peaks, |page| {
        let due =
            elements(page, "figure").into_iter().find(|f| f.attribute("id") == Some("due-figure"));
        let text = text_of(due.unwrap());
        assert!(text.contains("50 %") && text.contains("offered load (% of the peak)"), "{text}");
    });
}

#[test]
fn more_than_twenty_curves_fit_in_the_figure() {
    let rows =
        (0..26).flat_map(|n| full_rows(&format!("system-{n}"), 1 + n % 3, 1000.0 + n as f64));
    with_page(&rows.collect::<Vec<_>>(), |page| {
        let svg = elements(page, "svg")[0];
        let text = text_of(svg);
        assert!((0..26).all(|n| text.contains(&format!("system-{n}"))), "{text}");
        let bottom = svg.attribute("height").unwrap().parse::<f64>().unwrap();
        let texts = svg.descendants().filter(|node| node.has_tag_name("text"));
        let lowest = texts.map(|text| text.attribute("y").unwrap().parse::<f64>().unwrap());
        assert!(lowest.fold(0.0, f64::max) < bottom);
    });
}

#[test]
fn ten_thousand_clients_have_a_log_scale() {
    with_page(&sweep(&[1, 10, 100, 1000, 10_000]), |page| {
        let text = text_of(elements(page, "svg")[0]);
        assert!(
            text.contains("concurrent clients, log scale") && text.contains("10,000"),
            "{text}"
        );
    });
}

#[test]
fn the_varying_option_is_the_axis() {
    let of = |set: fn(&mut Row, usize), values: &[usize]| -> Vec<Row> {
        let row = |system: &'static str, value: usize| {
            full_rows(system, 24, 9000.0).into_iter().map(move |mut row| {
                set(&mut row, value);
                row
            })
        };
        two_systems()
            .iter()
            .flat_map(|system| values.iter().flat_map(move |value| row(system, *value)))
            .collect()
    };
    let work = |row: &mut Row, us: usize| {
        row.work = Some(if us == 0 { "none".to_owned() } else { format!("spin:{us}us") });
    };
    let cases = [
        (of(|row, n| row.workers = Some(n), &[1, 4, 16]), "workers"),
        (of(work, &[0, 10, 100, 1000]), "service time (us), log scale"),
        (of(|row, n| row.payload_bytes = n, &[16, 1024, 1 << 20]), "payload (bytes), log scale"),
        (of(|row, n| row.think_us = n as f64, &[0, 300, 1000]), "think time (us)"),
    ];
    for (rows, title) in cases {
        with_page(&rows, |page| {
            let svgs = elements(page, "svg");
            let text = text_of(svgs[0]);
            assert!(text.lines().any(|line| line == title), "{title}: {text}");
            if title.starts_with("payload") {
                assert!(text.contains("1 MiB") && text_of(svgs[1]).contains("throughput (MiB/s)"));
            } else {
                assert!(
                    text.lines().any(|line| line == if title == "workers" { "16" } else { "0" })
                );
            }
        });
    }
}

#[test]
fn a_crossover_is_marked_with_a_ring() {
    let of = |work: &str, a: f64, b: f64| {
        let [first, last] = two_systems();
        let rows = [full_rows(first, 24, a), full_rows(last, 24, b)].concat();
        rows.into_iter().map(|row| Row { work: Some(work.to_owned()), ..row }).collect::<Vec<_>>()
    };
    let rows = [of("none", 90_000.0, 50_000.0), of("sleep:1ms", 900.0, 15_000.0)].concat();
    with_page(&rows, |page| {
        let figure = elements(page, "figure")[0];
        // One ring at the crossover, and one in the legend.
        let rings = figure.descendants().filter(|node| node.has_tag_name("circle")).count();
        assert_eq!(rings, 2);
        let [a, b] = two_systems();
        let text = text_of(figure);
        let sentence = format!("The ring marks the crossover: {b} overtakes {a} at a service time");
        assert!(text.contains(&sentence), "{text}");
    });
}

#[test]
fn many_findings_are_folded_after_the_most_important_ones() {
    let rows =
        (0..9_u32).flat_map(|n| sweep_of(&format!("system-{n}"), 9000.0 + 1000.0 * f64::from(n)));
    with_page(&rows.collect::<Vec<_>>(), |page| {
        let verdict = elements(page, "section")[0];
        let items = |of: Node<'_, '_>| of.descendants().filter(|n| n.has_tag_name("li")).count();
        let folded = verdict.descendants().find(|node| node.has_tag_name("details")).unwrap();
        let visible = items(verdict) - items(folded);
        assert!(text_of(folded).trim_start().starts_with("More, curve by curve ("));
        assert!(items(folded) > 5 && (1..=8).contains(&visible), "{visible}");
        assert!(!text_of(folded).contains("is fastest") && !text_of(folded).contains("CPU time"));
    });
}

#[test]
fn a_failed_curve_fit_prints_no_panic() {
    // Throughputs that fit no law, and whose products overflow.
    let rates = [5e-324, 1e18, 1e-300, 1.0, 1e-12, 1e9, 1e-30];
    let rows = [1, 2, 4, 8, 16, 24, 32].into_iter().zip(rates);
    let rows: Vec<_> = rows.map(|(n, rate)| trials(two_systems()[0], n, &[rate])).collect();
    let (_directory, output) = reported(&rows.concat(), &[]);
    assert!(!output.stderr.contains("panicked"), "{output:?}");
}

#[test]
fn foreign_text_is_escaped() {
    const INJECTION: &str = "<script>alert('x')</script> | *b* \u{1b}[31m";
    let injected = |row: Row| Row {
        host: INJECTION.to_owned(),
        notes: Some(INJECTION.to_owned()),
        run_id: INJECTION.to_owned(),
        ..row
    };
    let mut rows: Vec<_> = full_rows(INJECTION, 4, 1000.0).into_iter().map(injected).collect();
    rows.push(invalid(injected(full_rows(INJECTION, 4, 1.0).remove(0)), INJECTION));
    let (directory, output) = reported(&rows, &[]);
    let html = fs::read_to_string(directory.path().join("report.html")).unwrap();
    assert!(!html.contains("<script") && !html.contains('\u{1b}'), "{html}");
    with_page_in(directory.path(), |page| {
        assert!(text_of(page.root_element()).contains("<script>alert('x')</script>"));
    });
    assert!(!output.stdout.contains('\u{1b}'), "{}", output.stdout);
    let (directory, output) = reported(&rows, &["--format", "md"]);
    assert!(!output.stdout.contains("<script"), "{}", output.stdout);
    let svg = fs::read_to_string(directory.path().join("throughput.svg")).unwrap();
    assert!(!svg.contains("<script"), "{svg}");
    Document::parse(&svg).unwrap();
}

#[test]
fn a_corrupt_run_json_is_only_a_warning() {
    for content in [&b"{"[..], b"\xff\xfe", b"[1, 2]"] {
        let directory = directory_with_rows(&sweep(&[1, 2]));
        fs::write(directory.path().join("run.json"), content).unwrap();
        let output = report(directory.path(), &[]);
        assert_eq!(output.status, 0, "{output:?}");
        assert!(
            output.stderr.contains("warning: ") && output.stderr.contains("run.json"),
            "{output:?}"
        );
        with_page_in(directory.path(), |page| {
            assert!(text_of(elements(page, "section")[6]).contains("no run.json"));
        });
    }
}

#[test]
fn a_corrupt_threads_csv_is_an_error() {
    let directory = directory_with_rows(&sweep(&[1, 2]));
    fs::write(directory.path().join("threads.csv"), b"run_id,role\nx,\xff\n").unwrap();
    report(directory.path(), &[]).assert_fails(1, &["threads.csv", "line 2, column role"]);
}
