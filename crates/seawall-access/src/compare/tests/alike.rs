//! The comparison with one name for all that are alike, against that of all names.

use proptest::prelude::*;

use super::super::alike;
use super::*;

fn whole(old: &[Policy], new: &[Policy]) -> Changes {
    of_rules((old, new), &AlikeHosts::default(), &TeamDirectory::default(), Effort::default()).0
}

fn reduced(old: &[Policy], new: &[Policy]) -> Option<Changes> {
    let Reduced { old, new, alike } = alike::reduce(old, new)?;
    Some(of_rules((&old, &new), &alike, &TeamDirectory::default(), Effort::default()).0)
}

/// Names of one length, with which exceptions that match equally much come in one order.
const NAMES: &str =
    "h1.ex.com h2.ex.com h3.ex.com h4.ex.com h5.ex.com h6.ex.com h7.ex.com h1.ex.org h2.ex.org";

#[test]
fn names_are_alike_unless_some_pattern_tells_them_apart() {
    let table: &[(&str, &[&str])] = &[
        (
            "org: allow connect:tcp a.ex.com b.ex.com c.ex.com; deny connect:tcp **",
            &["a.ex.com b.ex.com c.ex.com"],
        ),
        (
            "org: allow connect:tcp a.ex.com b.ex.com; allow connect:udp *.ex.com **.ex.com b.**",
            &[],
        ),
        (
            "org: allow connect:tcp a.ex.com b.ex.com c.ex.com; allow connect:tcp c.ex.com",
            &["a.ex.com b.ex.com"],
        ),
        (
            "org: allow connect:tcp a.ex.com:443 b.ex.com:443 c.ex.com:80 d.ex.com",
            &["a.ex.com b.ex.com"],
        ),
        (
            "org: allow connect:tcp a.ex.com b.ex.com a.ex.org b.ex.org",
            &["a.ex.com b.ex.com", "a.ex.org b.ex.org"],
        ),
        ("org: allow connect:tcp a.ex.com b.ex.com; deny connect:tcp b*.ex.com", &[]),
        ("org: allow connect:tcp a.ex.com b.ex.com; deny connect:tcp **.b.ex.com", &[]),
        ("org: allow connect:tcp a.ex.com b.ex.com; deny connect:tcp B.ex.com", &[]),
        ("org: allow connect:tcp a.ex.com b.ex.com; deny connect:tcp b.ex.com.", &[]),
        ("org: allow connect:tcp a.ex.com b.ex.com; deny connect:tcp b.ex.com:http", &[]),
        ("org: allow connect:tcp a.ex.com b.ex.com; deny request:get b.ex.com/**", &[]),
        ("org: allow connect:tcp a.ex.com b.ex.com; deny later:verb b.ex.com", &[]),
        ("org: allow connect:tcp a.ex.com b.ex.com\nresearch: allow connect:tcp b.ex.com", &[]),
        (
            "org: allow connect:tcp 10.0.0.1 10.0.0.2 host.docker.internal other.docker.internal",
            &[],
        ),
        ("org: allow read /a.ex.com /b.ex.com", &[]),
    ];
    for (rules, expected) in table {
        let policies = policies(rules);
        let reduced = alike::reduce(&policies, &[]);
        let mut groups: Vec<String> = Vec::new();
        for name in rules.split([' ', ':', ';']) {
            let names =
                reduced.as_ref().map(|reduced| reduced.alike.names(name)).unwrap_or_default();
            groups.extend(Some(names.join(" ")).filter(|names| !names.is_empty()));
        }
        groups.sort();
        groups.dedup();
        assert_eq!(groups, *expected, "{rules}");
    }
}

#[test]
fn each_name_has_its_own_entries() {
    let table = [
        ("", format!("org: allow connect:tcp {NAMES}")),
        ("org: allow connect:tcp **", format!("org: allow connect:tcp **; deny connect:tcp {NAMES}")),
        ("org: allow connect:tcp **", format!("org: allow connect:tcp **\nresearch: deny connect:tcp {NAMES}")),
        (
            "org: allow connect:tcp h1.ex.com h2.ex.com",
            "org: allow connect:tcp h1.ex.com h2.ex.com; deny connect:tcp h1.ex.com:443 h2.ex.com:443".to_owned(),
        ),
        ("", format!("org: deny connect:tcp 10.0.0.0/8; allow connect:tcp 10.0.0.0/7; allow connect:tcp {NAMES}")),
    ];
    for (old, new) in table {
        let (old, new) = (policies(old), policies(&new));
        assert_eq!(reduced(&old, &new).expect("names that are alike"), whole(&old, &new));
    }
}

fn state() -> impl Strategy<Value = String> {
    let names = proptest::sample::subsequence(NAMES.split(' ').collect::<Vec<_>>(), 1..9);
    let port = prop_oneof![3 => Just(""), 1 => Just(":443"), 1 => Just(":80")];
    let listed = (names, port).prop_map(|(names, port)| {
        names.iter().map(|name| format!("{name}{port}")).collect::<Vec<_>>().join(" ")
    });
    let others = [
        "**",
        "*.ex.com",
        "**.ex.com",
        "**.com:443",
        "h1*.ex.com",
        "**.h2.ex.com",
        "h3.*.com",
        "H4.ex.com",
        "10.0.0.0/8",
        "192.0.2.1",
        "h5.ex.com:443",
        "ex.com",
    ];
    let resources = prop_oneof![3 => listed, 1 => proptest::sample::select(others.to_vec()).prop_map(str::to_owned)];
    let decision = proptest::sample::select(vec!["allow", "deny"]);
    let action =
        proptest::sample::select(vec!["connect:tcp", "connect:udp", "connect:tcp,connect:udp"]);
    let plain = (decision.clone(), action, resources)
        .prop_map(|(decision, action, all)| format!("{decision} {action} {all}"));
    let http =
        (decision, proptest::sample::select(vec!["**.ex.com/**", "h6.ex.com/a/*", "*.ex.org/b"]))
            .prop_map(|(decision, target)| format!("{decision} request:get {target}"));
    let rule = prop_oneof![6 => plain, 1 => http];
    let policy = (
        proptest::sample::select(vec!["org", "org", "a", "b", "a,b"]),
        proptest::collection::vec(rule, 1..4),
    )
        .prop_map(|(scope, rules)| format!("{scope}: {}", rules.join("; ")));
    proptest::collection::vec(policy, 0..4).prop_map(|policies| policies.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn one_name_for_all_changes_no_comparison(old in state(), new in state()) {
        let (old, new) = (policies(&old), policies(&new));
        if let Some(reduced) = reduced(&old, &new) {
            prop_assert_eq!(reduced, whole(&old, &new));
        }
    }
}
