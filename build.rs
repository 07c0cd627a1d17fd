//! Generates Rust code from `proto/message.proto` without protoc, and passes the commit and the
//! compiler versions to the program, which writes them to `run.json`.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=proto/message.proto");
    protobuf_codegen::Codegen::new()
        .pure()
        .include("proto")
        .input("proto/message.proto")
        .cargo_out_dir("wire")
        .run_from_script();
    set_commit();
    set_compilers();
}

fn set_commit() {
    // Every commit and checkout writes these files. Cargo treats a missing file as always changed.
    for file in [".git/HEAD", ".git/logs/HEAD"].iter().filter(|file| Path::new(file).exists()) {
        println!("cargo:rerun-if-changed={file}");
    }
    println!("cargo:rerun-if-changed=src");
    let commit = first_line("git", &["rev-parse", "--short=12", "HEAD"]);
    let modified = first_line("git", &["status", "--porcelain", "--untracked-files=no"]);
    let suffix = if modified.is_some() { "-modified" } else { "" };
    let commit = commit.map_or_else(|| "unknown".to_owned(), |commit| commit + suffix);
    println!("cargo:rustc-env=ECHOMETER_COMMIT={commit}");
}

fn set_compilers() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let cxx = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    println!("cargo:rerun-if-env-changed=CXX");
    for (name, program) in [("RUSTC", rustc), ("CXX", cxx)] {
        let version = first_line(&program, &["--version"]).unwrap_or_default();
        println!("cargo:rustc-env=ECHOMETER_{name}={version}");
    }
}

/// Returns the first line that a command prints; `None` if it fails or prints nothing.
fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().filter(|_| output.status.success()).map(str::to_owned)
}
