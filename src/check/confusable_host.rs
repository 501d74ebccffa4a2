//! Hosts that look like another host.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::LazyLock;

use super::{Check, Input, Run, locations};
use crate::access::survey::Item;
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::Decision;
use foldhash::fast::RandomState;

const CODE: &str = "confusable-host";

pub(super) const CHECKS: &[Check] = &[Check {
    code: CODE,
    severity: Severity::Warning,
    title: "a host looks like another one",
    explanation: "Letters of other scripts, and signs such as `1` and `l`, make names that a reviewer cannot tell apart. A rule \
        on the wrong one of two opens a stranger's host, or leaves the right one open. Denies of hosts that look like each other \
        are left alone, and so are denies in the form `xn--…`: lists of fraudulent hosts consist of them.",
    bad: "- {name: web, decision: allow, actions: [connect:tcp], resources: [paypa1.com, www.paypal.com, paypal.com]}\n",
    fix: "Type the name again. Where it is right, suppress the finding with the reason.",
    run: Run::Together(check),
}];

fn check(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    // Most hosts resemble no other: texts are compared only if the hashes of their appearance are
    // equal.
    let hasher = RandomState::default();
    let mut hosts: Vec<(u64, &Item<'_>)> = Vec::with_capacity(input.survey.items().len());
    let mut own = String::new();
    for item in input.survey.items() {
        let Some(host) = item.host() else { continue };
        let shown = shown(&host);
        // A list of fraudulent hosts denies them in the form that looks like no other.
        let is_told_apart = || item.decision == Decision::Deny && item.text().is_ascii();
        if let Some(ascii) = ascii_look(&shown).filter(|_| !is_told_apart()) {
            let message = format!("`{shown}` looks like `{ascii}`, and is another host (`{host}`)");
            let finding = Diagnostic::warning(CODE, message).at(locations::resource(input, item));
            findings.push(finding.help("type the name again, or suppress this where it is right"));
            continue;
        }
        own.clear();
        look(&shown, &mut own);
        hosts.push((hasher.hash_one(&own), item));
    }
    hosts.sort_by_key(|(hash, _)| *hash);
    for alike in hosts.chunk_by(|(one, _), (other, _)| one == other).filter(|alike| alike.len() > 1)
    {
        compare(input, alike.iter().map(|(_, item)| *item), findings);
    }
}

/// A host that some rules name.
struct Named<'a> {
    host: Cow<'a, str>,
    /// The first item for it.
    item: &'a Item<'a>,
    is_allowed: bool,
}

/// Adds a finding for each host that looks like an earlier one but differs from it, unless both are
/// only denied.
fn compare<'a>(
    input: &Input<'_>,
    items: impl Iterator<Item = &'a Item<'a>>,
    findings: &mut Vec<Diagnostic>,
) {
    let mut looks: BTreeMap<String, Vec<Named<'a>>> = BTreeMap::new();
    for item in items {
        let Some(host) = item.host() else { continue };
        let is_allowed = item.decision == Decision::Allow;
        let mut own = String::new();
        look(&shown(&host), &mut own);
        let hosts = looks.entry(own).or_default();
        match hosts.iter_mut().find(|own| own.host == host) {
            Some(own) => own.is_allowed |= is_allowed,
            None => hosts.push(Named { host, item, is_allowed }),
        }
    }
    for hosts in looks.values() {
        let Some((first, others)) = hosts.split_first() else { continue };
        for other in others.iter().filter(|other| first.is_allowed || other.is_allowed) {
            let message = format!("`{}` looks like `{}`", other.host, first.host);
            let finding =
                Diagnostic::warning(CODE, message).at(locations::resource(input, other.item));
            let place = locations::resource(input, first.item).saying("the other one is here");
            let finding = finding.related(place);
            findings
                .push(finding.help("type the name again, or suppress this where both are right"));
        }
    }
}

/// A host with its letters decoded.
fn shown(host: &str) -> Cow<'_, str> {
    if host.contains("xn--") { idna::domain_to_unicode(host).0.into() } else { host.into() }
}

/// Writes the appearance of a name (the skeleton of UTS 39), including signs that only some
/// typefaces distinguish.
fn look(name: &str, text: &mut String) {
    if !name.is_ascii() {
        return text.push_str(&skeleton(&name.to_lowercase().replace('0', "o")));
    }
    // No combining sign composes with an ASCII sign, so that each has its own appearance.
    static LOOKS: LazyLock<[String; 128]> = LazyLock::new(|| {
        std::array::from_fn(|sign| {
            let sign = char::from(u8::try_from(sign).unwrap_or_default()).to_ascii_lowercase();
            skeleton(&if sign == '0' { 'o' } else { sign }.to_string())
        })
    });
    let looks: &[String; 128] = &LOOKS;
    name.bytes()
        .filter_map(|sign| looks.get(usize::from(sign)))
        .for_each(|look| text.push_str(look));
}

fn skeleton(text: &str) -> String {
    unicode_security::skeleton(text).collect()
}

/// The name in plain letters that a name with others resembles.
fn ascii_look(name: &str) -> Option<String> {
    if name.is_ascii() {
        return None;
    }
    let plain = |letter: char| {
        if letter.is_ascii() { letter.to_string() } else { skeleton(&letter.to_string()) }
    };
    let plain: String = name.chars().map(plain).collect();
    plain.is_ascii().then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks() {
        for (one, other, alike) in [
            ("paypa1.com", "paypal.com", true),
            ("g0ogle.com", "google.com", true),
            ("rnicrosoft.com", "microsoft.com", true),
            ("a1.example.com", "a2.example.com", false),
            ("api.example.com", "apis.example.com", false),
        ] {
            let [one_look, other_look] = [one, other].map(|name| {
                let mut text = String::new();
                look(name, &mut text);
                text
            });
            assert_eq!(one_look == other_look, alike, "{one} {other}");
        }
        // Cyrillic letters only.
        assert_eq!(
            ascii_look("\u{440}\u{430}\u{443}\u{440}\u{430}l.com"),
            Some("paypal.com".to_owned())
        );
        assert_eq!(ascii_look("b\u{fc}cher.example"), None);
        assert_eq!(ascii_look("\u{43f}\u{440}\u{438}\u{43c}\u{435}\u{440}.example"), None);
    }
}
