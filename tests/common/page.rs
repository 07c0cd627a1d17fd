//! Parses the HTML page that `report` writes and checks properties of every page.

use roxmltree::{Document, Node, ParsingOptions};

/// Ids of the sections in page order.
pub const SECTIONS: [&str; 7] =
    ["verdict", "throughput", "why", "scalability", "latency", "validity", "provenance"];

/// Parses the page. It is also well-formed XML.
pub fn parse_page(html: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(html, options).unwrap_or_else(|error| panic!("{error}:\n{html}"))
}

pub fn elements<'a>(page: &'a Document<'_>, tag: &'a str) -> Vec<Node<'a, 'a>> {
    page.descendants().filter(|node| node.tag_name().name() == tag).collect()
}

pub fn text_of(node: Node<'_, '_>) -> String {
    node.descendants().filter_map(|node| if node.is_text() { node.text() } else { None }).collect()
}

/// Asserts what holds for every page: it loads nothing, has all sections, complete figures,
/// unique ids and headings without skipped levels, and every table row has a cell per column.
pub fn assert_page_is_valid(page: &Document<'_>) {
    let ids: Vec<_> = page.descendants().filter_map(|node| node.attribute("id")).collect();
    for (i, id) in ids.iter().enumerate() {
        assert!(!ids[i + 1..].contains(id), "duplicate id: {id}");
    }
    let sections: Vec<_> =
        elements(page, "section").iter().map(|s| s.attribute("id").unwrap()).collect();
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
    for style in elements(page, "style") {
        assert!(!text_of(style).contains("url("));
    }
    for figure in elements(page, "figure") {
        assert_figure_is_complete(figure, &ids);
    }
    for line in elements(page, "tr") {
        let table = line.ancestors().find(|node| node.has_tag_name("table")).unwrap();
        let titles = table.descendants().filter(|node| node.attribute("scope") == Some("col"));
        let cells = line.children().filter(Node::is_element);
        assert_eq!(cells.count(), titles.count(), "{}", text_of(line));
    }
    let levels = page
        .descendants()
        .filter_map(|node| node.tag_name().name().strip_prefix('h')?.parse().ok());
    levels.fold(0, |last: u32, level| {
        assert!(level <= last + 1, "a heading of level {level} follows one of level {last}");
        level
    });
}

/// Asserts that a figure has a drawing with title and description, a caption, and a table.
fn assert_figure_is_complete(figure: Node<'_, '_>, ids: &[&str]) {
    let first = |tag: &str| {
        let found = figure.descendants().find(|node| node.tag_name().name() == tag);
        found.unwrap_or_else(|| panic!("the figure has no {tag}"))
    };
    let svg = first("svg");
    assert_eq!(svg.attribute("role"), Some("img"));
    for id in svg.attribute("aria-labelledby").unwrap().split(' ') {
        assert!(ids.contains(&id), "{id}");
    }
    assert!(!text_of(first("title")).is_empty() && !text_of(first("desc")).is_empty());
    assert!(text_of(first("figcaption")).ends_with('.'), "{}", text_of(first("figcaption")));
    let drawn = ["polyline", "polygon", "line", "rect"];
    let shapes = svg.descendants().filter(|node| drawn.contains(&node.tag_name().name()));
    assert!(shapes.count() > 2, "the drawing is blank");
    let lines = first("details").descendants().filter(|node| node.has_tag_name("tr"));
    assert!(lines.count() > 1, "the table has no rows");
}
