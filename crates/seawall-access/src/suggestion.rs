//! Suggestions for misspelt names.

/// The name that differs least from the text, in at most every third character; the first of several. The most frequent
/// confusions do not count as a difference: case, `-`, `_` and spaces.
#[must_use]
pub fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = folded(written);
    let far = |name: &str| strsim::damerau_levenshtein(&written, &folded(name));
    let near = names.into_iter().map(|name| (far(name), name)).min_by_key(|(far, _)| *far)?;
    let (far, name) = near;
    (far * 3 <= name.chars().count().max(3)).then_some(name)
}

fn folded(name: &str) -> String {
    name.to_lowercase().replace(['-', '_', ' '], "")
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn only_a_slip_is_taken_for_a_name() {
        let names = ["research", "platform", "x"];
        let table = [
            ("reserch", Some("research")),
            ("RESEARCH", Some("research")),
            ("paltform", Some("platform")), // two letters changed places
            ("y", Some("x")),
            ("re-search", Some("research")),
            ("operations", None),
            ("", Some("x")),
        ];
        for (written, name) in table {
            assert_eq!(nearest(written, names), name, "{written}");
        }
        assert_eq!(nearest("x", []), None);
    }
}
