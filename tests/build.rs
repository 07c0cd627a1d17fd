//! How the libraries were built.

mod common;

use common::{Served, Wire, eventually, known};
use echometer::systems::SYSTEMS;
use procfs::process::{FDTarget, Process};

/// Without the flags of `.cargo/config.toml`, the threads of libzmq wake each other by a socket
/// pair: that measures a library which no distribution has.
#[test]
fn the_threads_of_libzmq_wake_each_other_by_eventfd_and_have_names() {
    for system in SYSTEMS.iter().filter(|system| known(**system).1 == Wire::ZeroMq) {
        let server = Served::start(*system, &[]);
        let process = Process::new(server.process.pid()).unwrap();
        let files = process.fd().unwrap().flatten().map(|file| file.target);
        let events =
            files.filter(|file| matches!(file, FDTarget::AnonInode(kind) if kind == "[eventfd]"));
        assert!(events.count() >= 3, "the context's, the I/O thread's, the socket's");
        // A thread names itself, in its own time.
        eventually("the I/O thread has its name", || {
            let mut tasks = process.tasks().unwrap().flatten();
            tasks.any(|task| task.stat().is_ok_and(|it| it.comm == "ZMQbg/IO/0")).then_some(())
        });
    }
}
