//! Where a server listens.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use anyhow::{Result, anyhow, bail};

/// The default port of a server.
pub const DEFAULT_PORT: u16 = 4157;

/// Where a server listens: a host, by name or number, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// A free port on loopback.
    pub fn free_port() -> Self {
        SocketAddr::from(([127, 0, 0, 1], 0)).into()
    }

    /// The host, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The first address that the host has, an IPv4 one if there is any.
    ///
    /// # Errors
    ///
    /// Where the name is not known.
    pub fn resolve(&self) -> Result<SocketAddr> {
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        let mut all: Vec<_> = found
            .map_err(|e| anyhow!("cannot resolve {}: {e}; is the host's name right?", self.host))?
            .collect();
        all.sort_by_key(|address| !address.is_ipv4());
        match all.first() {
            Some(address) => Ok(*address),
            None => bail!("cannot resolve {}: the name has no address", self.host),
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Endpoint { host: address.ip().to_string(), port: address.port() }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Endpoint { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl FromStr for Endpoint {
    type Err = String;

    /// Reads `host:port`, `a.b.c.d:port` or `[v6]:port`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("'{text}' is not an address; write HOST:PORT, as in 127.0.0.1:{DEFAULT_PORT}")
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let host = match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
            Some(bracketed) => bracketed.ok_or_else(wrong)?,
            None if host.contains(':') => return Err(wrong()),
            None => host,
        };
        if host.is_empty() || host.contains(char::is_whitespace) || host.contains('/') {
            return Err(wrong());
        }
        Ok(Endpoint { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_read_as_they_are_written() {
        for text in ["127.0.0.1:4157", "localhost:0", "[::1]:65535", "a-b.example:1"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_an_example() {
        for text in [
            "",
            "4157",
            ":4157",
            "host",
            "host:",
            "host:65536",
            "::1:80",
            "[::1:80",
            "tcp://h:1",
            "a b:1",
        ] {
            let error = text.parse::<Endpoint>().unwrap_err();
            assert!(error.contains("write HOST:PORT"), "{text}: {error}");
        }
    }

    #[test]
    fn a_name_that_does_not_exist_is_named() {
        let endpoint: Endpoint = "no-such-host.invalid:1".parse().unwrap();
        let error = endpoint.resolve().unwrap_err();
        assert!(format!("{error:#}").starts_with("cannot resolve no-such-host.invalid"));
    }
}
