//! `run.json`: the program, machine, commands and options with which the rows in the same directory
//! were measured.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};

/// The runs whose rows are in one directory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Runs in the order of their start.
    pub runs: Vec<Run>,
}

/// One run: trials with a common `run_id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Identifier of the run, as in the rows.
    pub run_id: String,
    /// Start of the first trial, RFC 3339, UTC.
    pub started_at: String,
    /// Command line that repeats the whole run.
    pub command: String,
    /// The program that measured.
    pub program: Program,
    /// The machine of the clients.
    pub machine: Machine,
    /// One entry for each set of options in force.
    pub trials: Vec<Trials>,
}

/// The program that measured, with its compilers and libraries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// Version of the program.
    pub version: String,
    /// Commit from which the program was built, with the suffix `-modified` if files differed from
    /// it.
    pub commit: String,
    /// Compilers and their versions.
    pub compilers: Vec<String>,
    /// Library of each system with its version, by system.
    pub libraries: BTreeMap<String, String>,
}

/// The machine of the clients and of the servers that the benchmark started.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Host name.
    pub host: String,
    /// Name, release and version of the kernel.
    pub kernel: String,
    /// CPU model.
    pub cpu_model: String,
    /// CPUs on which the program may run.
    pub cpus: String,
    /// CPU quota of the control group, in CPUs; `None` without a quota.
    pub cpu_quota: Option<f64>,
    /// Memory in MiB; `None` if unknown, as all fields below.
    pub memory_mib: Option<u64>,
    /// Groups of these CPUs and their siblings that share a core (SMT); empty if there are none.
    pub smt_siblings: Option<Vec<String>>,
    /// Clock source of the kernel.
    pub clock_source: Option<String>,
    /// Whether the kernel was built to measure the time of interrupts exactly.
    pub irq_time_accounting: Option<bool>,
    /// Frequency governors of these CPUs.
    pub frequency_governor: Option<String>,
    /// The hypervisor; `none` on a physical machine.
    pub hypervisor: Option<String>,
}

/// Trials with the same options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trials {
    /// Name of the system.
    pub system: String,
    /// Label of the contender.
    #[serde(default)]
    pub label: String,
    /// Full command line of the first of these trials.
    pub command: String,
    /// All options in force, by flag name.
    pub options: BTreeMap<String, String>,
}

impl Provenance {
    /// Adds a run. If a run with the same `run_id` exists, adds those trials to it whose options it
    /// does not contain yet.
    pub fn add(&mut self, run: Run) {
        let Some(existing) = self.runs.iter_mut().find(|other| other.run_id == run.run_id) else {
            self.runs.push(run);
            return;
        };
        for trials in run.trials {
            let same = |other: &Trials| {
                (&other.system, &other.label, &other.options)
                    == (&trials.system, &trials.label, &trials.options)
            };
            if !existing.trials.iter().any(same) {
                existing.trials.push(trials);
            }
        }
    }
}

/// The file `run.json` in a directory of rows.
#[derive(Debug)]
pub struct RunFile(PathBuf);

impl RunFile {
    /// Name of the file.
    pub const FILE_NAME: &'static str = "run.json";

    /// Returns the file in `directory`. The file may not exist yet.
    pub fn in_directory(directory: &Path) -> Self {
        RunFile(directory.join(RunFile::FILE_NAME))
    }

    /// Reads the file; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// Returns an error if the file is not readable or does not have the format of `run.json`.
    pub fn read(&self) -> Result<Option<Provenance>> {
        let path = self.0.display();
        let text = match fs::read_to_string(&self.0) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("cannot read {path}"))?,
        };
        let runs = serde_json::from_str(&text).map_err(|error| {
            anyhow!("cannot parse {path}: {error}; move this file, or choose another directory")
        })?;
        Ok(Some(runs))
    }

    /// Adds a run, or trials to an existing run. The file is replaced atomically, so it is never
    /// incomplete.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read or written.
    pub fn add(&self, run: Run) -> Result<()> {
        let mut runs = self.read()?.unwrap_or_default();
        runs.add(run);
        let text = serde_json::to_string_pretty(&runs)? + "\n";
        let context = || format!("cannot write {}", self.0.display());
        let directory = self.0.parent().filter(|parent| !parent.as_os_str().is_empty());
        let mut new = tempfile::Builder::new()
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(directory.unwrap_or(Path::new(".")))
            .with_context(context)?;
        std::io::Write::write_all(&mut new, text.as_bytes()).with_context(context)?;
        new.persist(&self.0).with_context(context)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str, clients: &str) -> Run {
        Run {
            run_id: id.to_owned(),
            started_at: String::new(),
            command: "echometer bench".to_owned(),
            program: Program {
                version: "1".to_owned(),
                commit: "c".to_owned(),
                compilers: Vec::new(),
                libraries: BTreeMap::new(),
            },
            machine: Machine {
                host: "h".to_owned(),
                kernel: "k".to_owned(),
                cpu_model: "m".to_owned(),
                cpus: "0-1".to_owned(),
                memory_mib: Some(1),
                ..Machine::default()
            },
            trials: vec![Trials {
                system: "s".to_owned(),
                label: "s".to_owned(),
                command: clients.to_owned(),
                options: [("clients".to_owned(), clients.to_owned())].into(),
            }],
        }
    }

    #[test]
    fn each_run_and_each_set_of_options_is_stored_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = RunFile::in_directory(directory.path());
        assert_eq!(file.read().unwrap(), None);
        for (id, clients) in [("a", "1"), ("a", "2"), ("b", "1"), ("a", "1")] {
            file.add(run(id, clients)).unwrap();
        }
        let runs = file.read().unwrap().unwrap().runs;
        let trials: Vec<_> = runs.iter().map(|run| (&*run.run_id, run.trials.len())).collect();
        assert_eq!(trials, [("a", 2), ("b", 1)]);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_machine_of_an_older_version_lacks_only_the_properties_that_were_not_recorded() {
        let old = r#"{"host":"h","kernel":"k","cpu_model":"m","cpus":"0-1","cpu_quota":null,
                      "memory_mib":1}"#;
        let machine: Machine = serde_json::from_str(old).unwrap();
        assert_eq!(machine, run("a", "1").machine);
    }

    #[test]
    fn an_invalid_file_is_rejected_and_not_changed() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("run.json"), "{}").unwrap();
        let error =
            RunFile::in_directory(directory.path()).add(run("a", "1")).unwrap_err().to_string();
        assert!(error.contains("cannot parse") && error.contains("run.json"), "{error}");
        assert_eq!(fs::read_to_string(directory.path().join("run.json")).unwrap(), "{}");
    }
}
