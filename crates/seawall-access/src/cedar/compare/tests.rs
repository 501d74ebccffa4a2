mod property;

use super::*;
use crate::model::Cedar;

/// `org: text` or `a,b: text`, a policy a line.
fn policies(text: &str) -> Vec<Policy> {
    let policy = |(number, line): (usize, &str)| {
        let (scope, text) = line.trim().split_once(": ").expect("a scope");
        let teams = scope.split(',').filter(|team| *team != "org").map(str::to_owned);
        let cedar = Cedar { text: text.to_owned(), schema_url: SCHEMA_URL.to_owned() };
        Policy {
            name: format!("p{number}"),
            scope: Scope::from_teams(teams),
            body: Body::Cedar(cedar),
        }
    };
    text.lines().filter(|line| !line.trim().is_empty()).enumerate().map(policy).collect()
}

/// `+` or `-`, `?` where it is not certain; audience and witness.
fn lines(old: &str, new: &str) -> Vec<String> {
    let line = |change: McpChange| {
        let sign = if change.widens { '+' } else { '-' };
        let witness = change.witness.map_or("?".to_owned(), |request| request.to_string());
        format!("{sign} [{}] {} | {witness}", change.teams.join("+"), change.access)
    };
    compare(&policies(old), &policies(new)).into_iter().map(line).collect()
}

#[test]
fn what_means_the_same_is_no_change() {
    let tool = r#"permit (principal, action == MCP::Action::"invokeTool", resource)"#;
    for (old, new) in [
        // layout, comments, order, a statement said twice
        (
            format!("org: {tool}; forbid (principal, action, resource);"),
            format!("org: forbid(principal,action,resource); {tool}; {tool};"),
        ),
        // the same in other policies
        (
            format!("org: {tool}; forbid (principal, action, resource);"),
            format!("org: {tool};\norg: forbid (principal, action, resource);"),
        ),
        // a scope said twice
        (format!("org: {tool};"), format!("org: {tool};\na: {tool};")),
        // covered by a wider permit, and by a forbid
        (format!("org: {tool};"), format!("org: {tool}; {tool} when {{ resource.readOnly }};")),
        (
            format!("org: forbid (principal, action, resource); {tool};"),
            "org: forbid (principal, action, resource);".to_owned(),
        ),
        // a forbid where nothing is permitted
        (
            r#"org: forbid (principal, action, resource in MCP::Server::"a");"#.to_owned(),
            r#"org: forbid (principal, action, resource in MCP::Server::"b");"#.to_owned(),
        ),
        // from nothing to everything
        (String::new(), "org: permit (principal, action, resource);".to_owned()),
    ] {
        assert_eq!(lines(&old, &new), [""; 0], "{old}\n{new}");
    }
}

#[test]
fn changes_are_proven_by_a_request() {
    let tool = r#"permit (principal, action == MCP::Action::"invokeTool", resource)"#;
    let asks = format!("@requireApproval(\"x\") {tool}");
    for (old, new, expected) in [
        // each example meets the conditions of what it is an example of
        (
            String::new(),
            format!(
                "org: {tool} when {{ resource.readOnly }}; forbid (principal, action, resource in \
                 MCP::Server::\"a\"); {} when {{ resource.name like \"delete_*\" }};",
                tool.replace("permit", "forbid")
            ),
            &[
                "- [] mcp register, invokePrimordial, readResource, getPrompt | register a",
                "- [] mcp invokeTool except where resource.readOnly | invokeTool a/delete_",
                r#"- [] mcp invokeTool where resource.name like "delete_*" && resource.readOnly | invokeTool a/delete_ {"readOnly":true}"#,
                r#"- [] mcp invokeTool a/* where resource.readOnly | invokeTool a/delete_ {"readOnly":true}"#,
            ][..],
        ),
        // a permit comes, and goes
        (
            format!("org: {tool} when {{ resource.readOnly }};"),
            format!("org: {tool};"),
            &["+ [] mcp invokeTool except where resource.readOnly | invokeTool other-server/other"]
                [..],
        ),
        (
            format!("org: {tool};"),
            format!("org: {tool} when {{ resource.readOnly && resource in MCP::Server::\"a\" }};"),
            &[
                "- [] mcp invokeTool except a/* where resource.readOnly | invokeTool other-server/other",
            ],
        ),
        // an example of a description is none of its exceptions
        (
            String::new(),
            format!(
                "org: {tool} when {{ resource.name == \"get\" }}; forbid (principal, action == MCP::Action::\"invokeTool\", resource in MCP::Server::\"evil\");"
            ),
            &[
                "- [] mcp register, invokePrimordial, readResource, getPrompt | register evil",
                "- [] mcp invokeTool except */get | invokeTool evil/other",
                "- [] mcp invokeTool evil/get | invokeTool evil/get",
            ],
        ),
        // a forbid comes for a team
        (
            format!("org: {tool};"),
            format!(
                "org: {tool};\na: forbid (principal, action, resource) when {{ resource.name like \"rm*\" }};"
            ),
            &["- [a] mcp invokeTool where resource.name like \"rm*\" | invokeTool other-server/rm"],
        ),
        // permit and forbid of different teams meet in a pair
        (
            format!(
                "a: {tool};\nb: forbid (principal, action, resource); permit (principal, action == MCP::Action::\"getPrompt\", resource);"
            ),
            format!(
                "a: {tool};\nb: permit (principal, action == MCP::Action::\"getPrompt\", resource);"
            ),
            &[
                "+ [b] mcp getPrompt | getPrompt other-server/other",
                "+ [a+b] mcp invokeTool, getPrompt | invokeTool other-server/other",
            ],
        ),
        // approval takes and gives
        (
            format!("org: {tool};"),
            format!("org: {tool}; {asks};"),
            &["- [] mcp invokeTool | invokeTool other-server/other"],
        ),
        (format!("org: {asks};"), format!("org: {asks}; {tool};"), &[]),
        (
            format!("org: {tool}; {asks};"),
            format!("org: {tool};"),
            &["+ [] mcp invokeTool | invokeTool other-server/other"],
        ),
        (
            r#"org: permit (principal, action == MCP::Action::"getPrompt", resource);"#.to_owned(),
            format!(
                "org: permit (principal, action == MCP::Action::\"getPrompt\", resource); {asks};"
            ),
            &["+ [] mcp invokeTool | invokeTool other-server/other"],
        ),
        // approval of what no permit reaches takes nothing
        (
            format!("org: {tool} when {{ resource.readOnly == true }};"),
            format!(
                "org: {tool} when {{ resource.readOnly == true }}; {asks} when {{ resource.readOnly == false }};"
            ),
            &[
                "+ [] mcp invokeTool where resource.readOnly == false | invokeTool other-server/other",
            ],
        ),
        // no policy any more, and the first one
        (
            format!("org: {tool};"),
            String::new(),
            &[
                "+ [] mcp register, invokePrimordial, readResource, getPrompt | register other-server",
            ],
        ),
        (
            String::new(),
            format!("a: {tool};"),
            &[
                "- [a] mcp register, invokePrimordial, readResource, getPrompt | register other-server",
            ],
        ),
        // one tool, on any server, of those of an action
        (
            String::new(),
            format!("org: {};", tool.replace("resource)", "resource == MCP::Tool::\"WebFetch\")")),
            &[
                "- [] mcp register, invokePrimordial, readResource, getPrompt | register other-server",
                "- [] mcp invokeTool except */WebFetch | invokeTool other-server/other",
            ],
        ),
        (
            "org: forbid (principal, action, resource);".to_owned()
                + r#" permit (principal, action == MCP::Action::"getPrompt", resource);"#,
            r#"org: permit (principal, action == MCP::Action::"getPrompt", resource);"#.to_owned(),
            &["+ [] mcp getPrompt | getPrompt other-server/other"],
        ),
        (
            r#"org: permit (principal, action == MCP::Action::"getPrompt", resource);"#.to_owned(),
            format!(
                "org: permit (principal, action == MCP::Action::\"getPrompt\", resource); {};",
                tool.replace("resource)", "resource == MCP::Tool::\"WebFetch\")")
            ),
            &["+ [] mcp invokeTool */WebFetch | invokeTool other-server/WebFetch"],
        ),
        // numbers
        (
            format!("org: {tool} when {{ context has args.n && context.args.n <= 500 }};"),
            format!("org: {tool} when {{ context has args.n && context.args.n < 500 }};"),
            &[
                "- [] mcp invokeTool where context has args.n && context.args.n <= 500 except where context.args.n < 500 | invokeTool other-server/other {\"args\":{\"n\":500}}",
            ],
        ),
    ] {
        assert_eq!(lines(&old, &new), expected, "{old}\n{new}");
    }
}

#[test]
fn a_condition_that_gets_an_alternative_only_widens() {
    let tool = r#"permit (principal, action == MCP::Action::"invokeTool", resource)"#;
    let forbid = r#"forbid (principal, action == MCP::Action::"invokeTool", resource)"#;
    let all = "permit (principal, action, resource)";
    let (read, named) = ("resource.readOnly", r#"resource.name == "x""#);
    for (less, more, widens) in [
        (
            format!("org: {tool} when {{ {read} }};"),
            format!("org: {tool} when {{ {read} || {named} }};"),
            true,
        ),
        // before the old one
        (
            format!("org: {tool} when {{ {read} }};"),
            format!("org: {tool} when {{ {named} || {read} }};"),
            true,
        ),
        (
            format!("org: {tool} when {{ {read} && {named} }};"),
            format!("org: {tool} when {{ {read} }};"),
            true,
        ),
        (
            format!("org: {all}; {forbid} when {{ {read} && {named} }};"),
            format!("org: {all}; {forbid} when {{ {read} }};"),
            false,
        ),
        (
            format!("org: {all}; {forbid} unless {{ {read} || {named} }};"),
            format!("org: {all}; {forbid} unless {{ {read} }};"),
            false,
        ),
    ] {
        let sign = |widens| if widens { '+' } else { '-' };
        for (old, new, widens) in [(&less, &more, widens), (&more, &less, !widens)] {
            let found = lines(old, new);
            assert!(
                found.iter().all(|line| line.starts_with(sign(widens)) && !line.ends_with('?')),
                "{old}\n{new}\n{found:#?}"
            );
            assert_eq!(found.len(), 1, "{old}\n{new}\n{found:#?}");
        }
    }
}

#[test]
fn what_cannot_be_shown_is_uncertain() {
    // Text of another version of Cedar, and a condition that no tried request meets.
    assert_eq!(
        lines("org: permit (principal", "org: permit (principa"),
        ["+ [] mcp ** | ?", "- [] mcp ** | ?"]
    );
    let old = r#"org: permit (principal, action == MCP::Action::"getPrompt", resource);"#;
    let new = r#"org: permit (principal, action == MCP::Action::"getPrompt", resource); permit (principal, action == MCP::Action::"invokeTool", resource) when { context has args.n && context.args.n * context.args.n == 1369 };"#;
    assert_eq!(
        lines(old, new),
        [
            "+ [] mcp invokeTool where context has args.n && (context.args.n * context.args.n) == 1369 | ?"
        ]
    );
}

#[test]
fn causes_are_statements() {
    let old = policies("org: permit (principal, action, resource);");
    let new = policies(
        "org: permit (principal, action, resource);\na: forbid\n (principal, action, resource); "
            .replace("\n (", " (")
            .as_str(),
    );
    let changes = compare(&old, &new);
    let cause = McpCause {
        comes: true,
        policy: "p1".to_owned(),
        statement: Some("forbid (principal, action, resource);".to_owned()),
        effect: Some(Effect::Forbid),
        number: Some(0),
    };
    assert_eq!(
        changes.iter().map(|change| change.because.clone()).collect::<Vec<_>>(),
        [vec![cause]]
    );
}
