//! Names of files for policies.
//!
//! Invariant: a name consists of at most [`LONGEST`] lower-case ASCII letters, digits and single
//! hyphens, and is not reserved by a system. Two policies never share a name, even on file systems
//! that ignore letter case, and the name depends on the policies only, not on their order.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::source;

/// The largest number of characters of a name without its extension.
const LONGEST: usize = 60;
/// Names that Windows reserves for devices, whatever their extension; and the workspace's own file.
const KEPT: [&str; 7] = ["con", "prn", "aux", "nul", "conin", "conout", "seawall"];

/// For each policy, its identity and its name: the file name without extension.
pub(super) fn stems(policies: &[(String, &str)]) -> Vec<String> {
    let slugs: Vec<String> = policies.iter().map(|(_, name)| slug(name)).collect();
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for slug in &slugs {
        *uses.entry(slug).or_default() += 1;
    }
    let alone = |slug: &str| uses.get(slug) == Some(&1);
    let stem = |((key, name), slug): (&(String, &str), &String)| {
        if alone(slug) && slug.len() <= LONGEST {
            slug.clone()
        } else {
            unique_name(slug, &format!("{key}/{name}"))
        }
    };
    policies.iter().zip(&slugs).map(stem).collect()
}

/// The name with the organizations of the policy, unless that is too long.
pub(super) fn with_orgs(name: &str, orgs: &[String]) -> Option<String> {
    let slug = slug(&format!("{name} {}", orgs.join(" ")));
    (!orgs.is_empty() && slug.len() <= LONGEST).then_some(slug)
}

/// The name with a few digits of the policy's hash.
pub(super) fn unique_name(slug: &str, policy: &str) -> String {
    let digits: String =
        Sha256::digest(policy).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let most = LONGEST - digits.len() - 1;
    let short: String = slug.chars().take(most).collect();
    format!("{}-{digits}", short.trim_end_matches('-'))
}

fn slug(name: &str) -> String {
    let mut slug = String::new();
    for character in name.chars() {
        match character.to_ascii_lowercase() {
            kept @ ('a'..='z' | '0'..='9') => slug.push(kept),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    let slug = slug.trim_end_matches('-');
    let device = |prefix: &str| {
        slug.strip_prefix(prefix)
            .is_some_and(|rest| rest.len() == 1 && rest.as_bytes() < b":".as_slice())
    };
    match slug {
        "" => "policy".to_owned(),
        _ if KEPT.contains(&slug) || device("com") || device("lpt") => format!("{slug}-policy"),
        _ => slug.to_owned(),
    }
}

/// The path for a file of this name: in `policies/` if the workspace's patterns include it,
/// otherwise in another place that they include; `None` without one.
pub(super) fn place(include: Option<&[String]>, stem: &str) -> Option<String> {
    let folder = |pattern: &String| {
        let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
        let segments: Vec<&str> = pattern.split('/').collect();
        let (_, folders) = segments.split_last()?;
        let literal =
            folders.iter().take_while(|segment| !segment.contains(['*', '?', '[', '{', '\\']));
        Some(literal.map(|segment| format!("{segment}/")).collect::<String>())
    };
    let folders = std::iter::once("policies/".to_owned())
        .chain(include.into_iter().flatten().filter_map(folder));
    let paths = folders
        .chain([String::new()])
        .flat_map(|folder| [format!("{folder}{stem}.yaml"), format!("{folder}{stem}.yml")]);
    paths.into_iter().find(|path| source::includes(include, path))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{LONGEST, place, slug, stems, unique_name};

    #[test]
    fn a_name_is_safe_everywhere() {
        let long = "x".repeat(300);
        let table = [
            ("Security Research — hardened", "security-research-hardened"),
            ("  MCP  baseline! ", "mcp-baseline"),
            ("../../etc/passwd", "etc-passwd"),
            ("/absolute", "absolute"),
            ("C:\\Windows", "c-windows"),
            ("", "policy"),
            ("研究 🦀", "policy"),
            ("con", "con-policy"),
            ("COM1", "com1-policy"),
            ("lpt9.txt", "lpt9-txt"),
            ("com10", "com10"),
            ("seawall", "seawall-policy"),
            (".hidden", "hidden"),
            ("a\u{0}b\nc", "a-b-c"),
            (&long, &long),
        ];
        for (name, safe) in table {
            assert_eq!(slug(name), safe);
        }
        let key = "docker".to_owned();
        let stem = stems(&[(key, long.as_str())]).remove(0);
        assert_eq!(stem, unique_name(&long, &format!("docker/{long}")));
        assert_eq!(stem.len(), LONGEST);
    }

    #[test]
    fn files_go_where_the_patterns_take_them_in() {
        let table: [(Option<&[&str]>, Option<&str>); 9] = [
            (None, Some("policies/x.yaml")),
            (Some(&["policies/**/*.yaml", "tests/**/*.yaml"]), Some("policies/x.yaml")),
            (Some(&["**/*.yml"]), Some("policies/x.yml")),
            (Some(&["docs/docker/*.yaml"]), Some("docs/docker/x.yaml")),
            (Some(&["./docs/*.yaml"]), Some("docs/x.yaml")),
            (Some(&["*.yaml"]), Some("x.yaml")),
            (Some(&["teams/*/network.yaml"]), None),
            (Some(&["policies.yaml"]), None),
            (Some(&[".git/*.yaml"]), None),
        ];
        for (include, path) in table {
            let include: Option<Vec<String>> =
                include.map(|list| list.iter().map(|text| (*text).to_owned()).collect());
            assert_eq!(place(include.as_deref(), "x").as_deref(), path, "{include:?}");
        }
    }

    proptest! {
        #[test]
        fn no_two_policies_share_a_name(names in prop::collection::btree_set("[aA .é-]{0,4}|.{0,80}", 1..12)) {
            let policies: Vec<(String, &str)> = names.iter().map(|name| ("docker".to_owned(), name.as_str())).collect();
            let mut made = stems(&policies);
            for stem in &made {
                prop_assert!(!stem.is_empty() && stem.len() <= LONGEST);
                prop_assert!(stem.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')), "{}", stem);
            }
            made.sort();
            made.dedup();
            prop_assert_eq!(made.len(), names.len());
        }
    }
}
