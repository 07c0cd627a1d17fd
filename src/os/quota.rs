//! How much CPU time a control group grants this process, see `cgroups(7)`.

use std::fs;
use std::path::{Path, PathBuf};

/// Where control groups are found.
const ROOT: &str = "/sys/fs/cgroup";

/// The CPUs' worth of time that this process may use: 0.5 is half a CPU. `None` where
/// nothing limits it, or nothing is known of a limit.
pub fn of_this_process() -> Option<f64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    lowest(Path::new(ROOT), &groups)
}

/// The lowest quota of all groups that `groups`, the text of /proc/PID/cgroup, tells of, and
/// of the groups that these are in.
fn lowest(root: &Path, groups: &str) -> Option<f64> {
    let found = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let path = path.trim_start_matches('/');
        // Version 2 has one hierarchy, which a system that still has version 1 calls unified.
        if controllers.is_empty() {
            let unified = [PathBuf::new(), PathBuf::from("unified")];
            let quotas = unified.iter().filter_map(|at| upwards(&root.join(at), path, version_2));
            return quotas.min_by(f64::total_cmp);
        }
        let is_cpu = controllers.split(',').any(|controller| controller == "cpu");
        is_cpu.then(|| upwards(&root.join(controllers), path, version_1)).flatten()
    });
    found.min_by(f64::total_cmp)
}

/// The lowest quota from the group at `path` up to the root.
fn upwards(root: &Path, path: &str, quota: fn(&Path) -> Option<f64>) -> Option<f64> {
    let groups = Path::new(path).ancestors().map(|group| root.join(group));
    groups.filter_map(|group| quota(&group)).min_by(f64::total_cmp)
}

fn version_2(group: &Path) -> Option<f64> {
    let text = fs::read_to_string(group.join("cpu.max")).ok()?;
    let (quota, period) = text.trim().split_once(' ')?;
    over(quota, period)
}

fn version_1(group: &Path) -> Option<f64> {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    over(read("cpu.cfs_quota_us")?.trim(), read("cpu.cfs_period_us")?.trim())
}

/// A quota in us per period in us; `max` and -1 are none.
fn over(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (i64, i64) = (quota.parse().ok()?, period.parse().ok()?);
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_lowest_quota_of_a_group_and_those_it_is_in() {
        let root = tree(&[
            ("a/cpu.max", "150000 100000\n"),
            ("a/b/cpu.max", "max 100000\n"),
            ("a/b/c/cpu.max", "200000 100000\n"),
            ("other/cpu.max", "1000 100000\n"),
        ]);
        let of = |groups| lowest(root.path(), groups);
        assert_eq!(of("0::/a/b/c\n"), Some(1.5));
        assert_eq!(of("0::/\n"), None);
        assert_eq!(of("rubbish\n3:\n\n"), None);
    }

    #[test]
    fn version_1_keeps_quota_and_period_in_files_of_their_own() {
        let root = tree(&[
            ("cpu,cpuacct/x/cpu.cfs_quota_us", "25000\n"),
            ("cpu,cpuacct/x/cpu.cfs_period_us", "50000\n"),
            ("cpu,cpuacct/cpu.cfs_quota_us", "-1\n"),
            ("cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
        ]);
        let groups = "4:memory:/y\n2:cpu,cpuacct:/x\n0::/x\n";
        assert_eq!(lowest(root.path(), groups), Some(0.5));
        assert_eq!(lowest(root.path(), "2:cpu,cpuacct:/\n"), None);
    }
}
