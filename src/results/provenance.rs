//! `run.json`: with what, where and how the rows beside it were measured.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};

/// The runs whose rows stand in one directory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// In the order in which they began.
    pub runs: Vec<Run>,
}

/// One run: trials with a common `run_id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its name, as in the rows.
    pub run_id: String,
    /// When its first trial began, RFC 3339, UTC.
    pub started_at: String,
    /// The command that would repeat all of it.
    pub command: String,
    /// What was run.
    pub program: Program,
    /// Where.
    pub machine: Machine,
    /// How: each set of options in force once.
    pub trials: Vec<Trials>,
}

/// The program that measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// Its version.
    pub version: String,
    /// The commit that it was built from; `-modified` if files differed from it.
    pub commit: String,
    /// The compilers.
    pub compilers: Vec<String>,
    /// What each system is built on, with its version.
    pub libraries: BTreeMap<String, String>,
}

/// The machine of the clients, and of servers that were started for their trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Its name.
    pub host: String,
    /// The kernel's name, release and version.
    pub kernel: String,
    /// The model of its CPUs.
    pub cpu_model: String,
    /// The CPUs that the program may run on.
    pub cpus: String,
    /// The CPUs' worth of time that a control group grants.
    pub cpu_quota: Option<f64>,
    /// Its memory.
    pub memory_mib: Option<u64>,
}

/// Trials with the same options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trials {
    /// The system.
    pub system: String,
    /// The contender's label.
    #[serde(default)]
    pub label: String,
    /// The full command line of the first of them.
    pub command: String,
    /// Every option in force, by the name of its flag.
    pub options: BTreeMap<String, String>,
}

impl Provenance {
    /// Adds trials of a run: to the run, if it is there already.
    pub fn add(&mut self, run: Run) {
        let Some(known) = self.runs.iter_mut().find(|known| known.run_id == run.run_id) else {
            self.runs.push(run);
            return;
        };
        for trials in run.trials {
            let same = |other: &Trials| {
                (&other.system, &other.label, &other.options)
                    == (&trials.system, &trials.label, &trials.options)
            };
            if !known.trials.iter().any(same) {
                known.trials.push(trials);
            }
        }
    }
}

/// The file.
#[derive(Debug)]
pub struct RunFile(PathBuf);

impl RunFile {
    /// The file in the directory of rows.
    pub fn of(directory: &Path) -> Self {
        RunFile(directory.join(RunFile::NAME))
    }

    /// What it is called.
    pub const NAME: &'static str = "run.json";

    /// Reads it; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Where it is not readable, or is no such file.
    pub fn read(&self) -> Result<Option<Provenance>> {
        let path = self.0.display();
        let text = match fs::read_to_string(&self.0) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("cannot read {path}"))?,
        };
        let runs = serde_json::from_str(&text).map_err(|error| {
            anyhow!("{path} is not what tells of a run: {error}; move it away, or choose another directory")
        })?;
        Ok(Some(runs))
    }

    /// Adds a run, or trials of one. The file is replaced as a whole, so that it is never there
    /// in parts.
    ///
    /// # Errors
    ///
    /// Where it cannot be read or written.
    pub fn add(&self, run: Run) -> Result<()> {
        let mut runs = self.read()?.unwrap_or_default();
        runs.add(run);
        let text = serde_json::to_string_pretty(&runs)? + "\n";
        let cannot = || format!("cannot write {}", self.0.display());
        let directory = self.0.parent().filter(|parent| !parent.as_os_str().is_empty());
        let mut new = tempfile::Builder::new()
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(directory.unwrap_or(Path::new(".")))
            .with_context(cannot)?;
        std::io::Write::write_all(&mut new, text.as_bytes()).with_context(cannot)?;
        new.persist(&self.0).with_context(cannot)?;
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
                cpu_quota: None,
                memory_mib: Some(1),
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
    fn each_run_and_each_set_of_options_is_there_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = RunFile::of(directory.path());
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
    fn what_is_no_such_file_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("run.json"), "{}").unwrap();
        let error = RunFile::of(directory.path()).add(run("a", "1")).unwrap_err().to_string();
        assert!(error.contains("run.json is not what tells of a run"), "{error}");
        assert_eq!(fs::read_to_string(directory.path().join("run.json")).unwrap(), "{}");
    }
}
