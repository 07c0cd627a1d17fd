//! What stands below the flags in the help texts: examples, with systems of the registry.

use std::fmt::Write;

use crate::systems::SYSTEMS;

fn first() -> &'static str {
    SYSTEMS.first().map_or("SYSTEM", |system| system.name())
}

pub fn overview() -> String {
    let mut text = "Systems:\n".to_owned();
    for system in SYSTEMS {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:12}{}", system.name(), system.about());
    }
    text + &format!(
        "
Examples:
  echometer bench {0} --spawn --clients 8 --duration 5s
      8 clients, 5 seconds, a server of its own
  mkdir -p rows
  for n in 1 2 4 8; do echometer bench {0} --spawn -c $n -d 5s --csv rows/results.csv; done
      one row for each number of clients
  echometer report rows
      these rows as tables and a figure

Exit status: 0 done, 1 failed while running, 2 wrong command line, 130 interrupted",
        first()
    )
}

pub fn serve() -> String {
    format!(
        "\
Examples:
  echometer serve {0} --addr 0.0.0.0:4157 --uptime 1m --metrics server.jsonl
  echometer serve {0} --addr 127.0.0.1:0",
        first()
    )
}

pub fn send() -> String {
    format!("Example:\n  echometer send {0} --addr 127.0.0.1:4157 hello 'hello again'", first())
}

pub fn bench() -> String {
    format!(
        "\
Examples:
  echometer bench {0} --spawn --clients 24 --duration 5s --csv -
      a row on stdout
  echometer bench {0} --addr 10.0.0.7:4157 --clients 24 --results clients.jsonl
      a server elsewhere; its own CPU time is not known, and empty in the row
  echometer bench {0} --spawn --clients 24 --think 300us
      clients that are away for 300 us after each reply, as behind a network
  echometer bench {0} --spawn --clients 1000 --driver lean
      many clients on few threads, at less CPU time than the server uses
  echometer bench {0} --spawn --clients 24 --rate 20000 --arrivals poisson --hgrm latency.hgrm
      requests at a rate, whatever the replies do; latency from when they were due
  echometer bench {0} --spawn --clients 24 --duration 2s --until 2%
      again and again, until the mean is known to 2 %",
        first()
    )
}

pub fn report() -> String {
    "\
Examples:
  echometer report results/2026-01-31-1200
  echometer report results/2026-01-31-1200 --reference other/results.csv
  echometer report results/2026-01-31-1200 --format md >> pull-request.md"
        .to_owned()
}

pub fn compare() -> String {
    "\
Example:
  echometer compare results/before results/after --fail-on-regression 5%"
        .to_owned()
}

pub fn completions() -> String {
    "\
Examples:
  source <(echometer completions bash)
      in this shell; in ~/.bashrc, in each
  echometer completions zsh > ~/.zfunc/_echometer
  echometer completions fish > ~/.config/fish/completions/echometer.fish"
        .to_owned()
}

pub fn man() -> String {
    "\
Example:
  echometer man ~/.local/share/man/man1 && man echometer-bench"
        .to_owned()
}
