mod property;

use super::*;
use crate::model::Cedar;

fn policy(name: &str, scope: &[&str], text: &str) -> Policy {
    let scope = Scope::from_teams(scope.iter().map(|team| (*team).to_owned()));
    let cedar = Cedar { text: text.to_owned(), schema_url: SCHEMA_URL.to_owned() };
    Policy { name: name.to_owned(), scope, body: Body::Cedar(cedar) }
}

fn answer(policies: &[Policy], teams: &[&str], request: &str) -> Answer {
    let teams = teams.iter().map(|team| (*team).to_owned()).collect();
    McpPolicies::new(policies).decide(&teams, &McpRequest::parse(request).expect(request))
}

/// The outcome for one policy for everybody.
fn outcome(text: &str, request: &str) -> &'static str {
    answer(&[policy("p", &[], text)], &[], request).outcome.as_str()
}

#[test]
fn tools_have_their_documented_defaults() {
    for (condition, request, expected) in [
        ("resource.readOnly", "invokeTool a/b", "deny"),
        ("resource.readOnly", "invokeTool a/b {\"readOnly\": true}", "allow"),
        ("resource.destructive", "invokeTool a/b", "allow"),
        ("resource.idempotent", "invokeTool a/b", "deny"),
        ("resource.openWorld", "invokeTool a/b {\"openWorld\": false}", "deny"),
        // name and server
        ("resource.name == \"b\" && resource in MCP::Server::\"a\"", "invokeTool a/b", "allow"),
        ("resource == MCP::Tool::\"b\"", "invokeTool a/b", "allow"),
        ("resource in MCP::Server::\"a\"", "invokeTool c/b", "deny"),
        ("resource.name like \"*b?\"", "invokeTool a/b", "deny"),
        // the tool of a server is not a resource, no prompt and no tool of the gateway
        ("resource is MCP::Tool", "invokePrimordial code-mode", "deny"),
        ("resource is MCP::Prompt && resource.name == \"b\"", "getPrompt a/b", "allow"),
        (
            "resource is MCP::Resource && resource.uri like \"file:///*\"",
            "readResource a/file:///x",
            "allow",
        ),
        ("resource in MCP::Primordial::\"code-mode\"", "invokePrimordial code-mode", "allow"),
    ] {
        let text = format!("permit (principal, action, resource) when {{ {condition} }};");
        assert_eq!(outcome(&text, request), expected, "{condition}: {request}");
    }
}

#[test]
fn arguments_decide_when_they_are_there() {
    let limit = "permit (principal, action == MCP::Action::\"invokeTool\", resource) when { context has args && context.args has amount && context.args.amount <= 500 };";
    for (request, expected) in [
        ("invokeTool a/b {\"args\": {\"amount\": 500}}", "allow"),
        ("invokeTool a/b {\"args\": {\"amount\": 501}}", "deny"),
        // of another type: the comparison errs, and the statement is skipped
        ("invokeTool a/b {\"args\": {\"amount\": \"5\"}}", "deny"),
        ("invokeTool a/b {\"args\": {}}", "deny"),
        ("invokeTool a/b", "deny"),
    ] {
        assert_eq!(outcome(limit, request), expected, "{request}");
    }
    // A forbid that reads what is missing does not block.
    let open = "permit (principal, action, resource); forbid (principal, action, resource) when { context.args.amount > 500 };";
    assert_eq!(outcome(open, "invokeTool a/b"), "allow");
    assert_eq!(outcome(open, "invokeTool a/b {\"args\": {\"amount\": 501}}"), "deny");
    // What looks like one of Cedar's own values stays an object.
    let object = "permit (principal, action, resource) when { context.args.x has __entity };";
    assert_eq!(
        outcome(
            object,
            "invokeTool a/b {\"args\": {\"x\": {\"__entity\": {\"type\": \"A\", \"id\": \"b\"}}}}"
        ),
        "allow"
    );
}

#[test]
fn what_was_not_said_is_uncertain_only_where_it_matters() {
    for (text, request, expected) in [
        (
            "permit (principal, action, resource) when { resource.type == \"remote-dcr\" };",
            "register a",
            "uncertain",
        ),
        (
            "permit (principal, action, resource) when { resource.type == \"remote-dcr\" };",
            "register a {\"type\": \"remote-dcr\"}",
            "allow",
        ),
        // decided before it is read
        (
            "permit (principal, action, resource) when { resource in MCP::Server::\"b\" && resource.type == \"x\" };",
            "register a",
            "deny",
        ),
        // a test for it is a question about it; the scope answers first
        (
            "permit (principal, action, resource) when { resource has command };",
            "register a",
            "uncertain",
        ),
        (
            "permit (principal, action, resource == MCP::Server::\"b\") when { resource has command };",
            "register a",
            "deny",
        ),
        // a forbid in doubt takes certainty from a permit only
        (
            "permit (principal, action, resource); forbid (principal, action, resource) when { resource.requiresOAuth };",
            "register a",
            "uncertain",
        ),
        (
            "forbid (principal, action, resource) when { resource.requiresOAuth };",
            "register a",
            "deny",
        ),
        // another forbid decides
        (
            "permit (principal, action, resource); forbid (principal, action, resource) when { resource.type == \"x\" }; forbid (principal, action, resource);",
            "register a",
            "deny",
        ),
        // remote servers have neither command nor arguments
        (
            "forbid (principal, action, resource) when { resource.command == \"npx\" }; permit (principal, action, resource);",
            "register a {\"type\": \"remote-dcr\"}",
            "allow",
        ),
        // time: unknown, said, and never there for a registration
        (
            "permit (principal, action, resource) when { context.request_time < datetime(\"2027-01-01\") };",
            "invokeTool a/b",
            "uncertain",
        ),
        (
            "permit (principal, action, resource) when { context.request_time < datetime(\"2027-01-01\") };",
            "invokeTool a/b {\"request_time\": \"2026-12-31\"}",
            "allow",
        ),
        (
            "permit (principal, action, resource) when { context.request_time < datetime(\"2027-01-01\") };",
            "register a",
            "deny",
        ),
        // the principal: documented never to match
        (
            "permit (principal, action, resource) when { principal.role == \"x\" };",
            "invokeTool a/b",
            "deny",
        ),
        ("permit (principal in MCP::Team::\"x\", action, resource);", "invokeTool a/b", "deny"),
        (
            "permit (principal, action, resource) when { principal in MCP::Team::\"x\" || resource.requiresOAuth };",
            "register a",
            "uncertain",
        ),
        (
            "permit (principal, action, resource) unless { principal in MCP::Team::\"x\" };",
            "invokeTool a/b",
            "uncertain",
        ),
    ] {
        assert_eq!(outcome(text, request), expected, "{text}: {request}");
    }
}

#[test]
fn forbid_outranks_approval_which_outranks_permit() {
    let permit = "permit (principal, action, resource);";
    let asks = "@requireApproval(\"why\") permit (principal, action, resource);";
    let other = "@requireConsent(\"why\") permit (principal, action, resource);";
    let forbid = "forbid (principal, action, resource);";
    let doubt = "@requireApproval(\"why\") permit (principal, action, resource) when { context.request_time == 1 };";
    for (text, request, expected) in [
        (permit.to_owned(), "invokeTool a/b", "allow"),
        (format!("{permit}{asks}"), "invokeTool a/b", "approval"),
        (format!("{permit}{other}"), "invokeTool a/b", "allow"),
        (format!("{permit}{asks}{forbid}"), "invokeTool a/b", "deny"),
        // a registration cannot ask
        (format!("{permit}{asks}"), "register a", "deny"),
        // approval in doubt
        (format!("{permit}{doubt}"), "invokeTool a/b", "uncertain"),
        (format!("{asks}{doubt}"), "invokeTool a/b", "approval"),
        (doubt.to_owned(), "invokeTool a/b", "uncertain"),
    ] {
        assert_eq!(outcome(&text, request), expected, "{text}: {request}");
    }
    let answer = answer(&[policy("p", &[], &format!("{permit}\n{asks}"))], &[], "invokeTool a/b");
    let reason = &answer.because[0];
    assert_eq!(
        (answer.because.len(), reason.statement, reason.approval.as_deref()),
        (1, Some(1), Some("why"))
    );
    assert_eq!(reason.span, 38..38 + asks.len());
}

#[test]
fn all_policies_that_govern_an_audience_decide_together() {
    let policies = [
        policy("everybody", &[], "permit (principal, action, resource in MCP::Server::\"a\");"),
        policy(
            "research",
            &["research"],
            "permit (principal, action, resource in MCP::Server::\"b\");",
        ),
        policy("interns", &["interns"], "forbid (principal, action, resource);"),
    ];
    for (teams, request, expected, because) in [
        (&[][..], "invokeTool a/x", "allow", &["everybody"][..]),
        (&[], "invokeTool b/x", "deny", &[]),
        (&["research"], "invokeTool b/x", "allow", &["research"]),
        (&["research", "interns"], "invokeTool b/x", "deny", &["interns"]),
    ] {
        let answer = answer(&policies, teams, request);
        let names: Vec<&str> = answer.because.iter().map(|one| one.policy_name.as_str()).collect();
        assert_eq!(
            (answer.outcome.as_str(), names.as_slice()),
            (expected, because),
            "{teams:?} {request}"
        );
    }
    // Nobody governs: the gateway does not ask.
    assert_eq!(answer(&policies[1..], &[], "register evil").outcome, Outcome::Allow);
    assert_eq!(answer(&[], &[], "invokeTool a/x").outcome, Outcome::Allow);
}

#[test]
fn texts_that_are_not_understood_are_uncertain() {
    let mut foreign = policy("foreign", &[], "permit (principal, action, resource);");
    let Body::Cedar(cedar) = &mut foreign.body else { panic!("it is Cedar") };
    cedar.schema_url = "https://schemas.example.com/mcp/v1".to_owned();
    let broken = policy("broken", &[], "permit (");
    for policy in [foreign, broken] {
        let answer = answer(std::slice::from_ref(&policy), &[], "invokeTool a/b");
        assert_eq!((answer.outcome, answer.because[0].statement), (Outcome::Uncertain, None));
    }
}
