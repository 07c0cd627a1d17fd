//! Words that come from elsewhere, made fit to be shown.

/// The same without what cannot be shown and may not stand in XML: control characters.
pub fn visible(words: &str) -> String {
    let shown = |c: char| match c {
        '\t' | '\n' | '\r' => ' ',
        c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => '\u{fffd}',
        c => c,
    };
    words.chars().map(shown).collect()
}

/// The same for XML, in text and in attributes.
pub fn escaped(words: &str) -> String {
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    words.replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_that_a_page_could_take_for_its_own() {
        assert_eq!(escaped("<script a=\"1\">&"), "&lt;script a=&quot;1&quot;&gt;&amp;");
        assert_eq!(visible("a\0b\nc\u{1b}[1m\u{ffff}"), "a\u{fffd}b c\u{fffd}[1m\u{fffd}");
    }
}
