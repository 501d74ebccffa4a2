//! Suggestions for misspelt names.

/// The name that differs least from the text, in at most every third character; the first of
/// several. The most frequent confusions do not count as a difference: case, `-`, `_` and spaces.
///
/// A common start up to a colon does not make names alike: `request:fetch` is not `request:patch`.
#[must_use]
pub fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = folded(written);
    let measured = |name: &'a str| {
        let own = folded(name);
        let (written, own) = match (written.split_once(':'), own.split_once(':')) {
            (Some((start, written)), Some((own_start, own))) if start == own_start => {
                (written, own)
            }
            _ => (written.as_str(), own.as_str()),
        };
        let far = strsim::damerau_levenshtein(written, own);
        (far, far * 3 <= own.chars().count().max(3), name)
    };
    let (_, is_slip, name) = names.into_iter().map(measured).min_by_key(|(far, ..)| *far)?;
    is_slip.then_some(name)
}

/// The advice for a word that is not one of a set: the nearest of them, if the word is a slip, and
/// the first of the set.
#[must_use]
pub fn one_of<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let near = nearest(written, names.iter().copied()).or_else(|| synonym(written, &names));
    near.map_or_else(|| format!("write one of {}", list(&names)), |near| did_you_mean(near, &names))
}

/// The decision of a set that a word of other products stands for.
#[must_use]
pub fn synonym<'a>(written: &str, names: &[&'a str]) -> Option<&'a str> {
    let meant = match written.to_lowercase().as_str() {
        "permit" | "permitted" | "allowed" | "accept" => "allow",
        "block" | "blocked" | "forbid" | "denied" | "reject" | "drop" => "deny",
        _ => return None,
    };
    names.iter().copied().find(|name| *name == meant)
}

/// The advice to write one of a set, with the first of the others.
#[must_use]
pub fn did_you_mean(near: &str, names: &[&str]) -> String {
    format!("did you mean `{near}`? the choices are {}", list(names))
}

fn list(names: &[&str]) -> String {
    const LISTED: usize = 16;
    let listed: Vec<String> = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    let rest = names.len().saturating_sub(LISTED);
    let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{}{rest}", listed.join(", "))
}

fn folded(name: &str) -> String {
    name.to_lowercase().replace(['-', '_', ' '], "")
}

#[cfg(test)]
mod tests {
    use super::{nearest, one_of};

    #[test]
    fn only_a_slip_is_taken_for_a_name() {
        let names = ["research", "platform", "x"];
        let table = [
            ("reserch", Some("research")),
            ("RESEARCH", Some("research")),
            ("paltform", Some("platform")), // two letters changed places
            ("y", Some("x")),
            ("re-search", Some("research")),
            ("x:reserch", None),
            ("operations", None),
            ("", Some("x")),
        ];
        for (written, name) in table {
            assert_eq!(nearest(written, names), name, "{written}");
        }
        assert_eq!(nearest("x", []), None);
        let methods = ["request:get", "request:patch"];
        assert_eq!(nearest("request:FETCH", methods), None);
        assert_eq!(nearest("request:gte", methods), Some("request:get"));
        assert_eq!(nearest("reqest:get", methods), Some("request:get"));
    }

    #[test]
    fn advice_names_the_choices() {
        assert_eq!(
            one_of("alow", ["allow", "deny"]),
            "did you mean `allow`? the choices are `allow`, `deny`"
        );
        assert_eq!(
            one_of("block", ["allow", "deny"]),
            "did you mean `deny`? the choices are `allow`, `deny`"
        );
        assert_eq!(one_of("log", ["allow", "deny"]), "write one of `allow`, `deny`");
        let many: Vec<String> = (0..20).map(|number| format!("team-{number}")).collect();
        assert!(one_of("else", many.iter().map(String::as_str)).ends_with("`team-15` and 4 more"));
    }
}
