//! Cost of echometer's own code per message, without the frameworks.
//!
//! ```text
//! cargo bench
//! ```
//!
//! `server` decodes a request, counts it, and encodes the reply. `client` checks the reply, counts
//! the echo, records its latency, and encodes the next request. `record` only records a latency.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use echometer::measure::{
    ClientTally, Distributions, EchoTimes, LatencyHistogram, Moments, Window,
};
use echometer::message::{self, Responder, Sequence};
use echometer::spec::ServerSpec;

/// Payload size of the experiments in bytes.
const PAYLOAD: usize = 64;

fn server(c: &mut Criterion) {
    let request = message::request("client-host-1234-17", "x".repeat(PAYLOAD), 0);
    let mut responder = Responder::new(&ServerSpec::named("server-host"), None, Sequence::Own(0));
    let mut reply = Vec::new();
    c.bench_function("server", |b| {
        b.iter(|| message::respond(&mut responder, black_box(request.bytes()), &mut reply));
    });
}

fn client(c: &mut Criterion) {
    let mut request = message::request("client-host-1234-17", "x".repeat(PAYLOAD), 0);
    let mut responder = Responder::new(&ServerSpec::named("server-host"), None, Sequence::Own(0));
    let mut reply = Vec::new();
    let (mut tally, mut all) = (ClientTally::default(), Distributions::default());
    let window = Window::after(Instant::now(), Duration::ZERO, Duration::from_secs(3600));
    c.bench_function("client", |b| {
        b.iter_batched(
            || {
                request.advance();
                message::respond(&mut responder, request.bytes(), &mut reply).ok();
                (request.clone(), reply.clone())
            },
            |(mut request, reply)| {
                let sent = Instant::now();
                let checked = message::check(&request, black_box(&reply));
                let received = Instant::now();
                let verified = checked.is_ok_and(|reply| reply.verified);
                tally.record_success(
                    verified,
                    EchoTimes { due: None, sent, received },
                    &window,
                    &mut all,
                );
                request.advance();
                request
            },
            criterion::BatchSize::SmallInput,
        );
    });
}

fn record(c: &mut Criterion) {
    let (mut latency, mut percentiles) = (Moments::default(), LatencyHistogram::default());
    c.bench_function("record", |b| {
        b.iter(|| {
            if let Some(ns) = latency.record(black_box(Duration::from_micros(217))) {
                percentiles.record(ns);
            }
        });
    });
}

criterion_group!(benches, server, client, record);
criterion_main!(benches);
