//! The network between the clients and the servers that this process starts: loopback, or a veth
//! pair between two network namespaces.
//!
//! ```text
//! clients' namespace                      servers' namespace
//! bench: threads of the clients           serve, exec= (child processes)
//! 10.41.57.2 clients  <-- veth pair -->  servers 10.41.57.1
//! ```
//!
//! The namespaces have no names, so the kernel removes them and the pair with the last process in
//! them, see `network_namespaces(7)`. No interface, route or setting outside of them is changed.

use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow, bail};
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};
use strum::{Display, EnumString, VariantNames};

use super::netlink::{Link, create_veth_pair};

/// Addresses of the two ends. They exist only inside the namespaces.
const SERVERS_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 41, 57, 1);
const CLIENTS_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 41, 57, 2);

/// Length of the prefix that both addresses have in common.
const PREFIX: u8 = 30;

/// Names of the two ends. Each is in a namespace of its own.
const SERVERS_END: &str = "servers";
const CLIENTS_END: &str = "clients";

/// Time limit for the kernel to connect the ends of a new pair.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The kind of network between clients and spawned servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Display, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum NetworkKind {
    /// The loopback interface of this machine.
    #[default]
    Loopback,
    /// A veth pair between two network namespaces.
    Veth,
}

impl NetworkKind {
    /// Returns the address on which servers listen.
    pub fn server_address(self) -> Ipv4Addr {
        match self {
            NetworkKind::Loopback => Ipv4Addr::LOCALHOST,
            NetworkKind::Veth => SERVERS_ADDRESS,
        }
    }

    /// Creates the network. For a veth pair, this moves the calling thread into the namespace of
    /// the clients: threads that it starts later, and sockets that these open, are in that
    /// namespace. Call it before starting a thread that opens sockets.
    ///
    /// # Errors
    ///
    /// If this process may not create namespaces, or if the kernel lacks namespaces or veth. The
    /// thread may then be in a namespace without a network.
    pub fn create(self) -> Result<Network> {
        Ok(match self {
            NetworkKind::Loopback => Network::Loopback,
            NetworkKind::Veth => Network::Veth(Arc::new(VethPair::create()?)),
        })
    }
}

/// The network between clients and spawned servers.
#[derive(Debug, Clone, Default)]
pub enum Network {
    /// The loopback interface of this machine.
    #[default]
    Loopback,
    /// A veth pair between two network namespaces.
    Veth(Arc<VethPair>),
}

/// The two namespaces of a veth pair.
#[derive(Debug)]
pub struct VethPair {
    servers: File,
    clients: File,
}

impl Network {
    /// Returns the kind of the network.
    pub fn kind(&self) -> NetworkKind {
        match self {
            Network::Loopback => NetworkKind::Loopback,
            Network::Veth(_) => NetworkKind::Veth,
        }
    }

    /// Calls `action` in the namespace of the servers, which child processes inherit. Then it
    /// returns the calling thread to the namespace of the clients.
    ///
    /// # Errors
    ///
    /// The error of `action`, or if the namespace cannot be changed.
    pub fn on_server_side<T>(&self, action: impl FnOnce() -> Result<T>) -> Result<T> {
        let Network::Veth(pair) = self else { return action() };
        enter(&pair.servers)?;
        let result = action();
        enter(&pair.clients)?;
        result
    }
}

impl VethPair {
    fn create() -> Result<Self> {
        let servers = new_namespace()?;
        let clients = new_namespace()?;
        create_veth_pair(CLIENTS_END, SERVERS_END, servers.as_fd())
            .map_err(|error| veth_error(&error))?;
        set_up(CLIENTS_END, CLIENTS_ADDRESS)?;
        enter(&servers)?;
        set_up(SERVERS_END, SERVERS_ADDRESS)?;
        wait_until_running(SERVERS_END)?;
        enter(&clients)?;
        wait_until_running(CLIENTS_END)?;
        Ok(VethPair { servers, clients })
    }
}

/// Moves the calling thread into a new network namespace. The namespace lives as long as the
/// returned file is open or a process is in it.
fn new_namespace() -> Result<File> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(namespace_error)?;
    let path = "/proc/thread-self/ns/net";
    File::open(path).with_context(|| {
        format!("cannot open {path} for --network veth; mount /proc, or use --network loopback")
    })
}

fn enter(namespace: &File) -> Result<()> {
    let entered = setns(namespace, CloneFlags::CLONE_NEWNET);
    entered.context("cannot enter the network namespace of --network veth")
}

/// Adds the address to an end of the pair, and sets it and the loopback interface up.
fn set_up(end: &str, address: Ipv4Addr) -> Result<()> {
    let configured = Link::named("lo").and_then(Link::set_up).and_then(|()| {
        let link = Link::named(end)?;
        link.add_address(address, PREFIX)?;
        link.set_up()
    });
    configured
        .with_context(|| format!("cannot configure the end '{end}' of the pair of --network veth"))
}

/// Waits until the end transmits packets. Before, the kernel would drop the first packets, and TCP
/// would send them again only after a second.
fn wait_until_running(end: &str) -> Result<()> {
    let deadline = Instant::now() + CONNECT_TIMEOUT;
    while !Link::named(end).is_ok_and(Link::is_running) {
        if Instant::now() >= deadline {
            bail!(
                "the end '{end}' of the pair of --network veth was not connected within \
                 {CONNECT_TIMEOUT:?}; use --network loopback"
            );
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn namespace_error(error: Errno) -> Error {
    let advice = match error {
        Errno::EPERM => "run as root (with CAP_SYS_ADMIN and CAP_NET_ADMIN)",
        Errno::EINVAL | Errno::ENOSYS => "use a kernel with network namespaces (CONFIG_NET_NS)",
        Errno::ENOSPC => "raise user.max_net_namespaces",
        _ => "see unshare(2)",
    };
    refused("create a network namespace", error.desc(), advice)
}

fn veth_error(error: &io::Error) -> Error {
    let code = Errno::from_raw(error.raw_os_error().unwrap_or_default());
    let advice = match code {
        Errno::EPERM => "run as root (with CAP_SYS_ADMIN and CAP_NET_ADMIN)",
        Errno::EOPNOTSUPP => {
            "load the kernel's veth driver with 'modprobe veth', or use a kernel with it \
             (CONFIG_VETH)"
        }
        _ => "see veth(4)",
    };
    refused("create a veth pair", code.desc(), advice)
}

fn refused(attempt: &str, reason: &str, advice: &str) -> Error {
    anyhow!("cannot {attempt} for --network veth: {reason}; {advice}, or use --network loopback")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn refused_namespaces_are_reported_with_advice() {
        let of_namespace = [
            (Errno::EPERM, "Operation not permitted; run as root"),
            (Errno::EINVAL, "CONFIG_NET_NS"),
            (Errno::ENOSPC, "user.max_net_namespaces"),
        ];
        let of_veth = [(Errno::EOPNOTSUPP, "modprobe veth"), (Errno::EPERM, "run as root")];
        let texts = of_namespace.map(|(error, advice)| (namespace_error(error), advice));
        let more = of_veth.map(|(error, advice)| (veth_error(&error.into()), advice));
        for (error, advice) in texts.into_iter().chain(more) {
            let text = format!("{error:#}");
            assert!(text.contains(advice) && text.contains("--network loopback"), "{text}");
        }
    }

    #[test]
    fn bytes_cross_the_veth_pair_between_the_two_addresses() {
        // The namespaces are those of this thread and end with it.
        let check = || -> Result<()> {
            let network = NetworkKind::Veth.create()?;
            assert_eq!(network.kind(), NetworkKind::Veth);
            let listen = || Ok(TcpListener::bind((network.kind().server_address(), 0))?);
            let listener = network.on_server_side(listen)?;
            assert!(listen().is_err(), "the address of the servers exists only on their side");
            let mut client = TcpStream::connect(listener.local_addr()?)?;
            let (mut server, from) = listener.accept()?;
            assert_eq!(from.ip(), CLIENTS_ADDRESS);
            client.write_all(b"ping")?;
            let mut received = [0; 4];
            server.read_exact(&mut received)?;
            assert_eq!(&received, b"ping");
            Ok(())
        };
        let result = thread::spawn(check).join().unwrap();
        match result {
            Err(error) if error.to_string().contains("run as root") => {
                eprintln!("skipped: {error}");
            }
            result => result.unwrap(),
        }
    }
}
