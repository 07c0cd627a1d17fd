//! Turns the flags of `compare --interleave` into a bench whose contenders are two builds.

use std::path::Path;

use clap::FromArgMatches;

use super::args::{BenchArgs, CommandArgs, CompareArgs};
use super::contender::{ContenderArg, check_labels};
use crate::commands::Interleave;
use crate::spec::UsageError;
use crate::systems::{BASELINE, SYSTEMS};

pub fn interleave(args: CompareArgs, command: String) -> Result<Interleave, UsageError> {
    if args.csv.as_deref() == Some(Path::new("-")) {
        return Err(UsageError(
            "--csv - is not possible with --interleave, which prints its result on stdout; give a \
             file"
                .to_owned(),
        ));
    }
    let mut arguments = args.contenders.clone();
    if arguments.is_empty() {
        let ranked = SYSTEMS.iter().filter(|system| system.name() != BASELINE.name());
        arguments = ranked.map(|system| ContenderArg::of_system(*system)).collect();
    }
    let programs = [absolute(&args.a)?, absolute(&args.b)?];
    let bench = bench_args(&args)?;
    let served = arguments.iter().map(|it| it.served_by(&programs, bench.ready_timeout));
    let served = served.collect::<Result<Vec<_>, _>>()?;
    let (labels, pairs): (Vec<_>, Vec<_>) = served.into_iter().unzip();
    let label_pairs = pairs.iter().map(|pair| pair.each_ref().map(|it| it.label.clone())).collect();
    let contenders: Vec<_> = pairs.into_iter().flatten().collect();
    check_labels(&contenders)?;
    let mut bench = super::bench(bench, command)?;
    bench.contenders = contenders;
    bench.csv = args.csv;
    Ok(Interleave {
        programs: [args.a, args.b],
        labels,
        pairs: label_pairs,
        bench,
        fail_on_regression: args.fail_on_regression,
    })
}

/// A program without a slash is a file of the current directory. It is not searched in PATH.
fn absolute(program: &Path) -> Result<String, UsageError> {
    let error = |reason: &str| {
        UsageError(format!("cannot use the program {}: {reason}", program.display()))
    };
    let path = std::path::absolute(program).map_err(|source| error(&source.to_string()))?;
    let text = path.into_os_string().into_string();
    text.map_err(|_| error("its path is not UTF-8; move or link the program"))
}

/// The flags of the bench. Those that `compare` lacks have the defaults of `bench`.
fn bench_args(args: &CompareArgs) -> Result<BenchArgs, UsageError> {
    let duration = humantime::format_duration(args.duration).to_string().replace(' ', "");
    let words = [
        "echometer bench --spawn --quiet --driver=lean --slice=auto".to_owned(),
        format!("--clients={} --trials={} --duration={duration}", args.clients, args.trials),
        // The contenders are replaced.
        BASELINE.name().to_owned(),
    ];
    let error = |error: clap::Error| UsageError(super::one_line_error(&error));
    let matches = super::definition().try_get_matches_from(words.join(" ").split(' '));
    match CommandArgs::from_arg_matches(&matches.map_err(error)?).map_err(error)? {
        CommandArgs::Bench(bench) => Ok(*bench),
        _ => unreachable!("the command is bench"),
    }
}
