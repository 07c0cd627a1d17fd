//! Checks that libzmq is compiled with the flags in `.cargo/config.toml`.
//!
//! The check is in a separate package so that it runs early. Cargo runs the build script of
//! echometer only after the build scripts of its libraries, which take ten minutes.

/// The file that sets the flags, for cargo and for this check.
const CONFIG: &str = include_str!("../../.cargo/config.toml");

/// Returns the flags that libzmq needs.
pub fn required() -> impl Iterator<Item = &'static str> {
    let lines = CONFIG.lines().filter(|line| !line.starts_with('#'));
    let flags = lines.flat_map(str::split_whitespace).filter(|word| word.starts_with("-D"));
    flags.map(|flag| flag.trim_end_matches('"'))
}

/// Returns the environment variables from which the cc crate reads C++ flags. It concatenates
/// them, so the configured flags are lost only if the environment sets `CXXFLAGS` itself.
pub fn variables(host: &str, target: &str) -> [String; 4] {
    let kind = if host == target { "HOST" } else { "TARGET" };
    [
        "CXXFLAGS".to_owned(),
        format!("{kind}_CXXFLAGS"),
        format!("CXXFLAGS_{}", target.replace(['-', '.'], "_")),
        format!("CXXFLAGS_{target}"),
    ]
}

/// Checks the values of the [`variables`].
///
/// # Errors
///
/// Returns an error if a flag is missing. It contains the reason and advice.
pub fn check(values: &[Option<String>; 4]) -> Result<(), String> {
    let flags: Vec<_> = values.iter().flatten().flat_map(|text| text.split_whitespace()).collect();
    let missing: Vec<_> = required().filter(|flag| !flags.contains(flag)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let advice = if values[0].is_some() {
        "CXXFLAGS in the environment replaces the flags for libzmq in .cargo/config.toml; add these \
         flags to CXXFLAGS"
    } else {
        "cargo did not read .cargo/config.toml, which sets the flags for libzmq; run cargo in the \
         directory of echometer, or set CXXFLAGS to these flags"
    };
    Err(format!("{advice}: {}", missing.join(" ")))
}
