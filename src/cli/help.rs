//! Examples below the flags in the help texts. System names come from the registry.

use std::fmt::Write;

use crate::systems::SYSTEMS;

fn first_system() -> &'static str {
    SYSTEMS.first().map_or("SYSTEM", |system| system.name())
}

fn second_system() -> &'static str {
    SYSTEMS.get(1).map_or("SYSTEM", |system| system.name())
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
  echometer bench {0} {1} --spawn --clients 8 --duration 1s
      compare two contenders, which take turns in slices of 20 ms or more
  mkdir -p rows
  for n in 1 2 4 8; do
      echometer bench {0} {1} --spawn -c $n -d 1s --csv rows/results.csv
  done
      write one row per contender and number of clients
  echometer report rows
      print the verdict and tables, and write a page with figures

Exit status: 0 done, 1 failed while running, 2 invalid command line, 3 inconclusive (compare),
130 interrupted",
        first_system(),
        second_system()
    )
}

pub fn serve() -> String {
    format!(
        "\
Examples:
  echometer serve {0} --addr 0.0.0.0:4157 --uptime 1m --metrics server.jsonl
  echometer serve {0} --addr 127.0.0.1:0",
        first_system()
    )
}

pub fn send() -> String {
    format!(
        "Example:\n  echometer send {0} --addr 127.0.0.1:4157 hello 'hello again'",
        first_system()
    )
}

pub fn bench() -> String {
    let systems: Vec<_> = SYSTEMS.iter().map(|system| system.name()).collect();
    format!("Systems: {}\n\n", systems.join(", ")) + &bench_examples()
}

fn bench_examples() -> String {
    format!(
        "\
Examples:
  echometer bench {0} {1} --spawn --clients 24 --duration 1s --csv rows/results.csv
      two systems, measured in slices; one row per system
  echometer bench {0} {0},tuning=throughput {1},workers=4,label=four --spawn --clients 24
      the same systems with other options
  echometer bench {0} '{0},label=mine,exec=./my-server {{addr}}' --spawn --clients 24
      a server written in any language, compared with the built-in server
  echometer bench {0},label=a,addr=10.0.0.7:4157 {0},label=b,addr=10.0.0.7:4158 --clients 24
      servers that are already running
  echometer bench {0} --spawn --clients 24 --duration 5s --csv -
      one system, measured in one window; the row is printed on stdout
  echometer bench {0} --spawn --clients 24 --think 300us
      clients that pause for 300 us after each reply, to simulate a network
  echometer bench {0} {1} --spawn --clients 24 --network veth
      as root: a veth pair between two network namespaces instead of loopback
  echometer bench {0} --spawn --clients 1000 --driver lean
      many clients on few threads, which use less CPU time than the server
  echometer bench {0} --spawn --clients 24 --rate 20000 --arrivals poisson --hgrm latency.hgrm
      open loop; latency is measured from each request's scheduled send time
  echometer bench {0} --spawn --clients 24 --duration 2s --until 2%
      repeated trials, until the 95 % confidence interval is within ±2 % of the mean",
        first_system(),
        second_system()
    )
}

pub fn report() -> String {
    "\
Examples:
  echometer report results/2026-01-31-1200
  echometer report results/2026-01-31-1200 --reference other/results.csv
  echometer report results/2026-01-31-1200 --format md >> pull-request.md
  echometer report results/2026-01-31-1200 --format json | jq .overall"
        .to_owned()
}

pub fn compare() -> String {
    format!(
        "\
Examples:
  echometer compare results/before results/after --fail-on-regression 5%
  echometer compare --interleave ./before ./after --fail-on-regression 2%
      two builds, all systems
  echometer compare --interleave ./before ./after {0} {1},tuning=throughput --clients 8
      two builds, two contenders

Exit status: 0 done, or no point lost more than --fail-on-regression allows; 1 failed while running,
or a point lost more or is missing in B; 2 invalid command line; 3 inconclusive, more trials are
needed; 130 interrupted",
        first_system(),
        second_system()
    )
}

pub fn completions() -> String {
    "\
Examples:
  source <(echometer completions bash)
      complete commands in this shell; add the line to ~/.bashrc for every shell
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
