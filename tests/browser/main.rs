//! The report in a real browser, as people meet it: on a phone and on a desk, in the light and
//! in the dark, on paper, and by a screen reader.
//!
//! `audit.js` says what is wrong with the page; nothing is, on any screen.

mod chrome;
#[path = "../common/mod.rs"]
mod common;
mod ink;
mod rows;

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use self::chrome::{Chrome, Screen};
use self::ink::Ink;

const AUDIT: &str = include_str!("audit.js");

const PHONE: u32 = 390;
const DESK: u32 = 1280;

/// The parts of the page, in their order.
const SECTIONS: [&str; 7] =
    ["verdict", "throughput", "why", "scalability", "latency", "validity", "provenance"];

/// A report, made by the binary, of rows that `fill` leaves.
fn report(fill: impl Fn(&Path)) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path());
    let ran = common::rows::report(directory.path(), &[]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(directory.path().join("report.html").exists(), "{ran:?}");
    directory
}

/// A page, and all that was found wrong with it.
struct Audit {
    chrome: Chrome,
    page: String,
    wrong: Vec<String>,
}

impl Audit {
    fn of(directory: &TempDir) -> Self {
        Audit::of_page(&directory.path().join("report.html"))
    }

    fn of_page(page: &Path) -> Self {
        let chrome = Chrome::start();
        chrome.open(page);
        Audit { chrome, page: format!("file://{}", page.display()), wrong: Vec::new() }
    }

    fn look(&mut self, at: &str, argument: usize, screen: Option<Screen>) {
        let found: Vec<String> = self.chrome.run(AUDIT, vec![json!(at), json!(argument)]);
        self.add(screen, found);
    }

    fn add(&mut self, screen: Option<Screen>, found: impl IntoIterator<Item = String>) {
        let place = screen.map_or_else(String::new, |screen| {
            format!("at {} px, {}, {}: ", screen.width, screen.scheme, screen.media)
        });
        self.wrong.extend(found.into_iter().map(|line| format!("{place}{line}")));
    }

    /// Looks at everything that may differ from screen to screen.
    fn look_on(&mut self, screen: Screen, figures: usize) {
        self.chrome.show_on(screen);
        for at in ["contrast", "size", "width"] {
            self.look(at, 0, Some(screen));
        }
        self.look("figures", figures, Some(screen));
        let pictures = self.chrome.pictures("figure svg");
        let inks = pictures.iter().map(|picture| Ink::of(picture)).enumerate();
        let dark = screen.scheme == "dark";
        let blank = |ink: &Ink| {
            let suits = if dark { ink.lightness() < 64 } else { ink.lightness() > 192 };
            !suits || ink.share < 0.005 || ink.colours < 3
        };
        let blank = inks.filter(|(_, ink)| blank(ink));
        let blank: Vec<_> = blank.map(|(at, ink)| format!("figure {at} shows {ink:?}")).collect();
        self.add(Some(screen), blank);
    }

    /// What the page is made of; and a name that looks like markup is a name.
    fn read(&mut self) {
        let ask = |script| self.chrome.run::<Value>(script, vec![]);
        let sections =
            ask("return [...document.querySelectorAll('main > section')].map(e => e.id)");
        let scripts = ask("return document.scripts.length");
        let text = ask("return document.body.textContent");
        if sections != json!(SECTIONS) {
            self.add(None, [format!("its sections are {sections}")]);
        }
        if scripts != 0 || !text.as_str().is_some_and(|text| text.contains(rows::HOST)) {
            self.add(None, [format!("the host {} is not a name in it", rows::HOST)]);
        }
    }

    /// What a screen reader is told of the pictures: a name and a description.
    fn listen(&mut self, figures: usize) {
        self.chrome.ask("Accessibility.enable", json!({}));
        let tree = self.chrome.ask("Accessibility.getFullAXTree", json!({}));
        let nodes = tree["nodes"].as_array().unwrap();
        let is_picture = |node: &&Value| {
            let role = node["role"]["value"].as_str().unwrap_or_default();
            node["ignored"] != true && ["image", "img"].contains(&role)
        };
        let said = |node: &Value, what: &str| {
            node[what]["value"].as_str().is_some_and(|words| words.trim().len() > 3)
        };
        let pictures: Vec<_> = nodes.iter().filter(is_picture).collect();
        let mute = pictures.iter().filter(|node| !said(node, "name"));
        let mute = mute.map(|node| format!("a picture has no name: {node}")).collect::<Vec<_>>();
        self.add(None, mute);
        if pictures.len() < figures {
            let few = format!("a screen reader is told of {} pictures", pictures.len());
            self.add(None, [few]);
        }
    }

    /// What the page logged, and what it asked the network for.
    fn overhear(&mut self) {
        let complaints = self.chrome.log("browser");
        self.add(
            None,
            complaints.iter().map(|entry| format!("{}: {}", entry.level, entry.message)),
        );
        let asked = self.chrome.log("performance").into_iter().filter_map(|entry| {
            let told: Value = serde_json::from_str(&entry.message).unwrap();
            let event = &told["message"]["params"];
            let is_request = told["message"]["method"] == "Network.requestWillBeSent";
            // The page that a browser begins with is its own.
            let by_us = event["documentURL"].as_str().is_some_and(|url| url.starts_with("file:"));
            let url = event["request"]["url"].as_str().unwrap_or_default();
            (is_request && by_us).then(|| url.to_owned())
        });
        let asked: Vec<_> = asked.filter(|url| !url.starts_with("data:")).collect();
        if asked != [self.page.clone()] {
            self.add(None, [format!("it asked for {asked:?}, and not for itself alone")]);
        }
    }

    fn conclude(self) {
        let Audit { chrome, wrong, .. } = self;
        drop(chrome);
        assert!(wrong.is_empty(), "{} things:\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// Whoever finds nothing wrong has looked.
#[test]
fn what_is_wrong_is_found() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/faulty.html");
    let mut audit = Audit::of_page(Path::new(page));
    audit.look("structure", 0, None);
    audit.listen(5);
    audit.look("closed", 0, None);
    audit.look("opened", 0, None);
    audit.look_on(Screen { width: PHONE, scheme: "light", media: "screen" }, 5);
    audit.overhear();
    let found = std::mem::take(&mut audit.wrong);
    for wrong in [
        "<h2> \"Begins with the second level\" follows a heading of the level 0",
        "<h4#twice> \"Leaves one out\" follows a heading of the level 2",
        "there is not one h1",
        "the language is not said",
        "there is no title",
        "the id twice is there twice",
        "the link to #nowhere has no name",
        "nothing is at #nowhere",
        "<th> \"head\" does not say what it heads",
        "\"as_long_as_a_word_can_be_and_a\" scrolls, and not by the keyboard",
        "a picture has no name",
        "a screen reader is told of 2 pictures",
        "the table of painted is shown",
        "\"pale on white\" has a contrast of 2.85",
        "\"dark on dark\" has a contrast of 1.26",
        "\"tiny\" is 6.0 px high",
        "the page is 2008 px wide, of 390",
        "<div> \"\" ends at 2008 px, of 390",
        "there are 3 figures",
        "does not say what to see",
        "has no table",
        "has no picture that is shown",
        "\"dark on light\" lies over <text> \"over another\" in painted",
        "\"beyond the edge\" is cut off in painted",
        "a line goes through <text> \"struck out\" in painted",
        "figure 1 shows Ink",
        "SEVERE: ",
        "something is wrong",
        "leaves.png",
    ] {
        assert!(found.iter().any(|line| line.contains(wrong)), "'{wrong}' is not in {found:#?}");
    }
    for right in ["\"dark on light\" has", "<th> \"of\" does", "the table of painted is not shown"]
    {
        assert!(!found.iter().any(|line| line.contains(right)), "'{right}' is in {found:#?}");
    }
}

/// Everything, on every screen.
fn audit(directory: &TempDir, figures: usize) {
    let mut audit = Audit::of(directory);
    audit.read();
    audit.look("structure", 0, None);
    audit.listen(figures);
    audit.look("closed", 0, None);
    for scheme in ["light", "dark"] {
        for width in [PHONE, DESK] {
            audit.look_on(Screen { width, scheme, media: "screen" }, figures);
        }
    }
    let paper = Screen { width: DESK, scheme: "dark", media: "print" };
    audit.chrome.show_on(paper);
    audit.look("contrast", 0, Some(paper));
    audit.chrome.show_on(Screen { width: PHONE, scheme: "light", media: "screen" });
    audit.chrome.click_all("figure summary");
    audit.look("opened", 0, None);
    for (scheme, width) in [("light", PHONE), ("dark", PHONE), ("dark", DESK)] {
        let screen = Screen { width, scheme, media: "screen" };
        audit.chrome.show_on(screen);
        audit.look("contrast", 0, Some(screen));
        audit.look("width", 0, Some(screen));
    }
    audit.overhear();
    audit.conclude();
}

#[test]
fn a_report_of_everything_is_for_everyone() {
    audit(&report(rows::experiment), 5);
}

#[test]
fn a_report_of_one_row_is_for_everyone() {
    audit(&report(rows::one_row), 1);
}

#[test]
fn a_report_of_times_of_work_is_for_everyone() {
    audit(&report(rows::times_of_work), 2);
}

#[test]
fn a_report_of_rates_alone_is_for_everyone() {
    audit(&report(rows::rates_alone), 1);
}

#[test]
fn a_report_of_too_much_is_for_everyone() {
    audit(&report(rows::too_much), 3);
}
