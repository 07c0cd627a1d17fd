//! What follows from the definition of the command line: completions and man pages.

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

/// The script by which a shell completes the command.
pub fn completions(shell: Shell, mut command: Command) -> String {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The man pages of the command and of its verbs, each with the name of its file.
pub fn man_pages(command: Command) -> Vec<(String, Vec<u8>)> {
    // `man echometer-help` would say what `man echometer` says.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let verbs = command.get_subcommands();
    std::iter::once(&command).chain(verbs).map(page).collect()
}

fn page(command: &Command) -> (String, Vec<u8>) {
    let man = Man::new(command.clone()).manual("echometer");
    let mut text = Vec::new();
    // Writing to a Vec cannot fail.
    let _ = man.render(&mut text);
    (man.get_filename(), text)
}
