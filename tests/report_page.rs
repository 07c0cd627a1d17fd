//! `report`, the real binary: the page, the Markdown, and that whatever the rows are there is one
//! of both, or one clear line. The rows are made by hand.

mod common;

use std::fs;
use std::path::Path;

use common::Ran;
use common::page::{SECTIONS, all, assert_is_sound, parsed, text_of};
use common::rows::{bounded, directory_of, invalid, pair, report, trials};
use echometer::results::Row;
use roxmltree::{Document, Node};
use tempfile::TempDir;

/// Does something with the page of these rows.
fn with_page<T>(rows: &[Row], look: impl FnOnce(&Document<'_>) -> T) -> T {
    let (directory, _ran) = reported(rows, &[]);
    look_at(directory.path(), look)
}

fn reported(rows: &[Row], extra: &[&str]) -> (TempDir, Ran) {
    let directory = directory_of(rows);
    let ran = report(directory.path(), extra);
    assert_eq!(ran.status, 0, "{ran:?}");
    (directory, ran)
}

fn look_at<T>(directory: &Path, look: impl FnOnce(&Document<'_>) -> T) -> T {
    let html = fs::read_to_string(directory.join("report.html")).unwrap();
    let page = parsed(&html);
    assert_is_sound(&page);
    look(&page)
}

/// Rows with something in every column that a figure is made of.
fn full(system: &str, clients: usize, mean: f64) -> Vec<Row> {
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

/// A sweep over so many numbers of clients, of both systems.
fn sweep(counts: &[usize]) -> Vec<Row> {
    let each = |(at, system): (usize, &str)| -> Vec<Row> {
        let rate = |n: usize| 20_000.0 * (at + 1) as f64 * n as f64 / (1.0 + 0.2 * (n - 1) as f64);
        counts.iter().flat_map(|n| full(system, *n, rate(*n))).collect()
    };
    pair().into_iter().enumerate().flat_map(each).collect()
}

/// A sweep of one system, which ends at about this rate.
fn sweep_of(system: &str, rate: f64) -> Vec<Row> {
    [1, 4, 16].iter().flat_map(|n| full(system, *n, rate * *n as f64 / (*n as f64 + 1.0))).collect()
}

#[test]
fn every_figure_is_there_with_its_numbers() {
    with_page(&sweep(&[1, 2, 4, 8, 16, 24]), |page| {
        let figures: Vec<_> =
            all(page, "figure").iter().map(|f| f.attribute("id").unwrap().to_owned()).collect();
        assert_eq!(figures, ["throughput-figure", "cost-figure", "laws-figure", "rtt-figure"]);
        let words = text_of(page.root_element());
        // One CPU, 11.1 us each: 1e6 / 11.1 = 90,090.
        assert!(
            words.contains("1 CPU / (11.1 us per message) = 90,090 messages/s at most"),
            "{words}"
        );
        assert!(words.contains("fitted curve (USL)") && words.contains("95 % interval"), "{words}");
        assert_eq!(page.root_element().attribute("lang"), Some("en"));
        for landmark in ["header", "nav", "main", "footer"] {
            assert_eq!(all(page, landmark).len(), 1, "{landmark}");
        }
    });
}

#[test]
fn that_a_curve_falls_is_said_where_trials_enough_show_it() {
    let sentence_of = |trials: usize| {
        let each = [(1, 10_000.0), (4, 40_000.0), (16, 30_000.0)];
        let rows: Vec<_> = each.iter().flat_map(|(n, mean)| full(pair()[0], *n, *mean)).collect();
        let rows: Vec<_> = rows.into_iter().filter(|row| row.trial as usize <= trials).collect();
        with_page(&rows, |page| text_of(all(page, "figcaption")[0]))
    };
    let shown = sentence_of(3);
    assert!(shown.contains("falls to 30,000 at 16 clients"), "{shown}");
    let one = sentence_of(1);
    assert!(one.contains("; the curve ends with 30,000 at 16 clients"), "{one}");
}

#[test]
fn the_verdict_is_the_first_thing_that_is_said_everywhere() {
    let rows = sweep(&[1, 4]);
    let (directory, ran) = reported(&rows, &[]);
    let first = ran.stdout.lines().next().unwrap();
    assert!(first.contains("carries most") || first.contains("messages/s"), "{first}");
    let begins = first.split(". ").next().unwrap().to_owned();
    look_at(directory.path(), |page| {
        let verdict = all(page, "section")[0];
        assert!(text_of(verdict).contains(&begins), "{begins}: {}", text_of(verdict));
    });
    for written in ["report: ", "figure: "] {
        assert!(ran.stderr.contains(written), "{ran:?}");
    }
}

#[test]
fn markdown_tells_the_same_with_its_figures_beside_it() {
    let (directory, ran) = reported(&sweep(&[1, 2, 4, 8, 16, 24]), &["--format", "md"]);
    let markdown = fs::read_to_string(directory.path().join("report.md")).unwrap();
    assert_eq!(ran.stdout, markdown);
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
fn a_format_that_is_none_is_told() {
    let directory = directory_of(&sweep(&[1]));
    report(directory.path(), &["--format", "pdf"]).assert_fails(2, &["pdf", "html or md"]);
}

#[test]
fn a_directory_that_cannot_be_written_is_told() {
    let directory = directory_of(&sweep(&[1]));
    // A directory in its place, which even root cannot write to.
    fs::create_dir(directory.path().join("report.html")).unwrap();
    report(directory.path(), &[]).assert_fails(1, &["cannot write", "report.html"]);
}

#[test]
fn one_row_one_system_and_what_is_not_known_make_a_page() {
    let [a, b] = pair();
    for rows in [
        trials(a, 1, &[1000.0]),
        full(a, 1, 1000.0),
        [trials(a, 1, &[1000.0]), trials(a, 2, &[0.0])].concat(),
        [trials(a, 1, &[1000.0]), trials(b, 24, &[1e18])].concat(),
        [full(a, 1, 1000.0), vec![invalid(full(b, 1, 10.0).remove(0), "interrupted")]].concat(),
    ] {
        let figures = with_page(&rows, |page| all(page, "figure").len());
        assert!(figures >= 1);
        reported(&rows, &["--format", "md"]);
    }
}

#[test]
fn rows_of_arrivals_alone_make_a_page_of_latency() {
    let paced = |row: Row| Row {
        rate_per_s: Some(500.0),
        arrivals: Some("poisson".to_owned()),
        due_p50_us: Some(100.0),
        due_p99_us: Some(300.0),
        ..row
    };
    let [a, b] = pair();
    let rows: Vec<_> =
        [full(a, 24, 500.0), full(b, 24, 480.0)].concat().into_iter().map(paced).collect();
    let (alone, ran) = reported(&rows, &[]);
    let waits = format!("{a}: at 500 messages/s, 99 % of the requests are answered within 300 us");
    assert!(ran.stdout.starts_with(&waits) && ran.stdout.contains("offered/s"), "{ran:?}");
    assert!(
        ran.stdout.contains(&format!("{b} kept no rate: offered 500/s, sent 480/s.")),
        "{ran:?}"
    );
    look_at(alone.path(), |page| {
        let figures: Vec<_> = all(page, "figure").iter().map(|f| f.attribute("id")).collect();
        assert_eq!(figures, [Some("due-figure")]);
        assert!(text_of(all(page, "section")[0]).contains(&waits));
        assert!(text_of(all(page, "h1")[0]).starts_with("How long do replies take"));
    });
    reported(&rows, &["--format", "md"]);
    let with_peaks = [full(a, 24, 1000.0), full(b, 24, 960.0), rows].concat();
    with_page(&with_peaks, |page| {
        let due = all(page, "figure").into_iter().find(|f| f.attribute("id") == Some("due-figure"));
        let words = text_of(due.unwrap());
        assert!(words.contains("50 %") && words.contains("offered, in % of the peak"), "{words}");
    });
}

#[test]
fn more_than_twenty_curves_stay_apart() {
    let rows = (0..26).flat_map(|n| full(&format!("system-{n}"), 1 + n % 3, 1000.0 + n as f64));
    with_page(&rows.collect::<Vec<_>>(), |page| {
        let svg = all(page, "svg")[0];
        let words = text_of(svg);
        assert!((0..26).all(|n| words.contains(&format!("system-{n}"))), "{words}");
        let bottom = svg.attribute("height").unwrap().parse::<f64>().unwrap();
        let texts = svg.descendants().filter(|node| node.has_tag_name("text"));
        let lowest = texts.map(|text| text.attribute("y").unwrap().parse::<f64>().unwrap());
        assert!(lowest.fold(0.0, f64::max) < bottom);
    });
}

#[test]
fn ten_thousand_clients_are_drawn_by_their_logarithms() {
    with_page(&sweep(&[1, 10, 100, 1000, 10_000]), |page| {
        let words = text_of(all(page, "svg")[0]);
        assert!(
            words.contains("concurrent clients, log scale") && words.contains("10,000"),
            "{words}"
        );
    });
}

#[test]
fn the_axis_that_varies_is_drawn() {
    let of = |set: fn(&mut Row, usize), values: &[usize]| -> Vec<Row> {
        let row = |system: &'static str, value: usize| {
            full(system, 24, 9000.0).into_iter().map(move |mut row| {
                set(&mut row, value);
                row
            })
        };
        pair()
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
            let svgs = all(page, "svg");
            let words = text_of(svgs[0]);
            assert!(words.lines().any(|line| line == title), "{title}: {words}");
            if title.starts_with("payload") {
                assert!(words.contains("1 MiB") && text_of(svgs[1]).contains("throughput (MiB/s)"));
            } else {
                assert!(
                    words.lines().any(|line| line == if title == "workers" { "16" } else { "0" })
                );
            }
        });
    }
}

#[test]
fn where_one_overtakes_another_there_is_a_ring() {
    let of = |work: &str, a: f64, b: f64| {
        let [first, last] = pair();
        let rows = [full(first, 24, a), full(last, 24, b)].concat();
        rows.into_iter().map(|row| Row { work: Some(work.to_owned()), ..row }).collect::<Vec<_>>()
    };
    let rows = [of("none", 90_000.0, 50_000.0), of("sleep:1ms", 900.0, 15_000.0)].concat();
    with_page(&rows, |page| {
        let figure = all(page, "figure")[0];
        // One around the place, and one in the legend.
        let rings = figure.descendants().filter(|node| node.has_tag_name("circle")).count();
        assert_eq!(rings, 2);
        let [a, b] = pair();
        let words = text_of(figure);
        assert!(
            words.contains(&format!("The ring marks where {b} overtakes {a} from a service time"))
        );
    });
}

#[test]
fn of_much_to_say_what_answers_is_led_with() {
    let rows =
        (0..9_u32).flat_map(|n| sweep_of(&format!("system-{n}"), 9000.0 + 1000.0 * f64::from(n)));
    with_page(&rows.collect::<Vec<_>>(), |page| {
        let verdict = all(page, "section")[0];
        let items = |of: Node<'_, '_>| of.descendants().filter(|n| n.has_tag_name("li")).count();
        let folded = verdict.descendants().find(|node| node.has_tag_name("details")).unwrap();
        let led_with = items(verdict) - items(folded);
        assert!(text_of(folded).trim_start().starts_with("More, curve by curve ("));
        assert!(items(folded) > 5 && (1..=8).contains(&led_with), "{led_with}");
        assert!(
            !text_of(folded).contains("carries most") && !text_of(folded).contains("CPUs were")
        );
    });
}

#[test]
fn nothing_is_printed_of_a_search_that_fails() {
    // Rates that no law describes, and that are no numbers any more when they are multiplied.
    let rates = [5e-324, 1e18, 1e-300, 1.0, 1e-12, 1e9, 1e-30];
    let rows = [1, 2, 4, 8, 16, 24, 32].into_iter().zip(rates);
    let rows: Vec<_> = rows.map(|(n, rate)| trials(pair()[0], n, &[rate])).collect();
    let (_directory, ran) = reported(&rows.concat(), &[]);
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
}

#[test]
fn words_from_elsewhere_are_shown_and_are_nothing_else() {
    const EVIL: &str = "<script>alert('x')</script> | *b* \u{1b}[31m";
    let evil = |row: Row| Row {
        host: EVIL.to_owned(),
        notes: Some(EVIL.to_owned()),
        run_id: EVIL.to_owned(),
        ..row
    };
    let mut rows: Vec<_> = full(EVIL, 4, 1000.0).into_iter().map(evil).collect();
    rows.push(invalid(evil(full(EVIL, 4, 1.0).remove(0)), EVIL));
    let (directory, ran) = reported(&rows, &[]);
    let html = fs::read_to_string(directory.path().join("report.html")).unwrap();
    assert!(!html.contains("<script") && !html.contains('\u{1b}'), "{html}");
    look_at(directory.path(), |page| {
        assert!(text_of(page.root_element()).contains("<script>alert('x')</script>"));
    });
    assert!(!ran.stdout.contains('\u{1b}'), "{}", ran.stdout);
    let (directory, ran) = reported(&rows, &["--format", "md"]);
    assert!(!ran.stdout.contains("<script"), "{}", ran.stdout);
    let svg = fs::read_to_string(directory.path().join("throughput.svg")).unwrap();
    assert!(!svg.contains("<script"), "{svg}");
    Document::parse(&svg).unwrap();
}

#[test]
fn a_damaged_run_json_is_a_warning_and_no_more() {
    for damage in [&b"{"[..], b"\xff\xfe", b"[1, 2]"] {
        let directory = directory_of(&sweep(&[1, 2]));
        fs::write(directory.path().join("run.json"), damage).unwrap();
        let ran = report(directory.path(), &[]);
        assert_eq!(ran.status, 0, "{ran:?}");
        assert!(ran.stderr.contains("warning: ") && ran.stderr.contains("run.json"), "{ran:?}");
        look_at(directory.path(), |page| {
            assert!(text_of(all(page, "section")[6]).contains("no run.json"));
        });
    }
}

#[test]
fn a_file_of_threads_that_is_damaged_is_told() {
    let directory = directory_of(&sweep(&[1, 2]));
    fs::write(directory.path().join("threads.csv"), b"run_id,role\nx,\xff\n").unwrap();
    report(directory.path(), &[]).assert_fails(1, &["threads.csv", "line 2, column role"]);
}
