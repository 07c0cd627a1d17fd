//! Makes text from rows and run.json safe to show.

/// Replaces control characters, which terminals interpret and XML does not allow.
pub fn printable(text: &str) -> String {
    let replaced = |c: char| match c {
        '\t' | '\n' | '\r' => ' ',
        c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => '\u{fffd}',
        c => c,
    };
    text.chars().map(replaced).collect()
}

/// Escapes markup characters for XML text and attributes.
pub fn escape_xml(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped_and_control_characters_are_replaced() {
        assert_eq!(escape_xml("<script a=\"1\">&"), "&lt;script a=&quot;1&quot;&gt;&amp;");
        assert_eq!(printable("a\0b\nc\u{1b}[1m\u{ffff}"), "a\u{fffd}b c\u{fffd}[1m\u{fffd}");
    }
}
