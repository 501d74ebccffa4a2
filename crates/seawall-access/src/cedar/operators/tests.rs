//! Findings about operators, in tables.

use super::super::{code, examine};

/// The place and the help of each finding about types.
fn found(condition: &str) -> Vec<(String, String)> {
    let text = format!(
        r#"forbid (principal, action == MCP::Action::"invokeTool", resource) when {{ {condition} }};"#
    );
    let findings = examine(&text).into_iter().filter(|one| one.code == code::TYPE_MISMATCH);
    findings.map(|one| (text[one.start..one.end].to_owned(), one.help)).collect()
}

#[test]
fn operators_that_err_are_found_where_they_are() {
    let guard = "context has args && context.args has x && ";
    for (condition, place, help) in [
        (
            r#"context.args.x in ["rm", "sudo"]"#,
            r#"context.args.x in ["rm", "sudo"]"#,
            r#"write `["rm", "sudo"].contains(context.args.x)`"#,
        ),
        (
            r#"context.args.x in "rm""#,
            r#"context.args.x in "rm""#,
            r#"write `["rm"].contains(context.args.x)`"#,
        ),
        (
            r#"resource.readOnly || context.args.x in [MCP::Tool::"rm"]"#,
            r#"context.args.x in [MCP::Tool::"rm"]"#,
            r#"write `["…", "…"].contains(context.args.x)`"#,
        ),
        (
            r#""a" in context.args.s"#,
            r#""a" in context.args.s"#,
            r#"write `context.args.s.contains("a")`"#,
        ),
        (
            r#"principal in ["a"]"#,
            r#"principal in ["a"]"#,
            "say whom the policy governs with `scope`, and remove the condition",
        ),
        (
            r#"resource.name in ["rm"]"#,
            r#"resource.name in ["rm"]"#,
            r#"write `["rm"].contains(resource.name)`"#,
        ),
        (
            r#"resource in ["github"]"#,
            r#"resource in ["github"]"#,
            r#"write `resource in MCP::Server::"github"`, or `["github"].contains(resource.name)` for names of tools"#,
        ),
        (
            r#"!(resource in "github")"#,
            r#"resource in "github""#,
            r#"write `resource in MCP::Server::"github"`, or `["github"].contains(resource.name)` for names of tools"#,
        ),
        (
            r#"resource is MCP::Tool && action in ["invokeTool", "register"]"#,
            r#"action in ["invokeTool", "register"]"#,
            r#"write `action in [MCP::Action::"invokeTool", MCP::Action::"register"]`"#,
        ),
        (
            "resource in context.args.x",
            "resource in context.args.x",
            "name entities on the right, such as `MCP::Server::\"name\"`",
        ),
        (
            r#"context.args.x > 5 && context.args.x like "a*""#,
            r#"context.args.x like "a*""#,
            "compare it as one of the two; write a statement for each where it can be either",
        ),
        (
            r#"(context.args.x + 1) like "a*""#,
            r#"(context.args.x + 1) like "a*""#,
            "compare numbers with `==`, `<` and `>`",
        ),
        (
            r#"["Bash"].contains(resource)"#,
            r#"["Bash"].contains(resource)"#,
            "look for its name: `.contains(resource.name)`",
        ),
        (
            r#"[1, 2].contains(resource.name)"#,
            r#"[1, 2].contains(resource.name)"#,
            "compare values of one type",
        ),
    ] {
        let found = found(&format!("{guard}({condition})"));
        assert_eq!(found, [(place.to_owned(), help.to_owned())], "{condition}");
    }
}

/// A comparison of what is never equal holds for nothing, and the help says what was meant.
#[test]
fn what_is_never_equal_is_mended() {
    for (condition, help) in [
        (r#"resource == "rm""#, r#"write `resource == MCP::Tool::"rm"`"#),
        (r#""rm" != resource"#, r#"write `resource != MCP::Tool::"rm"`"#),
        (r#"resource == ["a", "b"]"#, r#"write `resource in [MCP::Tool::"a", MCP::Tool::"b"]`"#),
        (r#"action == "invokeTool""#, r#"write `action == MCP::Action::"invokeTool"`"#),
        (r#"resource.name == MCP::Tool::"rm""#, r#"write `resource.name == "rm"`"#),
        (r#"resource.readOnly == "true""#, "write `resource.readOnly`"),
        (r#""false" == resource.readOnly"#, "write `!resource.readOnly`"),
        (r#"resource.readOnly != "false""#, "write `resource.readOnly`"),
        ("resource.readOnly == 1", "write `resource.readOnly`"),
        (r#"resource.readOnly == "maybe""#, "write `resource.readOnly` or `!resource.readOnly`"),
        ("resource.name == 5", r#"write `resource.name == "5"`"#),
        (r#"resource.name == ["a", "b"]"#, r#"write `["a", "b"].contains(resource.name)`"#),
        (r#"resource.name != ["a"]"#, r#"write `!["a"].contains(resource.name)`"#),
        (
            r#"context has args && context.args == "rm""#,
            r#"name the argument: `context.args.NAME == "rm"`"#,
        ),
        (
            r#"context has args && context.args has x && context.args.x == MCP::Tool::"rm""#,
            r#"write `context.args.x == "rm"`"#,
        ),
        ("(context has args) == 1", "write `(context has args)`"),
        (r#"resource.name == resource.readOnly"#, "compare values of one type"),
    ] {
        let helps: Vec<String> = found(condition).into_iter().map(|(_, help)| help).collect();
        assert_eq!(helps, [help], "{condition}");
    }
}

/// What errs for every request is an error, also where arguments are read.
#[test]
fn operands_that_no_operator_takes_are_found() {
    let guard = "context has args && context.args has n && ";
    for (condition, help) in [
        ("resource.readOnly > 0", "write `resource.readOnly` or `!resource.readOnly`"),
        ("resource.name < 3", "text has no order: compare it with `==` or `like`"),
        (r#"context.args.n > "5""#, "write `context.args.n > 5`"),
        (
            r#"context.request_time < "2027-01-01""#,
            r#"write `context.request_time < datetime("2027-01-01")`"#,
        ),
        (
            r#"context.request_time < decimal("1.0")"#,
            "write `context.request_time.lessThan(decimal(\"1.0\"))`",
        ),
        ("decimal(\"1.5\") > 2", "write `decimal(\"1.5\").greaterThan(decimal(\"2.0\"))`"),
        (
            r#"datetime("2027-01-01") < duration("1h")"#,
            "compare two numbers, two times or two durations",
        ),
        ("context.args > 5", "name the argument: `context.args.NAME > 5`"),
        ("context.args", "write `context has args`, or name the argument"),
        ("!context.args", "write `context has args`, or name the argument"),
        (r#"context.args.contains("x")"#, "write `context.args has x`"),
        (r#"context.args like "*rm*""#, r#"name the argument: `context.args.NAME like "…"`"#),
        ("!resource.name", r#"compare it: `resource.name == "…"`"#),
        ("resource.name || resource.readOnly", r#"compare it: `resource.name == "…"`"#),
        (
            "resource has name && resource.name && resource.readOnly",
            r#"compare it: `resource.name == "…"`"#,
        ),
        ("resource.readOnly + 1 == 2", "use numbers on both sides"),
        ("if resource.name then true else false", r#"compare it: `resource.name == "…"`"#),
        (
            r#"resource.contains("x")"#,
            r#"write `resource == MCP::Tool::"…"`, or `resource in MCP::Server::"…"`"#,
        ),
        (r#"["a"].containsAny(resource.name)"#, r#"write `["a"].contains(resource.name)`"#),
        ("resource.name.isEmpty()", r#"write `resource.name == ""`"#),
        ("resource.name has x", "compare `resource.name` as a whole with `==`"),
        ("context.args.n is MCP::Tool", "compare it with text: `== \"…\"`"),
    ] {
        let helps: Vec<String> =
            found(&format!("{guard}({condition})")).into_iter().map(|(_, help)| help).collect();
        assert_eq!(helps, [help], "{condition}");
    }
    for (condition, help) in [
        (r#""text""#, r#"compare it: `"text" == "…"`"#),
        ("resource.name", r#"compare it: `resource.name == "…"`"#),
        ("resource", r#"compare it: `resource == MCP::Tool::"…"`"#),
    ] {
        let helps: Vec<String> = found(condition).into_iter().map(|(_, help)| help).collect();
        assert_eq!(helps, [help], "{condition}");
    }
}

/// A value that is taken for two kinds is one of them at most.
#[test]
fn an_argument_is_of_one_kind() {
    for (condition, place) in [
        (r#"N > 5 && N == "a""#, r#"N == "a""#),
        (r#"N + 1 == 2 && N == "a""#, r#"N == "a""#),
        (r#"N == 1 && N == "a""#, r#"N == "a""#),
        // The first side errs where it is text.
        (r#"N > 1 || N == "a""#, r#"N == "a""#),
        (r#"!(N > 1) && N == "a""#, r#"N == "a""#),
        (r#"N.contains("a") && N > 5"#, "N > 5"),
        (r#"N && N == "true""#, r#"N == "true""#),
        (r#"N has x && N == "true""#, r#"N == "true""#),
        (r#"N has x && N.x == "a" && N like "a*""#, r#"N like "a*""#),
        (r#"N == true && N == "true""#, r#"N == "true""#),
        (r#"["a"].contains(N) && N > 5"#, "N > 5"),
        (r#"N == ["a"] && N == "a""#, r#"N == "a""#),
        (r#"ip(N).isLoopback() && N > 5"#, "N > 5"),
    ] {
        let written = |text: &str| text.replace('N', "context.args.n");
        let condition = format!("context has args.n && ({})", written(condition));
        let places: Vec<String> = found(&condition).into_iter().map(|(place, _)| place).collect();
        assert_eq!(places, [written(place)], "{condition}");
    }
    let time = r#"context.request_time > 5 && context.request_time < datetime("2027-01-01")"#;
    assert_eq!(found(time).len(), 1);
}

#[test]
fn what_may_hold_is_left_alone() {
    for condition in [
        r#"resource in MCP::Server::"a""#,
        r#"resource in [MCP::Server::"a", MCP::Server::"b"]"#,
        r#"resource is MCP::Tool in MCP::Server::"a""#,
        r#"context has args.x && ["rm"].contains(context.args.x)"#,
        r#"context has args.x && context.args.x like "a*" && context.args.x != "ab""#,
        r#"context has args.x && context.args.x == 5"#,
        r#"["a", "b"].contains(resource.name)"#,
        r#"context has args.x && context.args.x.contains("a")"#,
        // Each side is for values of its own kind, and comes before what errs.
        r#"context has args.x && (context.args.x == 1 || context.args.x == "a")"#,
        r#"context has args.x && (context.args.x == "a" || context.args.x > 5)"#,
        r#"context has args.x && !(context.args.x == "a") && context.args.x > 5"#,
        r#"context has args.x && context.args.x > 5 && context.args.x != "a""#,
        r#"context has args.x && (if context.args.x == "a" then true else context.args.x > 5)"#,
        r#"context has args.x && context.args.x == true && context.args.x != false"#,
        r#"context.request_time == "2027-01-01""#,
        "[true].contains(resource.readOnly)",
        "resource.readOnly == true",
    ] {
        assert_eq!(found(condition), [], "{condition}");
    }
}
