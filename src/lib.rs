//! echometer measures which messaging pattern carries more messages per second on your
//! machines, from how many clients on, and why.
//!
//! It runs echo servers of several [systems] as real processes, drives them with closed-loop
//! clients, measures both sides, and turns the rows into a table and a figure. Data flows
//! one way:
//!
//! ```text
//! flags -> spec -> trial { serve (child process) -> load (clients) -> tallies } -> row
//!       -> results.csv -> analysis -> report
//! ```
//!
//! What is absent by intent:
//! - an async runtime: everything blocks, on threads of the operating system;
//! - the name of a system outside [systems]: all else reads [`systems::SYSTEMS`];
//! - a lock or a shared counter on the way of a message for the sake of counting;
//! - a success for an echo that failed, came too late, or answered another request;
//! - an output file that is opened after the measuring began.

pub mod cli;
pub mod commands;

pub mod os;
pub mod spec;

pub mod message;
pub mod systems;
pub mod wire;

pub mod load;
pub mod measure;
pub mod trial;

pub mod results;

pub mod analysis;
pub mod report;
