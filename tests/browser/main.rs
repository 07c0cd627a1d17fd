//! The report in a real browser: on a phone and a desktop, with the light and the dark color
//! scheme, in print, and with a screen reader.
//!
//! `audit.js` returns the problems of a page. A report must have none on any screen.

mod chrome;
#[path = "../common/mod.rs"]
mod common;
mod rows;

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use self::chrome::{Chrome, Screen};

const AUDIT: &str = include_str!("audit.js");

const PHONE: u32 = 390;
const DESKTOP: u32 = 1280;

/// Ids of the sections in page order.
const SECTIONS: [&str; 7] =
    ["verdict", "throughput", "why", "scalability", "latency", "validity", "provenance"];

/// The report of the rows that `fill` writes.
fn report(fill: impl Fn(&Path)) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path());
    let output = common::rows::report(directory.path(), &[]);
    assert_eq!(output.status, 0, "{output:?}");
    assert!(directory.path().join("report.html").exists(), "{output:?}");
    directory
}

/// A picture's most frequent color, the share of pixels with another color, and the number of
/// colors.
#[derive(Debug)]
struct PixelStats {
    background: [u8; 3],
    drawn_share: f64,
    colors: usize,
}

impl PixelStats {
    fn of(png: &[u8]) -> Self {
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut bytes).unwrap();
        let samples = frame.color_type.samples();
        assert!(samples >= 3 && frame.bit_depth == png::BitDepth::Eight, "{frame:?}");
        let mut counts = HashMap::<[u8; 3], usize>::new();
        let pixels = bytes[..frame.buffer_size()].chunks_exact(samples);
        let total = pixels.len();
        for pixel in pixels {
            *counts.entry([pixel[0], pixel[1], pixel[2]]).or_default() += 1;
        }
        let (background, count) = counts.iter().max_by_key(|(_, count)| **count).unwrap();
        let drawn_share = 1.0 - *count as f64 / total as f64;
        PixelStats { background: *background, drawn_share, colors: counts.len() }
    }

    /// Lightness of the background, from 0 to 255.
    fn lightness(&self) -> u32 {
        self.background.iter().map(|part| u32::from(*part)).sum::<u32>() / 3
    }
}

/// A page and the problems found so far.
struct Audit {
    chrome: Chrome,
    page: String,
    problems: Vec<String>,
}

impl Audit {
    fn of(directory: &TempDir) -> Self {
        Audit::of_page(&directory.path().join("report.html"))
    }

    fn of_page(page: &Path) -> Self {
        let chrome = Chrome::start();
        chrome.open(page);
        Audit { chrome, page: format!("file://{}", page.display()), problems: Vec::new() }
    }

    fn run_check(&mut self, check: &str, argument: usize, screen: Option<Screen>) {
        let found: Vec<String> = self.chrome.run(AUDIT, vec![json!(check), json!(argument)]);
        self.add(screen, found);
    }

    fn add(&mut self, screen: Option<Screen>, found: impl IntoIterator<Item = String>) {
        let place = screen.map_or_else(String::new, |screen| {
            format!("at {} px, {}, {}: ", screen.width, screen.scheme, screen.media)
        });
        self.problems.extend(found.into_iter().map(|line| format!("{place}{line}")));
    }

    /// Runs the checks whose result depends on the screen.
    fn check_on_screen(&mut self, screen: Screen, figures: usize) {
        self.chrome.emulate(screen);
        for check in ["contrast", "size", "width"] {
            self.run_check(check, 0, Some(screen));
        }
        self.run_check("figures", figures, Some(screen));
        let pictures = self.chrome.pictures("figure svg");
        let stats = pictures.iter().map(|picture| PixelStats::of(picture)).enumerate();
        let dark = screen.scheme == "dark";
        let is_wrong = |stats: &PixelStats| {
            let matches_scheme =
                if dark { stats.lightness() < 64 } else { stats.lightness() > 192 };
            !matches_scheme || stats.drawn_share < 0.005 || stats.colors < 3
        };
        let wrong = stats.filter(|(_, stats)| is_wrong(stats));
        let wrong: Vec<_> =
            wrong.map(|(at, stats)| format!("figure {at} shows {stats:?}")).collect();
        self.add(Some(screen), wrong);
    }

    /// Checks that the page has all sections and no script, and that markup in names is escaped.
    fn check_content(&mut self) {
        let evaluate = |script| self.chrome.run::<Value>(script, vec![]);
        let sections =
            evaluate("return [...document.querySelectorAll('main > section')].map(e => e.id)");
        let scripts = evaluate("return document.scripts.length");
        let text = evaluate("return document.body.textContent");
        if sections != json!(SECTIONS) {
            self.add(None, [format!("the sections are {sections}")]);
        }
        if scripts != 0 || !text.as_str().is_some_and(|text| text.contains(rows::HOST)) {
            self.add(None, [format!("the host name {} is not shown as text", rows::HOST)]);
        }
    }

    /// Checks that the accessibility tree contains all pictures with a name.
    fn check_accessibility_tree(&mut self, figures: usize) {
        self.chrome.send_command("Accessibility.enable", json!({}));
        let tree = self.chrome.send_command("Accessibility.getFullAXTree", json!({}));
        let nodes = tree["nodes"].as_array().unwrap();
        let is_picture = |node: &&Value| {
            let role = node["role"]["value"].as_str().unwrap_or_default();
            node["ignored"] != true && ["image", "img"].contains(&role)
        };
        let has_text = |node: &Value, property: &str| {
            node[property]["value"].as_str().is_some_and(|text| text.trim().len() > 3)
        };
        let pictures: Vec<_> = nodes.iter().filter(is_picture).collect();
        let unnamed = pictures.iter().filter(|node| !has_text(node, "name"));
        let unnamed =
            unnamed.map(|node| format!("a picture has no name: {node}")).collect::<Vec<_>>();
        self.add(None, unnamed);
        if pictures.len() < figures {
            let few = format!("the accessibility tree has {} pictures", pictures.len());
            self.add(None, [few]);
        }
    }

    /// Checks that the page logged no errors and requested nothing from the network.
    fn check_logs(&mut self) {
        let entries = self.chrome.log("browser");
        self.add(None, entries.iter().map(|entry| format!("{}: {}", entry.level, entry.message)));
        let requested = self.chrome.log("performance").into_iter().filter_map(|entry| {
            let entry: Value = serde_json::from_str(&entry.message).unwrap();
            let event = &entry["message"]["params"];
            let is_request = entry["message"]["method"] == "Network.requestWillBeSent";
            // Skip the start page of the browser.
            let by_page = event["documentURL"].as_str().is_some_and(|url| url.starts_with("file:"));
            let url = event["request"]["url"].as_str().unwrap_or_default();
            (is_request && by_page).then(|| url.to_owned())
        });
        let requested: Vec<_> = requested.filter(|url| !url.starts_with("data:")).collect();
        if requested != [self.page.clone()] {
            self.add(None, [format!("the page requested {requested:?} instead of only itself")]);
        }
    }

    fn assert_no_problems(self) {
        let Audit { chrome, problems, .. } = self;
        drop(chrome);
        assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    }
}

/// Shows that the audit can find each kind of problem.
#[test]
fn the_problems_of_a_faulty_page_are_found() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/faulty.html");
    let mut audit = Audit::of_page(Path::new(page));
    audit.run_check("structure", 0, None);
    audit.check_accessibility_tree(5);
    audit.run_check("closed", 0, None);
    audit.run_check("opened", 0, None);
    audit.check_on_screen(Screen { width: PHONE, scheme: "light", media: "screen" }, 5);
    audit.check_logs();
    let found = std::mem::take(&mut audit.problems);
    for problem in [
        "<h2> \"Begins with the second level\" follows a heading of level 0",
        "<h4#twice> \"Leaves one out\" follows a heading of level 2",
        "there is not exactly one h1",
        "the document has no language",
        "the document has no title",
        "duplicate id: twice",
        "the link to #nowhere has no name",
        "the target of #nowhere does not exist",
        "<th> \"head\" has no scope",
        "\"as_long_as_a_word_can_be_and_a\" cannot be scrolled by keyboard",
        "a picture has no name",
        "the accessibility tree has 2 pictures",
        "the table of painted is shown",
        "\"pale on white\" has a contrast of 2.85",
        "\"dark on dark\" has a contrast of 1.26",
        "\"tiny\" is 6.0 px high",
        "the page is 2008 px wide, of 390",
        "<div> \"\" ends at 2008 px, of 390",
        "there are 3 figures",
        "has no caption",
        "has no table",
        "has no visible picture",
        "\"dark on light\" overlaps <text> \"over another\" in painted",
        "\"beyond the edge\" is cut off in painted",
        "a line crosses <text> \"struck out\" in painted",
        "figure 1 shows PixelStats",
        "SEVERE: ",
        "something is wrong",
        "leaves.png",
    ] {
        assert!(
            found.iter().any(|line| line.contains(problem)),
            "'{problem}' is not in {found:#?}"
        );
    }
    for correct in
        ["\"dark on light\" has", "<th> \"of\" has no scope", "the table of painted is not shown"]
    {
        assert!(!found.iter().any(|line| line.contains(correct)), "'{correct}' is in {found:#?}");
    }
}

/// Runs all checks on all screens.
fn audit(directory: &TempDir, figures: usize) {
    let mut audit = Audit::of(directory);
    audit.check_content();
    audit.run_check("structure", 0, None);
    audit.check_accessibility_tree(figures);
    audit.run_check("closed", 0, None);
    for scheme in ["light", "dark"] {
        for width in [PHONE, DESKTOP] {
            audit.check_on_screen(Screen { width, scheme, media: "screen" }, figures);
        }
    }
    let print = Screen { width: DESKTOP, scheme: "dark", media: "print" };
    audit.chrome.emulate(print);
    audit.run_check("contrast", 0, Some(print));
    audit.chrome.emulate(Screen { width: PHONE, scheme: "light", media: "screen" });
    audit.chrome.click_all("figure summary");
    audit.run_check("opened", 0, None);
    for (scheme, width) in [("light", PHONE), ("dark", PHONE), ("dark", DESKTOP)] {
        let screen = Screen { width, scheme, media: "screen" };
        audit.chrome.emulate(screen);
        audit.run_check("contrast", 0, Some(screen));
        audit.run_check("width", 0, Some(screen));
    }
    audit.check_logs();
    audit.assert_no_problems();
}

#[test]
fn a_full_report_has_no_problems() {
    audit(&report(rows::full_experiment), 5);
}

#[test]
fn a_report_of_one_row_has_no_problems() {
    audit(&report(rows::one_row), 1);
}

#[test]
fn a_report_of_service_times_has_no_problems() {
    audit(&report(rows::service_times), 2);
}

#[test]
fn a_report_of_open_loop_rows_has_no_problems() {
    audit(&report(rows::open_loop_only), 1);
}

#[test]
fn a_report_of_many_curves_has_no_problems() {
    audit(&report(rows::many_curves), 3);
}
