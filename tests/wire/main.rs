//! Input and output of the codecs: hand-made server bytes, split anywhere; garbage; and real
//! servers.

#[path = "../common/mod.rs"]
mod common;
mod framed;
mod garbage;
mod grpc_stream;
mod h2;
mod harness;
mod http2;
mod http2_errors;
mod http2_flow;
mod servers;
mod zmtp;
