//! The changes of a group by cause, and their entries.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::Group;
use crate::diagnostic::list;
use crate::model::Origin;
use crate::plan::meaning::{AccessChange, Kept};

/// Access that changes for the same reason.
#[derive(Debug)]
pub struct Cause<'a> {
    /// The rules that make the difference.
    pub because: Vec<&'a str>,
    /// The reasons why the changes are uncertain, and the teams that do not share them.
    pub remarks: Vec<Cow<'a, str>>,
    /// The entries that change, the broadest first; never empty.
    pub entries: Vec<Entry<'a>>,
}

/// Access of one kind.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The action: `connect:tcp`, `GET,HEAD`.
    pub action: &'a str,
    /// The objects of the action, the broadest first; never empty.
    pub objects: Vec<Object<'a>>,
    /// True if the objects are hosts or addresses without a port.
    pub every_port: bool,
    /// An example of a request, if the objects are not requests themselves.
    pub witness: Option<&'a str>,
    /// The decision on the exceptions of the only object.
    pub except: Option<&'static str>,
}

/// The object of an action in two pieces: thousands of hosts may share the same thousand addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object<'a> {
    what: &'a str,
    /// The addresses to which it applies; empty for all.
    at: &'a str,
}

impl<'a> Object<'a> {
    /// The whole text.
    #[must_use]
    pub fn text(&self) -> Cow<'a, str> {
        match self.at {
            "" => Cow::Borrowed(self.what),
            at => Cow::Owned(format!("{}{at}", self.what)),
        }
    }

    /// Returns `true` if it has several words, which are ambiguous in a list.
    fn has_words(&self) -> bool {
        !self.at.is_empty() || self.what.contains(' ')
    }
}

impl<'a> Group<'a> {
    /// The changes of the group by cause, those with the broadest access first.
    #[must_use]
    pub fn causes(&self) -> Vec<Cause<'a>> {
        self.causes_by(|because| because.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The same by the policies whose rules make the difference.
    #[must_use]
    pub fn causes_by_policy(&self) -> Vec<Cause<'a>> {
        self.causes_by(|because| {
            because.iter().map(|rule| split_rule(rule).0).collect::<BTreeSet<_>>()
        })
    }

    /// The teams that do not share a change of the whole organization, as a sentence.
    fn unaffected<'t>(&self, gain: &AccessChange) -> Option<Cow<'t, str>> {
        if gain.unaffected.is_empty() {
            return None;
        }
        let does = if self.sign == '-' { "keep" } else { "are still denied" };
        let names = list::listed(&gain.unaffected);
        Some(format!("members of {names} {does} {}", gain.witness).into())
    }

    /// The approval that is asked for afterwards, or the decision on the exceptions of a change, in
    /// words.
    fn kept(&self, gain: &AccessChange) -> Option<&'static str> {
        if gain.approval {
            return Some(match self.sign {
                '-' => " (a person is asked for approval now)",
                _ => " (once a person approves)",
            });
        }
        Some(match (gain.except?, self.sign) {
            (Kept::Allowed, '+') => " (allowed before)",
            (Kept::Allowed, '-') => " (still allowed)",
            (Kept::Denied, '+') => " (still denied)",
            (Kept::Denied, '-') => " (denied before)",
            (Kept::Allowed | Kept::Denied, _) => return None,
        })
    }

    /// Changes whose rules have the same key have one cause, with all of their rules.
    fn causes_by<K: Ord>(&self, key: impl Fn(&'a [String]) -> K) -> Vec<Cause<'a>> {
        let mut gains: Vec<(&str, Object<'_>, &'a AccessChange)> = self
            .gains
            .iter()
            .map(|gain| {
                let (action, what, at) = gain.access.pieces();
                (action, Object { what, at }, *gain)
            })
            .collect();
        gains.sort_by_cached_key(|(_, object, _)| std::cmp::Reverse(breadth(*object)));
        let mut causes: Vec<Cause<'a>> = Vec::new();
        let mut known: BTreeMap<K, usize> = BTreeMap::new();
        // Very many changes share their rules, which are looked at once.
        let mut shared: HashMap<usize, usize> = HashMap::new();
        for (action, object, gain) in gains {
            let at = *shared.entry(Arc::as_ptr(&gain.because).addr()).or_insert_with(|| {
                let at = *known.entry(key(&gain.because)).or_insert_with(|| {
                    causes.push(Cause {
                        because: Vec::new(),
                        remarks: Vec::new(),
                        entries: Vec::new(),
                    });
                    causes.len() - 1
                });
                for rule in gain.because.iter().map(String::as_str) {
                    let own = causes.get_mut(at).map(|cause| &mut cause.because);
                    own.filter(|own| !own.contains(&rule))
                        .into_iter()
                        .for_each(|own| own.push(rule));
                }
                at
            });
            let Some(cause) = causes.get_mut(at) else { continue };
            let doubt = gain.doubt.as_deref().map(Cow::Borrowed);
            for remark in doubt.into_iter().chain(self.unaffected(gain)) {
                if !cause.remarks.contains(&remark) {
                    cause.remarks.push(remark);
                }
            }
            // For an MCP action without a target, every call would be an example.
            let says = |witness: &str| match action {
                "mcp" => gain.access.text() == witness,
                _ => gain.access.starts(witness),
            };
            let witness = Some(gain.witness.as_str()).filter(|witness| !says(witness));
            // An object of several words is ambiguous in a list, so that it gets an entry of its
            // own.
            let every_port = action.starts_with("connect:") && !has_port(object.what);
            let except = self.kept(gain);
            let joins = |entry: &&mut Entry<'_>| {
                entry.action == action
                    && entry.except == except
                    && entry.every_port == every_port
                    && !entry.objects.iter().take(1).any(Object::has_words)
            };
            let entry =
                if object.has_words() { None } else { cause.entries.iter_mut().find(joins) };
            match entry {
                Some(entry) => {
                    entry.objects.push(object);
                    entry.witness = entry.witness.or(witness);
                }
                None => {
                    let objects = vec![object];
                    cause.entries.push(Entry { action, objects, every_port, witness, except });
                }
            }
        }
        causes
    }
}

/// A reason of an access change as the effect with the policy, and the rule: ``now allow
/// `P`` and `r` of ``now allow `P › r` (a.yaml:1:1)``. A policy as a whole has no rule.
fn split_rule(because: &str) -> (&str, Option<&str>) {
    let text = Origin::split_off(because).map_or(because, |(text, _)| text);
    let whole = text.strip_suffix('`');
    whole
        .and_then(|text| text.split_once(" › "))
        .map_or((text, None), |(policy, rule)| (policy, Some(rule)))
}

/// The reasons of a change by new rules, those of each policy as one phrase without places: ``allow
/// `P`: r, s``.
#[must_use]
pub fn by_effect(because: &[&str]) -> Vec<(String, Vec<String>)> {
    let mut effects: Vec<(String, Vec<String>)> = Vec::new();
    for (effect, rule) in because.iter().map(|rule| split_rule(rule)) {
        let effect = effect.strip_prefix("now ").unwrap_or(effect);
        let effect = if rule.is_some() { format!("{effect}`:") } else { effect.to_owned() };
        // A name with a comma is not told from two names.
        let rule = rule
            .map(|rule| if rule.contains(", ") { format!("`{rule}`") } else { rule.to_owned() });
        match effects.iter_mut().find(|(known, _)| *known == effect) {
            Some((_, rules)) => rules.extend(rule),
            None => effects.push((effect, rule.into_iter().collect())),
        }
    }
    effects
}

/// The text for hosts and addresses without a port.
pub const EVERY_PORT: &str = " (every port)";

/// Returns `true` if a host or an address has a port, without looking at its exceptions.
fn has_port(object: &str) -> bool {
    let first =
        object.split(" except ").next().and_then(|own| own.split(" at ").next()).unwrap_or(object);
    let port = first.rsplit_once(':').map_or("", |(_, port)| port);
    // The groups of an IPv6 block are not ports.
    !port.is_empty()
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && (first.matches(':').count() == 1 || first.contains("]:"))
}

/// A rough measure of what a pattern covers, since a reviewer must not miss the broadest.
fn breadth(Object { what, at }: Object<'_>) -> u8 {
    // Addresses have no wildcard, and blocks of them a slash.
    let at_blocks = at.contains('/');
    if !at_blocks && !what.contains(['*', '/']) {
        return 0;
    }
    let host = what.split_once("://").map_or(what, |(_, rest)| rest);
    let cut = if what.starts_with('/') { None } else { host.split_once("/*") };
    let (host, at_blocks) = cut.map_or((host, at_blocks), |(host, _)| (host, false));
    let deep = host.bytes().zip(host.bytes().skip(1)).any(|pair| pair == (b'*', b'*'));
    match (deep, at_blocks || host.contains(['*', '/']), what.contains('*')) {
        (true, _, _) => 3,
        (false, true, _) => 2,
        (false, false, true) => 1,
        (false, false, false) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::gain;
    use super::super::{EVERY_PORT, Entry, Object, by_effect, groups};
    use super::breadth;
    use crate::plan::meaning::{AccessChange, Changes, Found, Meaning};

    #[test]
    fn rules_of_one_policy_are_one_reason() {
        let of = |access: &str, rule: &str| AccessChange {
            because: [format!("now allow `{rule}` (a.yaml:1:1)")].into(),
            ..gain("a", access, true, false)
        };
        let gains = [
            of("connect:tcp a.example:443", "P › one"),
            of("connect:tcp b.example:443", "Q › three, four"),
            of("connect:tcp **.c.example:443", "P › two"),
            of("mcp register", "M"),
        ];
        let changes = Changes { widened: gains.to_vec(), ..Changes::default() };
        let meaning = Meaning { found: Found::Complete(changes), governed: Vec::new() };
        let groups = groups(&meaning);
        let shown = groups[0].causes_by_policy().into_iter().map(|cause| {
            let objects: Vec<String> = cause
                .entries
                .iter()
                .flat_map(|entry| &entry.objects)
                .map(|object| object.text().into_owned())
                .collect();
            let effects: Vec<String> = by_effect(&cause.because)
                .iter()
                .map(|(effect, rules)| format!("{effect} {}", rules.join(", ")))
                .collect();
            (effects.join("; "), objects.join(" "))
        });
        let expected = [
            ("allow `P`: two, one", "**.c.example:443 a.example:443"),
            ("allow `Q`: `three, four`", "b.example:443"),
            ("allow `M` ", "register"),
        ];
        let shown: Vec<(String, String)> = shown.collect();
        assert_eq!(
            shown,
            expected.map(|(effect, objects)| (effect.to_owned(), objects.to_owned()))
        );
    }

    #[test]
    fn an_object_in_two_pieces_is_as_broad_as_in_one() {
        for what in
            ["a.example:443", "*.a.example", "**.a.example", "https://a.example/*", "10.1.0.0/16"]
        {
            for at in ["", " at 10.0.0.1", " at 10.0.0.0/8, ::/0", " except at 10.0.0.0/8"] {
                let whole = format!("{what}{at}");
                let [one, two] =
                    [("", whole.as_str()), (at, what)].map(|(at, what)| Object { what, at });
                assert_eq!((one.text(), breadth(one)), (two.text(), breadth(two)), "{whole}");
                assert_eq!(one.has_words(), two.has_words(), "{whole}");
            }
        }
    }

    #[test]
    fn access_is_listed_by_reason_and_the_broadest_first() {
        let because = |rule: &str| [format!("now allow `{rule}`")].into();
        let of = |access: &str, witness: &str, rule: &str| AccessChange {
            because: because(rule),
            witness: witness.into(),
            ..gain("a", access, true, false)
        };
        let gains = [
            of("connect:tcp a.example:443", "connect:tcp a.example:443", "one"),
            of("GET https://b.example/**", "GET https://b.example/", "one"),
            of("connect:tcp c.example", "connect:tcp c.example:443", "one"),
            of("connect:tcp **.d.example", "connect:tcp other.d.example:443", "two"),
            of("connect:tcp 10.0.0.0/8", "connect:tcp 10.0.0.1:443", "one"),
        ];
        let changes = Changes { widened: gains.to_vec(), ..Changes::default() };
        let meaning = Meaning { found: Found::Complete(changes), governed: Vec::new() };
        let groups = groups(&meaning);
        let causes = groups[0].causes();
        let shown: Vec<String> = causes
            .iter()
            .flat_map(|cause| {
                let entry = |entry: &Entry<'_>| {
                    let ports = if entry.every_port { EVERY_PORT } else { "" };
                    let objects: Vec<_> = entry.objects.iter().map(Object::text).collect();
                    let objects = objects.join(" ");
                    format!(
                        "{}: {} {objects}{ports} ({:?})",
                        cause.because[0], entry.action, entry.witness
                    )
                };
                cause.entries.iter().map(entry).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(
            shown,
            [
                "now allow `two`: connect:tcp **.d.example (every port) (Some(\"connect:tcp other.d.example:443\"))",
                "now allow `one`: connect:tcp 10.0.0.0/8 c.example (every port) (Some(\"connect:tcp 10.0.0.1:443\"))",
                "now allow `one`: GET https://b.example/** (Some(\"GET https://b.example/\"))",
                "now allow `one`: connect:tcp a.example:443 (None)",
            ]
        );
    }
}
