//! The codecs, by what goes in and what comes out: bytes of servers that we make up, cut
//! anywhere; garbage; and the real servers.

#[path = "../common/mod.rs"]
mod common;
mod conversation;
mod feed;
mod framed;
mod garbage;
mod h2;
mod http2;
mod http2_errors;
mod http2_flow;
mod servers;
mod zmtp;
