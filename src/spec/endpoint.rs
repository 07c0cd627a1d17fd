//! The address of a server.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use anyhow::{Result, anyhow, bail};

/// The default port of a server.
pub const DEFAULT_PORT: u16 = 4157;

/// The address of a server: a host name or IP address, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// Returns port 0 on loopback, which selects a free port.
    pub fn free_port() -> Self {
        SocketAddr::from(([127, 0, 0, 1], 0)).into()
    }

    /// Returns the host, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the first address of the host; IPv4 addresses come first.
    ///
    /// # Errors
    ///
    /// If the host name cannot be resolved.
    pub fn resolve(&self) -> Result<SocketAddr> {
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        let mut addresses: Vec<_> = found
            .map_err(|e| anyhow!("cannot resolve {}: {e}; check the host name", self.host))?
            .collect();
        addresses.sort_by_key(|address| !address.is_ipv4());
        match addresses.first() {
            Some(address) => Ok(*address),
            None => bail!(
                "cannot resolve {}: the host name has no address; check the host name",
                self.host
            ),
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

    /// Parses `host:port`, `a.b.c.d:port` or `[v6]:port`.
    fn from_str(text: &str) -> Result<Self, String> {
        let error =
            || format!("'{text}' is not an address; use HOST:PORT, as in 127.0.0.1:{DEFAULT_PORT}");
        let (host, port) = text.rsplit_once(':').ok_or_else(error)?;
        let port = port.parse().map_err(|_| error())?;
        let host = match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
            Some(bracketed) => bracketed.ok_or_else(error)?,
            None if host.contains(':') => return Err(error()),
            None => host,
        };
        if host.is_empty() || host.contains(char::is_whitespace) || host.contains('/') {
            return Err(error());
        }
        Ok(Endpoint { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displayed_endpoints_parse_to_the_same_text() {
        for text in ["127.0.0.1:4157", "localhost:0", "[::1]:65535", "a-b.example:1"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn invalid_endpoints_are_rejected_with_an_example() {
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
            assert!(error.contains("use HOST:PORT"), "{text}: {error}");
        }
    }

    #[test]
    fn resolve_error_contains_the_unknown_host_name() {
        let endpoint: Endpoint = "no-such-host.invalid:1".parse().unwrap();
        let error = endpoint.resolve().unwrap_err();
        assert!(format!("{error:#}").starts_with("cannot resolve no-such-host.invalid"));
    }
}
