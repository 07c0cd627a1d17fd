//! This machine: its name, and how many files a process of it may have open.

use anyhow::{Context, Result, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use procfs::Current;

/// The machine's name, as uname(2) tells it.
pub fn name() -> String {
    nix::unistd::gethostname()
        .map_or_else(|_| "localhost".into(), |name| name.to_string_lossy().into_owned())
}

/// The kernel's name, release and version, as uname(2) tells them.
pub fn kernel() -> String {
    nix::sys::utsname::uname().map_or_else(
        |_| "unknown".into(),
        |uname| {
            let parts = [uname.sysname(), uname.release(), uname.version(), uname.machine()];
            parts.map(|part| part.to_string_lossy().into_owned()).join(" ")
        },
    )
}

/// The model of the first CPU, as /proc/cpuinfo tells it.
pub fn cpu_model() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    named.map_or_else(|| "unknown".to_owned(), |(_, model)| model.trim().to_owned())
}

/// The memory of this machine, in MiB, where it is known.
pub fn memory_mib() -> Option<u64> {
    procfs::Meminfo::current().ok().map(|info| info.mem_total >> 20)
}

/// Raises the limit of open files as far as this user may, and returns it.
///
/// # Errors
///
/// Where the system does not tell the limit.
pub fn raise_file_limit() -> Result<u64> {
    let (_, hard) =
        getrlimit(Resource::RLIMIT_NOFILE).context("cannot read the limit of open files")?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
        .context("cannot raise the limit of open files")?;
    Ok(hard)
}

/// Makes sure that `clients` clients with `each` descriptors fit under the limit of open files.
///
/// # Errors
///
/// Where they do not: with the limit that would do.
pub fn check_file_limit(clients: usize, each: u64) -> Result<()> {
    /// Room for standard streams, output files, libraries' own descriptors.
    const OTHERS: u64 = 32;
    let limit = raise_file_limit()?;
    let needed = (clients as u64).saturating_mul(each).saturating_add(OTHERS);
    if needed > limit {
        bail!(
            "{clients} clients need {needed} file descriptors, and the limit of open files is {limit}; \
             raise it with 'ulimit -Hn {needed}' as root, or in /etc/security/limits.conf"
        );
    }
    Ok(())
}
