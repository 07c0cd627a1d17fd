//! How the heap of this process lies in memory: glibc lets only the environment say it, and only
//! when a program begins.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What glibc reads, see "Tunables" in its manual.
const TUNABLES: &str = "GLIBC_TUNABLES";

/// The heap in pages of 2 MiB, and one heap for all threads: those that glibc gives to further
/// threads grow by so little at a time that the kernel finds no room for such a page.
const HUGE_PAGES: &str = "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1";

/// The first of these settings.
const FIRST: &str = "glibc.malloc.hugetlb=1";

/// Starts this program again, as the same process and with the same arguments, with a heap in
/// huge pages: what belongs to a thousand clients is then found without walks through the tables
/// of pages. To be called before anything else is begun.
///
/// Returns, and has done nothing, where the environment says how the heap is to be, which is so
/// the second time. Where the program cannot be started again, the heap stays as it is.
pub fn lay_in_huge_pages() {
    if let Some(set) = std::env::var_os(TUNABLES) {
        // glibc ends each setting by a NUL as it reads it: only the first can be seen.
        if !set.as_bytes().starts_with(FIRST.as_bytes()) {
            log::warn!("the heap is not in huge pages, as the environment has {TUNABLES}");
        }
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| program.clone().into());
    let refused = Command::new(program).arg0(name).args(arguments).env(TUNABLES, HUGE_PAGES).exec();
    log::warn!("cannot lay the heap in huge pages: {refused}");
}
