//! Network interfaces of the calling thread's network namespace, through rtnetlink(7).

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use socket2::{Domain, Protocol, Socket, Type};

// Of linux/netlink.h, linux/if_link.h, linux/if_addr.h and linux/veth.h.
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
const NLMSG_ERROR: u16 = 2;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;

/// A network interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    index: i32,
    flags: u32,
}

impl Link {
    /// Returns the interface with this name.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn named(name: &str) -> Result<Self> {
        let mut message = Message::new(libc::RTM_GETLINK, 0, &ifinfomsg(0, 0, 0));
        message.add_text(IFLA_IFNAME, name);
        let reply = exchange(message, libc::RTM_NEWLINK)?;
        let field = |at: usize| reply.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
        // ifi_index and ifi_flags of struct ifinfomsg.
        let fields = field(HEADER + 4).zip(field(HEADER + 8));
        let (index, flags) = fields.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))?;
        Ok(Link { index: index.cast_signed(), flags })
    }

    /// Returns whether the interface is up and connected, so that it transmits packets.
    pub fn is_running(self) -> bool {
        self.flags & libc::IFF_RUNNING.cast_unsigned() != 0
    }

    /// Sets the interface up.
    ///
    /// # Errors
    ///
    /// If the kernel refuses.
    pub fn set_up(self) -> Result<()> {
        let up = libc::IFF_UP.cast_unsigned();
        let header = ifinfomsg(self.index, up, up);
        exchange(Message::new(libc::RTM_NEWLINK, NLM_F_ACK, &header), NLMSG_ERROR).map(drop)
    }

    /// Adds an IPv4 address with a prefix of this length.
    ///
    /// # Errors
    ///
    /// If the kernel refuses.
    pub fn add_address(self, address: Ipv4Addr, prefix: u8) -> Result<()> {
        // struct ifaddrmsg: family, prefix length, flags, scope, index.
        let family = u8::try_from(libc::AF_INET).unwrap_or_default();
        let mut header = vec![family, prefix, 0, 0];
        header.extend(self.index.to_ne_bytes());
        let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
        let mut message = Message::new(libc::RTM_NEWADDR, flags, &header);
        message.add(IFA_LOCAL, &address.octets());
        message.add(IFA_ADDRESS, &address.octets());
        exchange(message, NLMSG_ERROR).map(drop)
    }
}

/// Creates a veth pair, see veth(4): the end `name` in the namespace of the calling thread, and the
/// end `peer` in the namespace `peer_namespace`.
///
/// # Errors
///
/// If the kernel refuses. The kind of the error is `Unsupported` if the kernel lacks veth.
pub fn create_veth_pair(name: &str, peer: &str, peer_namespace: BorrowedFd<'_>) -> Result<()> {
    let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    let mut message = Message::new(libc::RTM_NEWLINK, flags, &ifinfomsg(0, 0, 0));
    message.add_text(IFLA_IFNAME, name);
    message.nest(IFLA_LINKINFO, |info| {
        info.add(IFLA_INFO_KIND, b"veth");
        info.nest(IFLA_INFO_DATA, |data| {
            data.nest(VETH_INFO_PEER, |end| {
                end.0.extend(ifinfomsg(0, 0, 0));
                end.add_text(IFLA_IFNAME, peer);
                end.add(IFLA_NET_NS_FD, &peer_namespace.as_raw_fd().to_ne_bytes());
            });
        });
    });
    exchange(message, NLMSG_ERROR).map(drop)
}

/// Returns `struct ifinfomsg`. `change` selects the flags to set.
fn ifinfomsg(index: i32, flags: u32, change: u32) -> Vec<u8> {
    // Family, padding and device type are 0.
    let fields = [[0; 4], index.to_ne_bytes(), flags.to_ne_bytes(), change.to_ne_bytes()];
    fields.concat()
}

/// Sends a request, and returns the reply of the type `expected`.
fn exchange(message: Message, expected: u16) -> Result<Vec<u8>> {
    let route = Protocol::from(libc::NETLINK_ROUTE);
    let mut socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::DGRAM, Some(route))?;
    socket.write_all(&message.finish())?;
    let mut reply = vec![0; 32 * 1024];
    let length = socket.read(&mut reply)?;
    reply.truncate(length);
    check(&reply, expected)?;
    Ok(reply)
}

/// Checks the type of a reply, and the error number if it is an acknowledgment.
fn check(reply: &[u8], expected: u16) -> Result<()> {
    let (Some(kind), Some(code)) = (reply.get(4..6), reply.get(HEADER..HEADER + 4)) else {
        return Err(ErrorKind::UnexpectedEof.into());
    };
    let kind = u16::from_ne_bytes([kind[0], kind[1]]);
    let code = i32::from_ne_bytes([code[0], code[1], code[2], code[3]]);
    match kind {
        NLMSG_ERROR if code != 0 => Err(Error::from_raw_os_error(-code)),
        kind if kind == expected => Ok(()),
        _ => Err(ErrorKind::InvalidData.into()),
    }
}

/// A request: `struct nlmsghdr`, the header of its type, and attributes.
struct Message(Vec<u8>);

impl Message {
    fn new(kind: u16, flags: u16, header: &[u8]) -> Self {
        // The length is set by `finish`. The sequence number and the port may be 0.
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(flags | NLM_F_REQUEST).to_ne_bytes());
        bytes.extend(header);
        Message(bytes)
    }

    fn add(&mut self, kind: u16, value: &[u8]) {
        self.nest(kind, |message| message.0.extend(value));
    }

    /// Adds a text, which ends with a null byte.
    fn add_text(&mut self, kind: u16, value: &str) {
        self.add(kind, &[value.as_bytes(), &[0]].concat());
    }

    /// Adds an attribute whose value `fill` appends. The next attribute begins at a multiple of 4.
    fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.0.extend([[0; 2], kind.to_ne_bytes()].concat());
        fill(self);
        let length = u16::try_from(self.0.len() - start).unwrap_or(u16::MAX);
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_nested_and_aligned() {
        let mut message = Message::new(16, NLM_F_ACK, &[7; 4]);
        message.nest(18, |inner| inner.add_text(1, "ab"));
        message.add(2, &[9; 4]);
        let mut expected = Vec::new();
        expected.extend(40_u32.to_ne_bytes());
        expected.extend([16_u16, 5].map(u16::to_ne_bytes).concat());
        expected.extend([0; 8]);
        expected.extend([7; 4]);
        expected.extend([12_u16, 18, 7, 1].map(u16::to_ne_bytes).concat());
        expected.extend([b'a', b'b', 0, 0]);
        expected.extend([8_u16, 2].map(u16::to_ne_bytes).concat());
        expected.extend([9; 4]);
        assert_eq!(message.finish(), expected);
    }

    #[test]
    fn error_numbers_of_replies_become_errors() {
        let reply = |kind: u16, code: i32| {
            let mut reply = Message::new(kind, 0, &code.to_ne_bytes()).finish();
            reply.extend([0; 16]);
            reply
        };
        assert!(check(&reply(NLMSG_ERROR, 0), NLMSG_ERROR).is_ok());
        let error = check(&reply(NLMSG_ERROR, -libc::EPERM), NLMSG_ERROR).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        let error = check(&reply(NLMSG_ERROR, -libc::ENODEV), libc::RTM_NEWLINK).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
        assert!(check(&reply(77, 0), NLMSG_ERROR).is_err());
        assert!(check(&[0; 18], NLMSG_ERROR).is_err());
    }

    #[test]
    fn the_loopback_interface_is_found_by_name() {
        assert!(Link::named("lo").is_ok());
        let error = Link::named("no-such-link").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
    }
}
