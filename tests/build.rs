//! Compiler flags of the bundled libraries, and the check that enforces them.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{CommandOutput, ServerProcess, Wire, eventually, run_command, wire_of};
use echometer::systems::SYSTEMS;
use echometer_cxxflags::{check, required, variables};
use procfs::process::{FDTarget, Process};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Without the flags in `.cargo/config.toml`, the threads of libzmq wake each other through a
/// socket pair, unlike in any distribution's build.
#[test]
fn libzmq_threads_wake_each_other_through_eventfd_and_have_names() {
    for system in SYSTEMS.iter().filter(|system| wire_of(**system) == Wire::ZeroMq) {
        let server = ServerProcess::start(*system, &[]);
        let process = Process::new(server.process.pid()).unwrap();
        let files = process.fd().unwrap().flatten().map(|file| file.target);
        let events =
            files.filter(|file| matches!(file, FDTarget::AnonInode(kind) if kind == "[eventfd]"));
        assert!(events.count() >= 3, "eventfds of the context, the I/O thread and the socket");
        // A thread sets its own name after it has started.
        eventually("the I/O thread has its name", || {
            let mut tasks = process.tasks().unwrap().flatten();
            tasks.any(|task| task.stat().is_ok_and(|it| it.comm == "ZMQbg/IO/0")).then_some(())
        });
    }
}

#[test]
fn the_configuration_lets_cmake_4_configure_the_c_core() {
    let config = fs::read_to_string(Path::new(ROOT).join(".cargo/config.toml")).unwrap();
    let (_, environment) = config.split_once("[env]\n").unwrap();
    assert!(environment.lines().any(|line| line == r#"CMAKE_POLICY_VERSION_MINIMUM = "3.5""#));
}

#[test]
fn the_required_flags_are_read_from_the_configuration() {
    let flags: Vec<_> = required().collect();
    assert_eq!(flags[0], "-DZMQ_HAVE_EVENTFD=1");
    assert_eq!(flags[6], "-DZMQ_HAVE_PTHREAD_SET_AFFINITY=1");
    assert_eq!(flags.len(), 7);
}

#[test]
fn flags_in_any_variable_that_the_compiler_reads_are_accepted() {
    let all = required().collect::<Vec<_>>().join(" ");
    for at in 0..4 {
        let mut values = [Some("-O2".to_owned()), None, None, None];
        values[at] = Some(format!("-g  {all} -O3"));
        assert_eq!(check(&values), Ok(()), "variable {at}");
    }
    let target = "x86_64-unknown-linux-gnu";
    assert_eq!(
        variables(target, target),
        [
            "CXXFLAGS",
            "HOST_CXXFLAGS",
            "CXXFLAGS_x86_64_unknown_linux_gnu",
            "CXXFLAGS_x86_64-unknown-linux-gnu"
        ]
    );
    assert_eq!(variables("other", target)[1], "TARGET_CXXFLAGS");
}

#[test]
fn only_missing_flags_are_named() {
    let flags: Vec<_> = required().collect();
    let error = check(&[Some(flags[1..].join(" ")), None, None, None]).unwrap_err();
    assert!(error.ends_with(&format!("CXXFLAGS: {}", flags[0])), "{error}");
}

/// Builds the package that checks the flags, with this CXXFLAGS and in this directory. This
/// compiles none of the libraries.
fn build_check(cxxflags: Option<&str>, directory: &Path) -> CommandOutput {
    let target = tempfile::tempdir().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    let manifest = Path::new(ROOT).join("Cargo.toml");
    cargo.args(["check", "--quiet", "--offline", "--locked", "--package", "echometer-cxxflags"]);
    cargo.arg("--manifest-path").arg(manifest).arg("--target-dir").arg(target.path());
    for (name, _) in std::env::vars().filter(|(name, _)| name.contains("CXXFLAGS")) {
        cargo.env_remove(name);
    }
    cargo.envs(cxxflags.map(|flags| ("CXXFLAGS", flags))).current_dir(directory);
    run_command(&mut cargo)
}

#[test]
fn the_build_fails_if_the_environment_replaces_the_flags() {
    let root = Path::new(ROOT);
    let flags = required().collect::<Vec<_>>().join(" ");
    for other in ["-O2", ""] {
        let output = build_check(Some(other), root);
        assert_ne!(output.status, 0, "{output:?}");
        assert!(
            output.stderr.contains(&format!("add these flags to CXXFLAGS: {flags}\n")),
            "{output:?}"
        );
    }
    for accepted in [None, Some(format!("-O2 {flags}"))] {
        let output = build_check(accepted.as_deref(), root);
        assert_eq!(output.status, 0, "{output:?}");
    }
}

#[test]
fn the_build_fails_if_cargo_does_not_read_the_configuration() {
    let other_directory = tempfile::tempdir().unwrap();
    let output = build_check(None, other_directory.path());
    assert_ne!(output.status, 0, "{output:?}");
    let flags = required().collect::<Vec<_>>().join(" ");
    assert!(output.stderr.contains("run cargo in the directory of echometer"), "{output:?}");
    assert!(output.stderr.contains(&format!("to these flags: {flags}\n")), "{output:?}");
}
