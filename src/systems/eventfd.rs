//! Detects whether the linked libzmq uses eventfd. That is decided when libzmq is compiled.

use std::fs;
use std::os::fd::RawFd;
use std::sync::LazyLock;

use zmq::Socket;

use super::zmq::Context;

/// Suffix of the version of a libzmq without eventfd.
pub const SUFFIX: &str = " without eventfd";

/// Whether the libzmq of this process uses eventfd; `true` if that cannot be determined.
static IS_USED: LazyLock<bool> = LazyLock::new(|| {
    let context = Context::new().ok();
    let socket = context.as_ref().and_then(|context| context.socket(zmq::PAIR).ok());
    socket.is_none_or(|socket| is_used_by(&socket))
});

/// Returns whether the libzmq of this process uses eventfd. The first call creates and closes a
/// socket.
pub fn is_used() -> bool {
    *IS_USED
}

/// Logs a warning if threads wake each other without eventfd on this socket. A trial copies the
/// warnings of its server to the notes of its row.
pub fn warn_if_not_used_by(socket: &Socket) {
    if !is_used_by(socket) {
        log::warn!(
            "libzmq was compiled without eventfd, so its threads wake each other through sockets, \
             which is slower (compile it with the CXXFLAGS in .cargo/config.toml)"
        );
    }
}

/// `ZMQ_FD` is the file descriptor through which other threads wake the thread of the socket.
fn is_used_by(socket: &Socket) -> bool {
    !socket.get_fd().is_ok_and(is_socket)
}

fn is_socket(descriptor: RawFd) -> bool {
    let target = fs::read_link(format!("/proc/self/fd/{descriptor}"));
    target.is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use nix::sys::eventfd::EventFd;

    use super::*;

    #[test]
    fn is_socket_distinguishes_a_socket_from_an_eventfd() {
        let (stream, _other) = UnixStream::pair().unwrap();
        assert!(is_socket(stream.as_raw_fd()));
        assert!(!is_socket(EventFd::new().unwrap().as_raw_fd()));
        assert!(!is_socket(-1));
    }

    #[test]
    fn libzmq_of_this_build_uses_eventfd() {
        assert!(is_used());
    }
}
