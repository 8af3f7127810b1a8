//! Texts from outside, made fit for a sentence.

/// As much of a text from outside as a sentence bears: its first letters, without control characters.
///
/// ```
/// assert_eq!(convoke_types::excerpt("a\u{7}b\ncd", 3), "abc");
/// ```
pub fn excerpt(text: &str, most: usize) -> String {
    let letters = text.chars().filter(|letter| !letter.is_control());
    letters.take(most).collect()
}
