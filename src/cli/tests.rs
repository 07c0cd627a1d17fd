use super::*;

fn parse_line(line: &str) -> Result<Parsed, UsageError> {
    parse(line.split_whitespace().map(OsString::from))
}

#[test]
fn server_spec_survives_conversion_to_arguments_and_back() {
    let line = "echometer serve router -a 127.0.0.1:0 -n a -w 3 --backend ipc \
                --completion-queues 2 --tuning throughput --work spin:50us --max-message 2KiB";
    let Ok(Parsed::Run(Command::Serve(first))) = parse_line(line) else { panic!("{line}") };
    let words = ["echometer", "serve", "router"].map(String::from).into_iter();
    let second = parse(words.chain(first.spec.arguments()).map(OsString::from));
    let Ok(Parsed::Run(Command::Serve(second))) = second else { panic!("{:?}", first.spec) };
    assert_eq!(first.spec, second.spec);
    assert_eq!(first.spec.max_message, 2048);
}

#[test]
fn default_flags_match_the_defaults_of_server_spec() {
    let Ok(Parsed::Run(Command::Serve(serve))) = parse_line("echometer serve rep -n a") else {
        panic!("a valid command line was rejected")
    };
    let address = serve.spec.address.clone();
    assert_eq!(serve.spec, ServerSpec { address, ..ServerSpec::named("a") });
}

#[test]
fn invalid_command_lines_are_rejected_in_one_line_with_advice() {
    for (line, expected) in [
        ("echometer", "no command given"),
        ("echometer serve", "SYSTEM"),
        ("echometer serve rap", "did you mean 'rep'?"),
        ("echometer bench rep --spawn --clients 0", "at least 1"),
        ("echometer bench rep --spawn -d -1s", "'-1s' is not a duration"),
        ("echometer bench rep --spawn -d 0", "longer than 0"),
        ("echometer bench rep --spawn -d abc", "'abc' is not a duration"),
        ("echometer bench rep", "--spawn"),
        ("echometer bench rep --spawn --addr 127.0.0.1:1", "cannot be used with"),
        ("echometer bench rep --spawn --payload 2MiB", "raise --max-message"),
        ("echometer bench rep --addr 127.0.0.1:1 --workers 2", "cannot be used with"),
        ("echometer serve rep --addr here", "HOST:PORT"),
        ("echometer serve rep --work much", "spin:50us or sleep:1ms"),
        ("echometer serve rep --work sleep:1h", "use at most sleep:1s"),
        ("echometer bench rep --addr 127.0.0.1:1 --work none", "cannot be used with"),
        ("echometer bench rep --spawn --network ethernet", "use loopback or veth"),
        ("echometer bench rep --addr 127.0.0.1:1 --network veth", "cannot be used with"),
        ("echometer bench rep,addr=127.0.0.1:1 --network veth", "remove addr="),
        ("echometer bench rep,addr=127.0.0.1:1,exec=x --network veth", "remove addr="),
        ("echometer bench rep --spawn --channels one", "per-client or shared"),
        ("echometer bench rep --spawn --driver lean --channels shared", "--driver native"),
        ("echometer bench rep --spawn --until 0%", "'0%' is not a percentage"),
        ("echometer bench rep --spawn --until 2% --trials 3", "cannot be used with"),
        ("echometer report", "DIR"),
        ("echometer compare a", "DIR_B"),
        ("echometer completions csh", "possible values: bash, elvish, fish, powershell, zsh"),
        ("echometer man", "DIR"),
        ("echometer compare a b --fail-on-regression much", "'much' is not a percentage"),
        ("echometer compare a b --clients 8", "--interleave"),
        ("echometer compare a b rep", "--interleave"),
        ("echometer compare --interleave a", "DIR_B"),
        ("echometer compare --interleave a b --anyway", "cannot be used with"),
        ("echometer compare --interleave a b rap", "did you mean 'rep'?"),
        ("echometer compare --interleave a b rep rep", "two contenders have the label 'rep A'"),
        ("echometer compare --interleave a b rep,pid=1", "'rep,pid=1': pid= is not possible"),
        ("echometer compare --interleave a b rep,workers=0", "at least 1"),
        ("echometer compare --interleave a b -d 50ms", "raise --duration"),
        ("echometer compare --interleave a b --csv -", "give a file"),
    ] {
        let Err(UsageError(error)) = parse_line(line) else { panic!("{line} was accepted") };
        assert!(error.contains(expected), "{line}: {error}");
        assert!(!error.contains('\n') && !error.starts_with("error"), "{line}: {error}");
    }
}

#[test]
fn command_definition_passes_the_checks_of_clap() {
    Args::command().debug_assert();
}
