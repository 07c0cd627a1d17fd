//! Heap settings of this process. glibc reads them only from the environment, and only when a
//! program starts.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The environment variable of glibc, see "Tunables" in its manual.
const TUNABLES: &str = "GLIBC_TUNABLES";

/// Puts the heap into huge pages of 2 MiB, with one heap (arena) for all threads. The arenas that
/// glibc creates for further threads grow in steps too small for a huge page.
const HUGE_PAGE_SETTINGS: &str = "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1";

/// The first setting in [`HUGE_PAGE_SETTINGS`].
const FIRST_SETTING: &str = "glibc.malloc.hugetlb=1";

/// Restarts this program as the same process, with the same arguments and a heap in huge pages.
/// With huge pages, the data of a thousand clients is found without page table walks. Call this
/// before doing anything else.
///
/// Returns without effect if the environment already has heap settings, as it does after the
/// restart. If the program cannot be restarted, the heap is unchanged.
pub fn restart_with_huge_pages() {
    if let Some(settings) = std::env::var_os(TUNABLES) {
        // glibc terminates each setting with a NUL when it parses it, so only the first setting
        // is visible here.
        if !settings.as_bytes().starts_with(FIRST_SETTING.as_bytes()) {
            log::warn!(
                "the heap does not use huge pages because {TUNABLES} is set; unset it to use them"
            );
        }
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| program.clone().into());
    let mut command = Command::new(program);
    let error = command.arg0(name).args(arguments).env(TUNABLES, HUGE_PAGE_SETTINGS).exec();
    log::warn!("cannot put the heap into huge pages: {error}");
}
