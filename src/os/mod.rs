//! Linux: CPUs and affinity, hardware, cgroup quotas, networks, processes, threads, the heap, and
//! precise sleep.

pub mod cpus;
pub mod hardware;
pub mod heap;
pub mod host;
pub mod netlink;
pub mod network;
pub mod precise_sleep;
pub mod process;
pub mod quota;
pub mod threads;
