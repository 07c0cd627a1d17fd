//! Measures which messaging pattern delivers more messages per second on your machines, from how
//! many clients on, and why.
//!
//! The program `echometer` is a thin layer over this library. It runs echo servers of several
//! [systems] as child processes, drives them with closed-loop clients, measures both sides, and
//! turns the rows into a figure and a verdict. Data flows one way:
//!
//! ```text
//! flags -> spec -> trial { servers -> load, slice by slice -> tallies } -> rows -> results.csv
//!       -> analysis -> report
//! ```
//!
//! # Where to begin
//!
//! | to | see |
//! |---|---|
//! | add a system | [`systems::System`], and `CONTRIBUTING.md` |
//! | understand how a message is answered and checked | [`message::respond`], [`message::check`] |
//! | run a measurement | [`trial::run`], [`trial::run_sliced`] |
//! | read or write rows | [`results::Row`], [`results::read_rows`] |
//! | compute curves, ratios and findings from rows | [`analysis`] |
//! | write a report | [`mod@report`] |
//!
//! A server and a client of any system, in one process:
//!
//! ```
//! use echometer::message;
//! use echometer::spec::{Channels, ClientSpec, ServerSpec};
//! use echometer::systems;
//!
//! let system = systems::find("tcp").unwrap();
//! let server = system.serve(&ServerSpec::named("server"))?;
//! let spec = ClientSpec {
//!     name: "client".to_owned(),
//!     timeout: std::time::Duration::from_secs(5),
//!     retries: 0,
//!     max_message: 1 << 20,
//!     channels: Channels::default(),
//! };
//! let mut client = system.connect(server.endpoint(), &spec)?;
//! let reply = client.echo(&message::request("client", "hello".to_owned(), 0))?;
//! assert_eq!(reply.message, "reply msg #1");
//! drop(client);
//! assert_eq!(server.stop()?.accesses, 1);
//! # Ok::<(), anyhow::Error>(())
//! ```
//!
//! # Layers
//!
//! Each layer uses only the layers below it. `ARCHITECTURE.md` describes the modules and the
//! invariants.
//!
//! 1. [cli], [commands]: what the user asks for.
//! 2. [mod@report], [analysis]: pure functions of rows.
//! 3. [trial], [load], [results]: one measurement.
//! 4. [systems], [wire], [message], [measure], [spec], [os]: servers and clients, codecs, the
//!    message, counters, validated values, Linux.

// Commands: what the user asks for.
pub mod cli;
pub mod commands;

// Analysis: pure functions of rows.
pub mod analysis;
pub mod report;

// Measurement: servers, clients, rows.
pub mod load;
pub mod results;
pub mod trial;

// Foundation: servers and clients, codecs, the message, counters, Linux.
pub mod measure;
pub mod message;
pub mod os;
pub mod spec;
pub mod systems;
pub mod wire;
