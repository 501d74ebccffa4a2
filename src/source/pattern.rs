//! Patterns of names and paths: `*`, `?`, `**`, `[…]` and `{…}`.
//!
//! Invariant: compiling any text ends in a pattern or in an error, in bounded time and memory.

use globset::{GlobBuilder, GlobMatcher, GlobSetBuilder};

/// The length of the longest pattern, in bytes.
const LONGEST: usize = 1024;

/// Compiles a pattern; with `of_paths`, `*` and `?` do not match `/`.
///
/// # Errors
/// Returns the reason, as a phrase, if the text is not a valid pattern, is too long or too complex.
pub fn compile(text: &str, of_paths: bool) -> Result<GlobMatcher, String> {
    if text.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    let glob = GlobBuilder::new(text)
        .literal_separator(of_paths)
        .build()
        .map_err(|error| error.kind().to_string())?;
    // For an expression that is too large, `compile_matcher` panics, while a set returns an error.
    GlobSetBuilder::new().add(glob.clone()).build().map_err(|_| "it is too complex".to_owned())?;
    Ok(glob.compile_matcher())
}

#[cfg(test)]
mod tests {
    use super::compile;

    #[test]
    fn every_text_is_a_pattern_or_a_reason() {
        let braces = |depth: usize| format!("{}*{}", "{".repeat(depth), "}".repeat(depth));
        let table = [
            ("a*".to_owned(), Ok(())),
            ("{a,b*}".to_owned(), Ok(())),
            ("[".to_owned(), Err("unclosed character class; missing ']'")),
            (braces(400), Err("it is too complex")),
            (braces(100_000), Err("it is longer than 1024 bytes")),
            ("x".repeat(1025), Err("it is longer than 1024 bytes")),
        ];
        for (text, expected) in table {
            let found = compile(&text, true).map(|_| ());
            assert_eq!(
                found.as_ref().map_err(String::as_str),
                expected.as_ref().map_err(|reason| *reason),
                "{text:.20}"
            );
        }
        let is_match = |of_paths| compile("a*", of_paths).unwrap().is_match("a/b");
        assert_eq!((is_match(true), is_match(false)), (false, true));
    }
}
