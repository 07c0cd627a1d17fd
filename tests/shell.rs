//! What the command gives to those who work in a shell: completions and man pages.

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{file_in_new_directory, finish, run};
use echometer::systems::SYSTEMS;

const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

const VERBS: [&str; 7] = ["serve", "send", "bench", "report", "compare", "completions", "man"];

fn completions(shell: &str) -> String {
    let ran = run(["completions", shell]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{shell}");
    ran.stdout
}

#[test]
fn every_verb_has_a_test_here() {
    let help = run(["--help"]).stdout;
    let verbs = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let verbs = verbs.take_while(|line| !line.is_empty());
    let verbs: Vec<_> = verbs.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(verbs, [&VERBS[..], &["help"]].concat(), "{help}");
}

#[test]
fn completions_name_verbs_flags_systems_and_settings() {
    for shell in SHELLS {
        let script = completions(shell);
        for word in VERBS.iter().chain(&["clients", "driver", "tuning", "max-message"]) {
            assert!(script.contains(word), "{shell}: {word}");
        }
        // Some complete the values of flags only, and some none.
        let systems: Vec<_> = SYSTEMS.iter().map(|system| system.name()).collect();
        let settings = ["throughput", "lean", "ipc", "poisson"];
        let words: &[&[&str]] = match shell {
            "bash" | "zsh" => &[&systems, &settings, &SHELLS],
            "fish" => &[&settings],
            _ => &[],
        };
        for word in words.concat() {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

/// What bash offers for the last of these words.
fn offered(words: &str) -> Vec<String> {
    let mut bash = Command::new("bash");
    bash.arg("-c").arg(
        r#"source /dev/stdin; COMP_WORDS=($0 "$1"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
           _echometer echometer "$1" "${COMP_WORDS[-2]}"; printf '%s\n' "${COMPREPLY[@]}""#,
    );
    let (before, last) = words.rsplit_once(' ').unwrap();
    bash.args([before, last]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = bash.spawn().unwrap();
    child.stdin.take().unwrap().write_all(completions("bash").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_what_is_begun() {
    assert_eq!(offered("echometer com"), ["compare", "completions"]);
    let system = SYSTEMS[0].name();
    assert!(offered(&format!("echometer bench {}", &system[..1])).contains(&system.to_owned()));
    assert_eq!(offered(&format!("echometer bench {system} --tuning thr")), ["throughput"]);
    assert_eq!(offered(&format!("echometer bench {system} --driver l")), ["lean"]);
    assert_eq!(offered("echometer completions z"), ["zsh"]);
}

#[test]
fn an_unknown_shell_is_refused_with_those_that_are_known() {
    run(["completions", "csh"]).assert_fails(2, &["'csh'", &SHELLS.join(", ")]);
}

fn man(directory: &Path) -> common::Ran {
    run([Path::new("man"), directory])
}

#[test]
fn there_is_a_man_page_of_the_command_and_of_each_verb() {
    let (_directory, pages) = file_in_new_directory("share/man/man1");
    // Twice: what was there is written again.
    for _ in 0..2 {
        let ran = man(&pages);
        assert_eq!(ran.status, 0, "{ran:?}");
    }
    let verbs = VERBS.map(|verb| format!("echometer-{verb}.1"));
    let mut expected: Vec<_> = verbs.into_iter().chain(["echometer.1".to_owned()]).collect();
    expected.sort();
    let found = fs::read_dir(&pages).unwrap();
    let mut found: Vec<_> =
        found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    assert_eq!(found, expected);
    for page in &found {
        let text = fs::read_to_string(pages.join(page)).unwrap();
        let name = page.trim_end_matches(".1");
        assert!(text.contains(&format!("\n.TH {name} 1 ")), "{page}: {text}");
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION"] {
            assert!(text.contains(&format!("\n.SH {section}\n")), "{page} has no {section}");
        }
    }
    let bench = fs::read_to_string(pages.join("echometer-bench.1")).unwrap();
    // troff breaks no line at a hyphen that is marked so.
    let systems = SYSTEMS.iter().map(|system| system.name().replace('-', "\\-"));
    for word in systems.chain(["Examples:".to_owned(), "\\-\\-duration".to_owned()]) {
        assert!(bench.contains(&word), "{word}");
    }
}

#[test]
fn man_pages_that_cannot_be_written_are_named() {
    let (_directory, file) = file_in_new_directory("file");
    fs::write(&file, "").unwrap();
    man(&file).assert_fails(1, &["cannot make the directory", file.to_str().unwrap()]);
    fs::remove_file(&file).unwrap();
    fs::create_dir_all(file.join("echometer.1")).unwrap();
    man(&file).assert_fails(1, &["cannot write", "echometer.1"]);
}

#[test]
fn bash_finds_no_fault_with_its_script() {
    let (_directory, path) = file_in_new_directory("echometer.bash");
    fs::write(&path, completions("bash")).unwrap();
    let ran = finish(Command::new("bash").arg("-n").arg(path).stderr(Stdio::piped()));
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
}
