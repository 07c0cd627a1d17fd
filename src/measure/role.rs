//! What a thread is for, told by its name.

/// Names that libraries give to their threads, and the roles that these have.
///
/// The kernel cuts names after 15 bytes.
const LIBRARIES: [(&str, &str); 6] = [
    ("ZMQbg/IO", "io"),
    ("ZMQbg/Reaper", "reaper"),
    ("grpc-cq", "completion-queue"),
    ("grpc_global_tim", "timer"),
    ("default-executo", "executor"),
    ("resolver-execut", "resolver"),
];

/// The role of a thread that is called `name` in /proc: its name without a number, which all
/// threads of a kind have in common.
///
/// ```
/// use echometer::measure::role;
/// assert_eq!(["worker-3", "worker-12", "proxy"].map(role), ["worker", "worker", "proxy"]);
/// ```
pub fn role(name: &str) -> &str {
    let known = LIBRARIES.iter().find(|(prefix, _)| name.starts_with(prefix));
    known.map_or_else(
        || name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['-', '/', ' ']),
        |(_, role)| role,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_a_kind_have_one_role() {
        for (name, expected) in [
            ("handler", "handler"),
            ("connection", "connection"),
            ("client-999", "client"),
            ("ZMQbg/IO/0", "io"),
            ("ZMQbg/Reaper", "reaper"),
            ("grpc-cq-1", "completion-queue"),
            ("event_engine", "event_engine"),
            ("42", ""),
        ] {
            assert_eq!(role(name), expected, "{name}");
        }
    }
}
