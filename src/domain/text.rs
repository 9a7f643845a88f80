//! Which characters a text for people may have.

/// Whether a character shows, and changes nothing but that: no control character (ISO 6429), no end of a line or a
/// paragraph, no mark that turns the direction of what follows (Unicode Standard Annex 9). A terminal obeys those.
pub fn is_printable(character: char) -> bool {
    let turns_or_ends =
        matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !character.is_control() && !turns_or_ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_not_printable() {
        assert!("Zoë O'Hara zoe\u{308} 日本語 שלום 🛶 👩\u{200d}💻 \"\\\u{a0}".chars().all(is_printable));
        for character in
            ['\0', '\t', '\n', '\r', '\u{1b}', '\u{7f}', '\u{9b}', '\u{85}', '\u{2028}', '\u{202e}', '\u{2066}']
        {
            assert!(!is_printable(character), "{character:?}");
        }
    }
}
