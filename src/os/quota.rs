//! CPU quota of this process's control groups, see `cgroups(7)`.

use std::fs;
use std::path::{Path, PathBuf};

/// Mount point of the control group file systems.
const ROOT: &str = "/sys/fs/cgroup";

/// Returns the CPU quota of this process in CPUs: 0.5 is half a CPU. Returns `None` if there is
/// no quota, or if it cannot be read.
pub fn of_this_process() -> Option<f64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    lowest_quota(Path::new(ROOT), &groups)
}

/// Returns the lowest quota of the listed groups and their ancestors. `groups` is the text of
/// /proc/PID/cgroup.
fn lowest_quota(root: &Path, groups: &str) -> Option<f64> {
    let quotas = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let path = path.trim_start_matches('/');
        // Version 2 has one hierarchy. It is mounted at `unified` on systems that also mount
        // version 1.
        if controllers.is_empty() {
            let mounts = [PathBuf::new(), PathBuf::from("unified")];
            let quotas = mounts
                .iter()
                .filter_map(|mount| lowest_of_ancestors(&root.join(mount), path, quota_v2));
            return quotas.min_by(f64::total_cmp);
        }
        let is_cpu = controllers.split(',').any(|controller| controller == "cpu");
        is_cpu.then(|| lowest_of_ancestors(&root.join(controllers), path, quota_v1)).flatten()
    });
    quotas.min_by(f64::total_cmp)
}

/// Returns the lowest quota from the group at `path` up to the root.
fn lowest_of_ancestors(root: &Path, path: &str, quota: fn(&Path) -> Option<f64>) -> Option<f64> {
    let groups = Path::new(path).ancestors().map(|group| root.join(group));
    groups.filter_map(|group| quota(&group)).min_by(f64::total_cmp)
}

fn quota_v2(group: &Path) -> Option<f64> {
    let text = fs::read_to_string(group.join("cpu.max")).ok()?;
    let (quota, period) = text.trim().split_once(' ')?;
    in_cpus(quota, period)
}

fn quota_v1(group: &Path) -> Option<f64> {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    in_cpus(read("cpu.cfs_quota_us")?.trim(), read("cpu.cfs_period_us")?.trim())
}

/// Returns quota over period, both in us. Quotas of `max` and -1 mean no limit.
fn in_cpus(quota: &str, period: &str) -> Option<f64> {
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
    fn lowest_quota_of_a_group_and_its_ancestors_is_used() {
        let root = tree(&[
            ("a/cpu.max", "150000 100000\n"),
            ("a/b/cpu.max", "max 100000\n"),
            ("a/b/c/cpu.max", "200000 100000\n"),
            ("other/cpu.max", "1000 100000\n"),
        ]);
        let quota = |groups| lowest_quota(root.path(), groups);
        assert_eq!(quota("0::/a/b/c\n"), Some(1.5));
        assert_eq!(quota("0::/\n"), None);
        assert_eq!(quota("malformed\n3:\n\n"), None);
    }

    #[test]
    fn version_1_quota_and_period_are_read_from_separate_files() {
        let root = tree(&[
            ("cpu,cpuacct/x/cpu.cfs_quota_us", "25000\n"),
            ("cpu,cpuacct/x/cpu.cfs_period_us", "50000\n"),
            ("cpu,cpuacct/cpu.cfs_quota_us", "-1\n"),
            ("cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
        ]);
        let groups = "4:memory:/y\n2:cpu,cpuacct:/x\n0::/x\n";
        assert_eq!(lowest_quota(root.path(), groups), Some(0.5));
        assert_eq!(lowest_quota(root.path(), "2:cpu,cpuacct:/\n"), None);
    }
}
