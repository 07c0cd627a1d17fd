//! Fails the build if libzmq would be compiled without the flags that it needs.

#[path = "src/lib.rs"]
mod flags;

use std::env::var;

fn main() {
    let [host, target] = ["HOST", "TARGET"].map(|name| var(name).unwrap_or_default());
    let variables = flags::variables(&host, &target);
    for name in &variables {
        println!("cargo::rerun-if-env-changed={name}");
    }
    if let Err(message) = flags::check(&variables.map(|name| var(name).ok())) {
        println!("cargo::error={message}");
    }
}
