//! Names of organizations in a workspace of several.

/// Returns `true` if a list of organizations, of which an empty one means all, contains this one.
#[must_use]
pub fn is_for(orgs: &[String], org: &str) -> bool {
    orgs.is_empty() || orgs.iter().any(|name| name == org)
}

/// The suffix for an organization in names of variables: `ACME_LABS` for `acme-labs`, as in
/// `DOCKER_USERNAME_ACME_LABS`.
/// `DOCKER_USERNAME_ACME_LABS`.
#[must_use]
pub fn variable_suffix(org: &str) -> String {
    let letter = |character: char| {
        if character.is_ascii_alphanumeric() { character.to_ascii_uppercase() } else { '_' }
    };
    org.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_names_of_variables() {
        for (org, suffix) in [("acme", "ACME"), ("acme-labs.2", "ACME_LABS_2"), ("ämter", "_MTER")]
        {
            assert_eq!(variable_suffix(org), suffix);
        }
        assert!(
            is_for(&[], "a")
                && is_for(&["b".into(), "a".into()], "a")
                && !is_for(&["b".into()], "a")
        );
    }
}
