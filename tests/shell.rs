//! Shell completions and man pages.

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{file_in_new_directory, run, run_command};
use echometer::systems::SYSTEMS;

const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

const COMMANDS: [&str; 7] = ["serve", "send", "bench", "report", "compare", "completions", "man"];

fn completions(shell: &str) -> String {
    let output = run(["completions", shell]);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{shell}");
    output.stdout
}

#[test]
fn every_command_is_tested_here() {
    let help = run(["--help"]).stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    let commands: Vec<_> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(commands, [&COMMANDS[..], &["help"]].concat(), "{help}");
}

#[test]
fn completions_contain_commands_flags_systems_and_values() {
    for shell in SHELLS {
        let script = completions(shell);
        for word in COMMANDS.iter().chain(&["clients", "driver", "tuning", "max-message"]) {
            assert!(script.contains(word), "{shell}: {word}");
        }
        // Some shells complete only flag values, and some complete no values.
        let systems: Vec<_> = SYSTEMS.iter().map(|system| system.name()).collect();
        let settings = ["throughput", "lean", "ipc", "poisson"];
        let candidates: &[&[&str]] = match shell {
            "bash" | "zsh" => &[&systems, &settings, &SHELLS],
            "fish" => &[&settings],
            _ => &[],
        };
        for word in candidates.concat() {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

/// The completions that bash offers for the last word of this command line.
fn bash_completions(command_line: &str) -> Vec<String> {
    let mut bash = Command::new("bash");
    bash.arg("-c").arg(
        r#"source /dev/stdin; COMP_WORDS=($0 "$1"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
           _echometer echometer "$1" "${COMP_WORDS[-2]}"; printf '%s\n' "${COMPREPLY[@]}""#,
    );
    let (before, last) = command_line.rsplit_once(' ').unwrap();
    bash.args([before, last]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = bash.spawn().unwrap();
    child.stdin.take().unwrap().write_all(completions("bash").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_partial_words() {
    assert_eq!(bash_completions("echometer com"), ["compare", "completions"]);
    let system = SYSTEMS[0].name();
    assert!(
        bash_completions(&format!("echometer bench {}", &system[..1])).contains(&system.to_owned())
    );
    assert_eq!(bash_completions(&format!("echometer bench {system} --tuning thr")), ["throughput"]);
    assert_eq!(bash_completions(&format!("echometer bench {system} --driver l")), ["lean"]);
    assert_eq!(bash_completions("echometer completions z"), ["zsh"]);
}

#[test]
fn an_unknown_shell_is_rejected_with_the_known_ones() {
    run(["completions", "csh"]).assert_fails(2, &["'csh'", &SHELLS.join(", ")]);
}

fn man(directory: &Path) -> common::CommandOutput {
    run([Path::new("man"), directory])
}

#[test]
fn every_command_has_a_man_page() {
    let (_directory, pages) = file_in_new_directory("share/man/man1");
    // The second time, existing files are overwritten.
    for _ in 0..2 {
        let output = man(&pages);
        assert_eq!(output.status, 0, "{output:?}");
    }
    let commands = COMMANDS.map(|command| format!("echometer-{command}.1"));
    let mut expected: Vec<_> = commands.into_iter().chain(["echometer.1".to_owned()]).collect();
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
    // In the pages, hyphens are escaped so that troff does not break lines at them.
    let systems = SYSTEMS.iter().map(|system| system.name().replace('-', "\\-"));
    for word in systems.chain(["Examples:".to_owned(), "\\-\\-duration".to_owned()]) {
        assert!(bench.contains(&word), "{word}");
    }
}

#[test]
fn an_unwritable_man_page_is_in_the_error() {
    let (_directory, file) = file_in_new_directory("file");
    fs::write(&file, "").unwrap();
    man(&file).assert_fails(1, &["cannot create directory", file.to_str().unwrap()]);
    fs::remove_file(&file).unwrap();
    fs::create_dir_all(file.join("echometer.1")).unwrap();
    man(&file).assert_fails(1, &["cannot write", "echometer.1"]);
}

#[test]
fn the_bash_completion_script_has_valid_syntax() {
    let (_directory, path) = file_in_new_directory("echometer.bash");
    fs::write(&path, completions("bash")).unwrap();
    let output = run_command(Command::new("bash").arg("-n").arg(path).stderr(Stdio::piped()));
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
}
