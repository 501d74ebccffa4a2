//! The same proof for MCP policies, with Cedar's own engine as the evaluator: in no intermediate
//! state, a request gets further (denied, approved, allowed) than at one of the ends.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::capacity::drafts;
use super::order;
use super::proof::states;
use crate::access::cedar::{McpPolicies, McpRequest, Outcome, SCHEMA_URL};
use crate::model::{
    Body, Cedar, Desired, DesiredPolicy, Domain, Live, LiveBody, LivePolicy, Origin, Ownership,
    Policy, PolicyId, Scope,
};
use crate::plan::docker::diff::diff;
use crate::plan::docker::simulate::simulate;

const TEAMS: [&str; 3] = ["t1", "t2", "t3"];

const STATEMENTS: [&str; 6] = [
    r#"permit (principal, action, resource in MCP::Server::"a");"#,
    r#"permit (principal, action == MCP::Action::"invokeTool", resource) when { resource.readOnly };"#,
    r#"@requireApproval("ask") permit (principal, action == MCP::Action::"invokeTool", resource);"#,
    r#"@requireApproval("ask") permit (principal, action, resource in MCP::Server::"a");"#,
    r#"forbid (principal, action, resource in MCP::Server::"b");"#,
    r#"forbid (principal, action == MCP::Action::"invokeTool", resource) when { resource.destructive };"#,
];

const REQUESTS: [&str; 5] = [
    "invokeTool a/x",
    r#"invokeTool a/x {"readOnly": true, "destructive": false}"#,
    r#"invokeTool b/x {"readOnly": true, "destructive": false}"#,
    r#"invokeTool a/x {"destructive": false}"#,
    r#"register a {"type": "remote-dcr"}"#,
];

/// The result of a request: denied, approved first or allowed.
fn reach(policies: &McpPolicies, teams: &BTreeSet<String>, request: &McpRequest) -> usize {
    match policies.decide(teams, request).outcome {
        Outcome::Deny => 0,
        Outcome::Approval => 1,
        Outcome::Allow => 2,
        Outcome::Uncertain => panic!("these requests say everything"),
    }
}

/// An audience whose request gets further in a state than at both ends.
fn opening(old: &Live, new: &Live, now: &Live) -> Option<String> {
    let ready = |live: &Live| {
        McpPolicies::new(&live.policies.iter().map(LivePolicy::policy).collect::<Vec<_>>())
    };
    let [old, new, now] = [old, new, now].map(ready);
    let requests = REQUESTS.map(|text| (text, McpRequest::parse(text).expect(text)));
    (0..1_usize << TEAMS.len()).find_map(|bits| {
        let teams = TEAMS.iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1);
        let teams: BTreeSet<String> = teams.map(|(_, team)| (*team).to_owned()).collect();
        let opened = requests.iter().find(|(_, request)| {
            let [old, new, now] =
                [&old, &new, &now].map(|policies| reach(policies, &teams, request));
            now > old.max(new)
        });
        opened.map(|(text, _)| format!("{teams:?} {text}"))
    })
}

/// Generates up to three policies of one to three statements.
fn organization() -> impl Strategy<Value = Vec<Policy>> {
    let scope = prop::sample::subsequence(TEAMS.to_vec(), 0..=2)
        .prop_map(|teams| Scope::from_teams(teams.into_iter().map(str::to_owned)));
    let text =
        prop::sample::subsequence(STATEMENTS.to_vec(), 1..=3).prop_map(|list| list.join("\n"));
    prop::collection::vec(prop::option::weighted(0.7, (scope, text)), 3).prop_map(|policies| {
        let named =
            policies.into_iter().zip(1..).filter_map(|(policy, number)| Some((policy?, number)));
        named
            .map(|((scope, text), number)| {
                let body = Body::Cedar(Cedar { text, schema_url: SCHEMA_URL.to_owned() });
                Policy { name: format!("p{number}"), scope, body }
            })
            .collect()
    })
}

fn live(policies: &[Policy]) -> Live {
    let policies = policies.iter().map(|policy| {
        let Body::Cedar(cedar) = &policy.body else { panic!("these are Cedar") };
        LivePolicy {
            id: PolicyId(format!("pol_{}", policy.name)),
            name: policy.name.clone(),
            scope: policy.scope.clone(),
            body: LiveBody::Cedar(cedar.clone()),
        }
    });
    Live { org: "org".to_owned(), policies: policies.collect(), ..Live::default() }
}

fn desired(policies: &[Policy]) -> Desired {
    let policies = policies.iter().map(|policy| DesiredPolicy {
        policy: policy.clone(),
        domain: Domain::Mcp,
        previously: Vec::new(),
        orgs: Vec::new(),
        origin: Origin { file: "policies.yaml".to_owned(), line: 1, column: 1 },
        rules: Vec::new(),
    });
    Desired { policies: policies.collect(), vijil: Vec::new() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_call_gets_further_on_the_way(before in organization(), after in organization()) {
        let (old, new) = (live(&before), live(&after));
        let diff = diff(&desired(&after), &old, &Ownership { exclusive: true, ..Default::default() });
        let ordered = order(&diff, drafts(&diff));
        if ordered.refusal.is_none() {
            for state in states(&old, &ordered) {
                prop_assert_eq!(opening(&old, &new, &state), None, "{:#?}", ordered.drafts);
            }
        }
        let end = simulate(&old, ordered.drafts.iter().map(|(_, draft)| &draft.change));
        prop_assert_eq!(end.policies.len(), new.policies.len());
    }
}
