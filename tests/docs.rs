//! The documents: every column is defined, and links lead to files that exist.

use std::fs;
use std::path::{Path, PathBuf};

use echometer::results::{HistogramRow, Row, SliceRow, ThreadRow};
use serde::Serialize;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The columns of a file of such rows.
fn columns<T: Serialize + Default>() -> Vec<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.serialize(T::default()).unwrap();
    let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
    text.lines().next().unwrap().split(',').map(str::to_owned).collect()
}

/// The Markdown files of the repository, except those of build directories.
fn documents() -> Vec<PathBuf> {
    let markdown = |directory: &str| {
        let entries = fs::read_dir(root().join(directory)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"))
    };
    [".", "docs", "runs"].into_iter().flat_map(markdown).collect()
}

/// The targets of `[text](target)` in a document.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

#[test]
fn every_column_is_defined_in_the_method() {
    let method = fs::read_to_string(root().join("docs/method.md")).unwrap();
    let (_, tables) = method.split_once("## Columns").unwrap();
    let sections: Vec<_> = tables.split("\n### ").collect();
    let files = [
        ("results.csv", columns::<Row>()),
        ("threads.csv", columns::<ThreadRow>()),
        ("slices.csv", columns::<SliceRow>()),
        ("histograms.csv", columns::<HistogramRow>()),
    ];
    for (file, columns) in files {
        let section = sections.iter().find(|section| section.starts_with(file)).unwrap();
        for column in columns {
            assert!(section.contains(&format!("`{column}`")), "{file}: {column} is not defined");
        }
    }
}

#[test]
fn links_between_documents_lead_to_files() {
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for link in links(&text).filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap();
            let target = document.parent().unwrap().join(file);
            assert!(target.exists(), "{} links to {link}", document.display());
        }
    }
}
