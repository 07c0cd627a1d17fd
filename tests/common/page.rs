//! The page that `report` leaves, taken apart.

use roxmltree::{Document, Node, ParsingOptions};

/// The sections, in their order.
pub const SECTIONS: [&str; 7] =
    ["verdict", "throughput", "why", "scalability", "latency", "validity", "provenance"];

/// The page is XML too, so that what it is made of can be looked at.
pub fn parsed(html: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(html, options).unwrap_or_else(|error| panic!("{error}:\n{html}"))
}

pub fn all<'a>(page: &'a Document<'_>, tag: &'a str) -> Vec<Node<'a, 'a>> {
    page.descendants().filter(|node| node.tag_name().name() == tag).collect()
}

pub fn text_of(node: Node<'_, '_>) -> String {
    node.descendants().filter_map(|node| if node.is_text() { node.text() } else { None }).collect()
}

/// What holds of any page: it loads nothing, its sections are there, its figures are complete,
/// its ids are unique and its tables square.
pub fn assert_is_sound(page: &Document<'_>) {
    let ids: Vec<_> = page.descendants().filter_map(|node| node.attribute("id")).collect();
    for (i, id) in ids.iter().enumerate() {
        assert!(!ids[i + 1..].contains(id), "{id} is there twice");
    }
    let sections: Vec<_> =
        all(page, "section").iter().map(|s| s.attribute("id").unwrap()).collect();
    assert_eq!(sections, SECTIONS);
    for node in page.descendants().filter(Node::is_element) {
        assert!(!["script", "img", "iframe", "object"].contains(&node.tag_name().name()));
        for attribute in node.attributes() {
            assert!(!attribute.name().starts_with("on"), "{attribute:?}");
            if ["src", "href"].contains(&attribute.name()) {
                assert!(attribute.value().starts_with(['#', 'd']), "{attribute:?}");
            }
        }
    }
    for style in all(page, "style") {
        assert!(!text_of(style).contains("url("));
    }
    for figure in all(page, "figure") {
        assert_is_complete(figure, &ids);
    }
    for line in all(page, "tr") {
        let table = line.ancestors().find(|node| node.has_tag_name("table")).unwrap();
        let titles = table.descendants().filter(|node| node.attribute("scope") == Some("col"));
        let cells = line.children().filter(Node::is_element);
        assert_eq!(cells.count(), titles.count(), "{}", text_of(line));
    }
    let levels = page
        .descendants()
        .filter_map(|node| node.tag_name().name().strip_prefix('h')?.parse().ok());
    levels.fold(0, |last: u32, level| {
        assert!(level <= last + 1, "a heading of level {level} behind {last}");
        level
    });
}

/// A picture with title and description that is not blank, a sentence, and a table.
fn assert_is_complete(figure: Node<'_, '_>, ids: &[&str]) {
    let one = |tag: &str| {
        let found = figure.descendants().find(|node| node.tag_name().name() == tag);
        found.unwrap_or_else(|| panic!("there is no {tag}"))
    };
    let svg = one("svg");
    assert_eq!(svg.attribute("role"), Some("img"));
    for id in svg.attribute("aria-labelledby").unwrap().split(' ') {
        assert!(ids.contains(&id), "{id}");
    }
    assert!(!text_of(one("title")).is_empty() && !text_of(one("desc")).is_empty());
    assert!(text_of(one("figcaption")).ends_with('.'), "{}", text_of(one("figcaption")));
    let drawn = ["polyline", "polygon", "line", "rect"];
    let shapes = svg.descendants().filter(|node| drawn.contains(&node.tag_name().name()));
    assert!(shapes.count() > 2, "a blank picture");
    let lines = one("details").descendants().filter(|node| node.has_tag_name("tr"));
    assert!(lines.count() > 1, "a table without lines");
}
