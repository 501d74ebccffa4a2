use proptest::prelude::*;

use super::*;

const STATEMENTS: [&str; 13] = [
    r#"permit (principal, action, resource in MCP::Server::"a");"#,
    r#"permit (principal, action == MCP::Action::"invokeTool", resource) when { resource.readOnly };"#,
    r#"permit (principal, action == MCP::Action::"invokeTool", resource);"#,
    r#"@requireApproval("ask") permit (principal, action == MCP::Action::"invokeTool", resource);"#,
    r#"@requireApproval("ask") permit (principal, action, resource in MCP::Server::"a");"#,
    r#"forbid (principal, action, resource in MCP::Server::"b");"#,
    r#"forbid (principal, action == MCP::Action::"invokeTool", resource) when { resource.destructive };"#,
    r#"forbid (principal, action == MCP::Action::"invokeTool", resource in MCP::Server::"b") when { resource.name == "c" };"#,
    r#"permit (principal, action == MCP::Action::"invokeTool", resource) when { resource.name == "c" || resource.readOnly };"#,
    r#"permit (principal, action, resource) when { resource.name == "c" || resource in MCP::Server::"a" };"#,
    r#"forbid (principal, action == MCP::Action::"invokeTool", resource) unless { resource.readOnly || resource.name == "d" };"#,
    r#"permit (principal, action == MCP::Action::"getPrompt", resource) when { resource.name like "*c*" };"#,
    r#"forbid (principal, action == MCP::Action::"invokeTool", resource) when { resource.name like "c*" };"#,
];

/// Every request that these statements can distinguish.
fn universe() -> Vec<McpRequest> {
    let mut all = Vec::new();
    for server in ["a", "b", "x"] {
        all.push(format!("register {server} {{\"type\": \"remote-dcr\"}}"));
        for (tool, flags) in
            [("c", 0), ("c", 1), ("c", 2), ("c", 3), ("d", 0), ("d", 1), ("d", 2), ("d", 3)]
        {
            let (read, destructive) = (flags & 1 == 1, flags & 2 == 2);
            let said = format!("{{\"readOnly\": {read}, \"destructive\": {destructive}}}");
            all.push(format!("invokeTool {server}/{tool} {said}"));
        }
        all.push(format!("getPrompt {server}/c"));
    }
    all.iter().map(|text| McpRequest::parse(text).expect(text)).collect()
}

fn state() -> impl Strategy<Value = Vec<Policy>> {
    let policy = (
        prop::sample::subsequence(vec!["s", "t", "u"], 0..=2),
        prop::sample::subsequence(STATEMENTS.to_vec(), 1..=3),
    );
    prop::collection::vec(policy, 0..=3).prop_map(|policies| {
        let line = |(teams, text): (Vec<&str>, Vec<&str>)| {
            let scope = if teams.is_empty() { "org".to_owned() } else { teams.join(",") };
            format!("{scope}: {}", text.join(" "))
        };
        super::policies(&policies.into_iter().map(line).collect::<Vec<_>>().join("\n"))
    })
}

fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Deny => 0,
        Outcome::Approval => 1,
        Outcome::Allow => 2,
        Outcome::Uncertain => panic!("these requests say everything"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Every change of a decision for some teams is reported, at least for a subset of these teams,
    /// and every certain change that is reported exists, however soon the search ends.
    #[test]
    fn every_change_is_told_and_every_certain_change_is_one(
        old in state(),
        new in state(),
        evaluations in prop::sample::select(vec![0, 20, 200, EVALUATIONS]),
    ) {
        let changes = compare_within(&old, &new, evaluations);
        let (before, after) = (McpPolicies::new(&old), McpPolicies::new(&new));
        for bits in 0..8_usize {
            let teams: BTreeSet<String> =
                ["s", "t", "u"].iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1).map(|(_, team)| (*team).to_owned()).collect();
            for request in universe() {
                let [was, is] = [&before, &after].map(|policies| rank(policies.decide(&teams, &request).outcome));
                let told = changes.iter().any(|change| {
                    change.widens == (is > was) && change.teams.iter().all(|team| teams.contains(team))
                });
                prop_assert!(was == is || told, "{teams:?} {request} {was} {is}\n{changes:#?}");
            }
        }
        for change in changes {
            let Some(witness) = &change.witness else { continue };
            let teams = change.teams.iter().cloned().collect();
            let [was, is] = [&before, &after].map(|policies| rank(policies.decide(&teams, witness).outcome));
            prop_assert_eq!((is > was, is < was), (change.widens, !change.widens), "{:?}", change);
        }
    }
}
