use proptest::prelude::*;

use serde_json::Value;

use super::*;

fn condition() -> impl Strategy<Value = String> {
    let atom = prop::sample::select(vec![
        "resource.type == \"local-stdio\"",
        "resource.requiresOAuth",
        "resource.requiresNetwork",
        "resource.command like \"n*\"",
        "resource has command",
        "resource has nothing",
        "resource.identityURL == resource.command",
        "resource.nothing",
        "resource == MCP::Server::\"a\"",
        "resource in MCP::Server::\"b\"",
        "principal in MCP::Team::\"x\"",
        "(if resource.requiresOAuth then resource.type == \"local-stdio\" else resource has type)",
    ]);
    atom.prop_map(str::to_owned).prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} && {other})")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} || {other})")),
            inner.prop_map(|one| format!("!({one})")),
        ]
    })
}

fn statement() -> impl Strategy<Value = String> {
    let effect =
        prop::sample::select(vec!["permit", "permit", "@requireApproval(\"x\") permit", "forbid"]);
    let clause = prop::sample::select(vec!["when", "unless"]);
    (effect, clause, condition()).prop_map(|(effect, clause, condition)| {
        format!("{effect} (principal, action, resource) {clause} {{ {condition} }};")
    })
}

proptest! {
    /// A certain answer holds for every value of the attributes that the request does not give.
    #[test]
    fn a_certain_answer_holds_for_every_value(
        statements in prop::collection::vec(statement(), 1..4),
        said in prop::array::uniform5(any::<bool>()),
    ) {
        let values: [(&str, [Value; 2]); 5] = [
            ("type", ["local-stdio".into(), "container-stdio".into()]),
            ("requiresOAuth", [true.into(), false.into()]),
            ("requiresNetwork", [true.into(), false.into()]),
            ("command", ["npx".into(), "docker".into()]),
            ("identityURL", ["npx".into(), "x".into()]),
        ];
        let policies = McpPolicies::new(&[policy("p", &[], &statements.concat())]);
        let ask = |known: &dyn Fn(usize) -> Option<usize>| {
            let mut request = McpRequest::parse("register a {\"args\": []}").expect("a request");
            for (index, (name, values)) in values.iter().enumerate() {
                if let Some(choice) = known(index) {
                    request.attributes.insert((*name).to_owned(), values[choice].clone());
                }
            }
            policies.decide(&BTreeSet::new(), &request).outcome
        };
        let outcome = ask(&|index| said[index].then_some(0));
        if outcome != Outcome::Uncertain {
            for bits in 0..32_usize {
                let full = ask(&|index| Some(if said[index] { 0 } else { bits >> index & 1 }));
                // Only a clause on the principal keeps a full request uncertain.
                prop_assert_eq!(full, outcome, "{:?} {:?}", statements, bits);
            }
        }
    }
}
