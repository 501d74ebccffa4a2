//! Findings in Cedar texts, in tables.

use super::examine;

/// The findings as `code: text of the place`.
fn found(text: &str) -> Vec<String> {
    examine(text)
        .iter()
        .map(|finding| format!("{}: {}", finding.code, &text[finding.start..finding.end]))
        .collect()
}

const TOOL: &str = r#"permit (principal, action == MCP::Action::"invokeTool", resource)"#;
const REGISTER: &str = r#"permit (principal, action == MCP::Action::"register", resource)"#;

fn tool(condition: &str) -> String {
    format!("{TOOL} when {{ {condition} }};")
}

fn register(condition: &str) -> String {
    format!("{REGISTER} when {{ {condition} }};")
}

/// Each finding is the one expected; an expectation that ends after its code says nothing of the
/// place.
fn expect(text: &str, expected: &[&str]) {
    let found = found(text);
    let fits = |(one, other): (&String, &&str)| {
        if other.ends_with(": ") { one.starts_with(other) } else { one == other }
    };
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(fits),
        "{text}\n{found:#?}"
    );
}

#[test]
fn correct_policies_have_no_findings() {
    for text in [
        // the patterns of the vendor's manual
        r#"permit (principal, action == MCP::Action::"register", resource)
           when { resource in MCP::Server::"example" && resource.identityURL == "https://mcp.example.com/mcp" };
           permit (principal, action == MCP::Action::"invokeTool", resource)
           when { resource in MCP::Server::"example" && resource.readOnly == true };
           permit (principal, action == MCP::Action::"readResource", resource)
           when { resource in MCP::Server::"example" };
           permit (principal, action == MCP::Action::"getPrompt", resource)
           when { resource in MCP::Server::"example" };"#,
        r#"@requireApproval("non-read-only tool call")
           permit (principal, action == MCP::Action::"invokeTool", resource)
           when { resource in MCP::Server::"example" && resource.readOnly == false };"#,
        r#"forbid (principal, action == MCP::Action::"register", resource) when { resource.type == "local-stdio" };"#,
        r#"forbid (principal, action == MCP::Action::"invokePrimordial", resource)
           when { resource in MCP::Primordial::"example-authorize" };"#,
        r#"permit (principal, action == MCP::Action::"invokeTool", resource)
           when { resource.name == "approve_expense" && context has args && context.args has amount
                  && context.args.amount <= 500 };"#,
    ] {
        expect(text, &[]);
    }
    for condition in [
        // guards in other forms: extended `has`, `if`, a clause of its own
        "context has args.amount && context.args.amount <= 500",
        r#"if context has args.path then context.args.path like "/data/*" else false"#,
        "context has args && context.args has amount } when { context.args.amount <= 500",
        // guards that say what must not be missing
        "!(context has args) || !(context.args has n) || context.args.n > 5",
        "!(context has args.n) || context.args.n > 5",
        "!(!(context has args.n) || context.args.n > 5)",
        "resource.readOnly || !(context has args && context.args has n) || context.args.n > 5 && context.args.n < 9",
        "context has args.n } unless { !(context has args.n) || context.args.n > 5",
        // guards in front of what is used as two types
        r#"context has args.x && decimal(context.args.x).lessThan(decimal("1.0")) && context.args.x like "1*""#,
        r#"context has args.x && ip(context.args.x).isLoopback() && context.args.x != "::1""#,
        r#"context has args.x && datetime(context.args.x) < datetime("2027-01-01") && context.args.x != "2026""#,
        r#"context has args.x && (context.args.x == 5 || context.args.x == "5") && context.args.x != 7"#,
        // guards of both branches, or of the only one that goes on
        "(if resource.readOnly then context has args.n else context has args.n) && context.args.n > 5",
        r#"(if context has args.x then ip(context.args.x).isLoopback() else false) && context.args.x like "1*""#,
        // arguments of any type, also of two, and extension types made of them
        r#"context has args.x && (context.args.x == 1 || context.args.x == "one")"#,
        "context has args.host && ip(context.args.host).isLoopback()",
        "context has args.x && [1, 2].contains(context.args.x)",
        "context has args.x && context.args.x.contains(5)",
        "context has args.x && context has args.y && context.args.x == context.args.y",
        // a request time of whatever type
        r#"context.request_time < datetime("2027-01-01")"#,
        "context.request_time > 1700000000",
    ] {
        expect(&tool(condition), &[]);
    }
    for condition in [
        // what strict validation refuses and evaluation does not
        "resource.args == []",
        // attributes that are always there may be tested for
        r#"resource has command && resource.command == "npx" && resource.args.contains("-y")"#,
    ] {
        expect(&register(condition), &[]);
    }
    for text in [
        // guards where several actions are meant
        r#"forbid (principal, action, resource) when { resource has type && resource.type == "local-stdio" };"#,
        "forbid (principal, action, resource) when { resource is MCP::Tool && resource.destructive };",
        r#"forbid (principal, action, resource in MCP::Server::"x");"#,
        // an escaped wildcard, other annotations
        r#"@reason("x") @approved_by("y") permit (principal, action == MCP::Action::"readResource", resource)
           when { resource.uri like "file:///\*/*" };"#,
    ] {
        expect(text, &[]);
    }
}

#[test]
fn texts_that_the_service_refuses() {
    expect("permit (principal, action, resource) when { x };", &["cedar-syntax: x"]);
    expect("// nothing\n", &["cedar-empty: // nothing\n"]);
    expect(&format!("@id(\"a\") {TOOL};"), &["cedar-id: @id(\"a\")"]);
    expect("permit (principal == ?principal, action, resource);", &["cedar-template: "]);
}

#[test]
fn approval_works_on_a_permit_by_its_exact_name_with_a_reason() {
    expect(&format!("@requireApproval(\"x\") {TOOL};"), &[]);
    let forbid = r#"@requireApproval("x") forbid (principal, action, resource);"#;
    expect(forbid, &[r#"mcp-approval-on-forbid: @requireApproval("x")"#]);
    for reason in ["(\" \")", "(\"\")", ""] {
        let expected = format!("mcp-approval-reason: @requireApproval{reason}");
        expect(&format!("@requireApproval{reason} {TOOL};"), &[&expected]);
    }
    for name in [
        "requireConsent",
        "requireConfirmation",
        "require_approval",
        "RequireApproval",
        "approval",
        "requireAproval",
    ] {
        let expected = format!("mcp-approval-name: @{name}(\"x\")");
        expect(&format!("@{name}(\"x\") {TOOL};"), &[&expected]);
    }
    // A registration cannot ask.
    let asks = format!("@requireApproval(\"x\") {REGISTER};");
    expect(&asks, &[r#"mcp-approval-on-register: @requireApproval("x")"#]);
    let all = r#"@requireApproval("x") permit (principal, action, resource);"#;
    expect(
        all,
        &[r#"mcp-approval-on-register: @requireApproval("x")"#, "mcp-every-action: action"],
    );
    // The condition keeps it off registrations: only tools have `readOnly`.
    let tools = r#"@requireApproval("x") permit (principal, action, resource) when { resource has readOnly && !resource.readOnly };"#;
    expect(tools, &[]);
}

#[test]
fn what_does_not_exist_or_does_not_fit_is_found_at_its_place() {
    for (text, expected) in [
        // actions: another name, no namespace, in a condition
        (
            r#"permit (principal, action == MCP::Action::"call_tool", resource);"#.to_owned(),
            r#"mcp-unknown-action: MCP::Action::"call_tool""#,
        ),
        (
            r#"permit (principal, action in [MCP::Action::"call_tool", MCP::Action::"invokeTool"], resource);"#
                .to_owned(),
            r#"mcp-unknown-action: MCP::Action::"call_tool""#,
        ),
        (
            r#"permit (principal, action == Action::"invokeTool", resource);"#.to_owned(),
            r#"mcp-unknown-action: Action::"invokeTool""#,
        ),
        (tool(r#"action == MCP::Action::"invoke""#), r#"mcp-unknown-action: MCP::Action::"invoke""#),
        // entity types
        (tool(r#"resource in MCP::ServerGroup::"x""#), "mcp-unknown-type: MCP::ServerGroup"),
        // attributes: misspelt, of another type, of the context, behind a guard that says nothing
        // about it
        (tool("resource.redOnly"), "mcp-unknown-attribute: resource.redOnly"),
        (tool(r#"resource.uri like "x""#), "mcp-unknown-attribute: resource.uri"),
        (tool("context.arg has x"), "mcp-unknown-attribute: context.arg"),
        (
            tool(r#"context has args.x && context.args.x == 1 && resource.nme == "x""#),
            "mcp-unknown-attribute: resource.nme",
        ),
        // types
        (tool(r#"resource.readOnly == "true""#), r#"mcp-type-mismatch: resource.readOnly == "true""#),
        (tool("resource.name < 3"), "mcp-type-mismatch: resource.name < 3"),
        (tool(r#"ip("300.1.1.1").isIpv4()"#), r#"mcp-type-mismatch: ip("300.1.1.1").isIpv4()"#),
        (tool(r#"resource.name.contains("x")"#), r#"mcp-contains-on-string: resource.name.contains("x")"#),
        (
            register(r#"resource.command.containsAny(["x"])"#),
            r#"mcp-contains-on-string: resource.command.containsAny(["x"])"#,
        ),
    ] {
        expect(&text, &[expected]);
    }
}

#[test]
fn traps_are_found_at_their_place() {
    for (text, expected) in [
        // an attribute that only some resources have: where it errs, a forbid is skipped
        (
            r#"forbid (principal, action, resource) when { resource.name == "rm" };"#.to_owned(),
            "mcp-attribute-of-others: resource.name",
        ),
        // the principal, in the scope and in conditions
        (r#"forbid (principal in MCP::Team::"x", action, resource);"#.to_owned(), "mcp-principal: principal"),
        (tool(r#"principal.role == "admin""#), "mcp-principal: principal"),
        (tool(r#"principal has role"#), "mcp-principal: principal"),
        // actions that are not gated
        (
            r#"forbid (principal, action == MCP::Action::"listTools", resource);"#.to_owned(),
            r#"mcp-ungated-action: "listTools""#,
        ),
        // the time of a registration, alone and among others
        (register(r#"context.request_time < datetime("2027-01-01")"#), "mcp-register-time: context.request_time"),
        (
            r#"forbid (principal, action, resource) when { context.request_time < datetime("2027-01-01") };"#
                .to_owned(),
            "mcp-register-time: context.request_time",
        ),
        // arguments: no guard, half a guard, the other half
        (tool("context.args.amount < 5"), "mcp-unguarded-argument: context.args.amount"),
        (tool("context has args && context.args.amount < 5"), "mcp-unguarded-argument: context.args.amount"),
        (tool("context.args has amount"), "mcp-unguarded-argument: context.args"),
        (tool("!(context has args) || context.args.n > 5"), "mcp-unguarded-argument: context.args.n"),
        (tool("context has args.n || context.args.n > 5"), "mcp-unguarded-argument: context.args.n"),
        (tool("if context has args.n then true else context.args.n > 5"), "mcp-unguarded-argument: context.args.n"),
        (tool("!(context has args.m) || context.args.n > 5"), "mcp-unguarded-argument: context.args.n"),
        (tool("!(context has args.n) && context.args.n > 5"), "mcp-unguarded-argument: context.args.n"),
        (tool("(resource.readOnly || context has args.n) && context.args.n > 5"), "mcp-unguarded-argument: context.args.n"),
        (tool("(if resource.readOnly then context has args.n else true) && context.args.n > 5"), "mcp-unguarded-argument: context.args.n"),
        // patterns
        (tool(r#"resource.name like "get_?""#), r#"mcp-like-question-mark: "get_?""#),
        // types of servers, on either side and in a list
        (register(r#"resource.type == "stdio""#), r#"mcp-server-type: "stdio""#),
        (register(r#"!("remote" != resource.type)"#), r#"mcp-server-type: "remote""#),
        (register(r#"["local-stdio", "sse"].contains(resource.type)"#), r#"mcp-server-type: "sse""#),
        // what matches nothing
        (tool(r#"resource in MCP::Primordial::"code-mode""#), "mcp-never-matches: "),
        (tool("resource has nam"), "mcp-never-matches: "),
        // a permit without an action
        ("permit (principal, action, resource);".to_owned(), "mcp-every-action: action"),
        (r#"permit (principal, action, resource in MCP::Server::"x");"#.to_owned(), "mcp-every-action: action"),
    ] {
        expect(&text, &[expected]);
    }
}

#[test]
fn a_permit_that_a_forbid_covers() {
    let permit = r#"permit (principal, action == MCP::Action::"invokeTool", resource == MCP::Tool::"x") when { resource.readOnly && resource.name like "get*" };"#;
    for (forbid, covered) in [
        // everything, the action, the action among others
        ("forbid (principal, action, resource);", true),
        (r#"forbid (principal, action == MCP::Action::"invokeTool", resource);"#, true),
        (
            r#"forbid (principal, action in [MCP::Action::"register", MCP::Action::"invokeTool"], resource);"#,
            true,
        ),
        (r#"forbid (principal, action == MCP::Action::"register", resource);"#, false),
        // the resource, by wider scopes
        (r#"forbid (principal, action, resource in MCP::Tool::"x");"#, true),
        ("forbid (principal, action, resource is MCP::Tool);", true),
        (r#"forbid (principal, action, resource == MCP::Tool::"y");"#, false),
        ("forbid (principal, action, resource is MCP::Prompt);", false),
        // some of the conditions, in another order, and another condition
        (
            r#"forbid (principal, action == MCP::Action::"invokeTool", resource) when { resource.name like "get*" };"#,
            true,
        ),
        (
            r#"forbid (principal, action == MCP::Action::"invokeTool", resource) when { resource.name like "get*" && (resource.readOnly) };"#,
            true,
        ),
        (
            r#"forbid (principal, action == MCP::Action::"invokeTool", resource) when { resource.name like "set*" };"#,
            false,
        ),
        (
            r#"forbid (principal, action == MCP::Action::"invokeTool", resource) unless { resource.readOnly };"#,
            false,
        ),
    ] {
        let found = found(&format!("{permit}\n{forbid}"));
        assert_eq!(
            found.iter().any(|finding| finding.starts_with("mcp-shadowed-permit: permit")),
            covered,
            "{forbid}\n{found:#?}"
        );
    }
}

#[test]
fn advice_names_what_is_meant() {
    for (text, advice) in [
        (
            r#"permit (principal, action == MCP::Action::"call_tool", resource);"#.to_owned(),
            r#"did you mean `MCP::Action::"invokeTool"`? the actions are `register`, `invokeTool`, `invokePrimordial`, `readResource`, `getPrompt`"#,
        ),
        (
            r#"permit (principal, action == MCP::Action::"read_resource", resource);"#.to_owned(),
            r#"did you mean `MCP::Action::"readResource"`? the actions are `register`, `invokeTool`, `invokePrimordial`, `readResource`, `getPrompt`"#,
        ),
        (
            r#"permit (principal, action == Action::"invokeTool", resource);"#.to_owned(),
            r#"did you mean `MCP::Action::"invokeTool"`? the actions are `register`, `invokeTool`, `invokePrimordial`, `readResource`, `getPrompt`"#,
        ),
        (
            tool("resource.redOnly"),
            "did you mean `readOnly`? the choices are `destructive`, `idempotent`, `name`, `openWorld`, `readOnly`",
        ),
        (
            r#"permit (principal, action == MCP::Action::"readResource", resource) when { resource.name == "x" };"#
                .to_owned(),
            "`name` is an attribute of `MCP::Tool` and `MCP::Prompt`",
        ),
        (
            r#"permit (principal, action == MCP::Action::"invokePrimordial", resource) when { resource.nme == "x" };"#
                .to_owned(),
            r#"compare the whole: `resource == MCP::Primordial::"name"`"#,
        ),
        (
            tool("context.args.a.b == 1"),
            "put `context has args && context.args has a && context.args.a has b &&` in front",
        ),
        (tool(r#"resource.name.contains("x")"#), r#"write `resource.name like "*…*"`"#),
        (tool(r#"resource.name in ["a", "b"]"#), r#"write `["a", "b"].contains(resource.name)`"#),
        (tool(r#"resource.server == "a""#), r#"name the server as an entity: `resource in MCP::Server::"name"`"#),
        (
            r#"permit (principal, action == MCP::Action::"invokeTool", resource == MCP::Server::"a");"#.to_owned(),
            r#"what a server offers is in it: write `resource in MCP::Server::"a"`"#,
        ),
        // Only servers have a type, so that the compared one says nothing about the mistake.
        (tool(r#"resource.type == "remote""#), "`type` is an attribute of `MCP::Server`"),
        (tool("resource.args.amount > 5"), "the arguments of a call are in `context.args`"),
        (tool("context.arguments.amount > 5"), "did you mean `context.args`?"),
        (
            tool("resource has redOnly && resource.redOnly"),
            "`resource has redOnly` never holds: did you mean `readOnly`? the choices are `destructive`, `idempotent`, `name`, `openWorld`, `readOnly`",
        ),
        (
            tool("context has arg && context.arg.amount > 5"),
            "`context has arg` never holds: did you mean `context has args`?",
        ),
        (
            tool(r#"resource in MCP::ServerGroup::"x""#),
            "groups of servers are not supported; name the servers one by one",
        ),
    ] {
        assert_eq!(examine(&text).into_iter().map(|finding| finding.help).collect::<Vec<_>>(), [advice], "{text}");
    }
}

#[test]
fn operands_of_a_wrong_kind_are_told_with_the_correction() {
    for (text, message, help) in [
        (
            "permit (principal, action == MCP::\nAction::\"run\", resource);".to_owned(),
            "there is no action `MCP:: Action::\"run\"`; the statement never matches",
            "the actions are `register`, `invokeTool`, `invokePrimordial`, `readResource`, `getPrompt`",
        ),
        (
            tool(
                r#"context has args.x && decimal(context.args.x).lessThan(decimal("1.0")) && context.args.x == 5"#,
            ),
            "`context.args.x` is taken for a number here and for text elsewhere: one of the two errs or never holds",
            "compare it as one of the two; write a statement for each where it can be either",
        ),
        (
            tool(
                r#"context has args.x && context.args == context.args.x && context.args.x like "a*""#,
            ),
            "`context.args.x` is taken for text here and for a record elsewhere: one of the two errs or never holds",
            "compare it as one of the two; write a statement for each where it can be either",
        ),
        (
            tool(r#""2027-01-01" < datetime("2027-02-01")"#),
            "`<` has no order for `\"2027-01-01\"`, which is text, and `datetime(\"2027-02-01\")`, which is a time: the statement is skipped",
            "write `datetime(\"2027-01-01\") < datetime(\"2027-02-01\")`",
        ),
        (
            register(r#"resource.args.containsAll("x")"#),
            "`\"x\"` is text, and `.containsAll()` takes a set: the statement is skipped",
            "write `resource.args.contains(\"x\")`",
        ),
        (
            tool(r#"context has args && context.args.contains("a b")"#),
            "`context.args` is a record, and `.contains()` looks into sets: the statement is skipped",
            "write `context.args has NAME`",
        ),
        (
            tool(r#"context has args && context.args.contains("a")"#),
            "`context.args` is a record, and `.contains()` looks into sets: the statement is skipped",
            "write `context.args has a`",
        ),
    ] {
        let found: Vec<_> =
            examine(&text).into_iter().map(|finding| (finding.message, finding.help)).collect();
        assert_eq!(found, [(message.to_owned(), help.to_owned())], "{text}");
    }
}

/// Within the limits, the validator and the searches have enough stack.
#[test]
fn large_statements_are_examined() {
    let condition = vec!["resource.readOnly"; super::MAX_OPERATORS / 2 - 1].join(" && ");
    expect(&tool(&condition), &[]);
    let nested = format!("{}resource.readOnly{}", "(".repeat(90), ")".repeat(90));
    expect(&tool(&nested), &[]);
}
