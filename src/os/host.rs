//! Properties of this machine, and the limit of open files.

use anyhow::{Context, Result, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use procfs::Current;

/// Returns the host name, from uname(2).
pub fn name() -> String {
    nix::unistd::gethostname()
        .map_or_else(|_| "localhost".into(), |name| name.to_string_lossy().into_owned())
}

/// Returns the kernel's name, release, version and architecture, from uname(2).
pub fn kernel() -> String {
    nix::sys::utsname::uname().map_or_else(
        |_| "unknown".into(),
        |uname| {
            let parts = [uname.sysname(), uname.release(), uname.version(), uname.machine()];
            parts.map(|part| part.to_string_lossy().into_owned()).join(" ")
        },
    )
}

/// Returns the model name of the first CPU, from /proc/cpuinfo.
pub fn cpu_model() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    field.map_or_else(|| "unknown".to_owned(), |(_, model)| model.trim().to_owned())
}

/// Returns the memory of this machine in MiB; `None` if /proc/meminfo is not readable.
pub fn memory_mib() -> Option<u64> {
    procfs::Meminfo::current().ok().map(|info| info.mem_total >> 20)
}

/// Raises the limit of open files to the hard limit, and returns it.
///
/// # Errors
///
/// If the limit cannot be read or raised.
pub fn raise_file_limit() -> Result<u64> {
    let (_, hard) =
        getrlimit(Resource::RLIMIT_NOFILE).context("cannot read the limit of open files")?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
        .context("cannot raise the limit of open files")?;
    Ok(hard)
}

/// Checks that the limit of open files allows `clients` clients with `descriptors_per_client`
/// file descriptors each.
///
/// # Errors
///
/// If it does not. The error contains the required limit.
pub fn check_file_limit(clients: usize, descriptors_per_client: u64) -> Result<()> {
    /// Descriptors for standard streams, output files and libraries.
    const RESERVED: u64 = 32;
    let limit = raise_file_limit()?;
    let for_clients = (clients as u64).saturating_mul(descriptors_per_client);
    let needed = for_clients.saturating_add(RESERVED);
    if needed > limit {
        bail!(
            "{clients} clients need {needed} file descriptors, but the limit of open files is \
             {limit}; raise it with 'ulimit -Hn {needed}' as root, or in /etc/security/limits.conf"
        );
    }
    Ok(())
}
