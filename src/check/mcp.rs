//! Cedar text: errors of the service, findings of the engine's validator, and traps.

use std::ops::Range;
use std::sync::Arc;

use super::{Check, Input, Run, skipped};
use crate::access::cedar::{self, Effect, Finding, SCHEMA_URL, Statement, code};
use crate::diagnostic::{Diagnostic, FileId, Files, Severity};
use crate::document::{Declared, origin};
use crate::model::{Body, DesiredRule};
use crate::source::{Comment, Parts, Spans, syntax};

const FOLDED_COMMENT: &str = "mcp-folded-comment";

/// A policy with these statements.
macro_rules! policy {
    ($statements:literal) => {
        concat!(
            "apiVersion: seawall/v1\nkind: McpPolicy\nname: MCP\ncedar: |\n  ",
            $statements,
            "\n"
        )
    };
}

const fn error(
    code: &'static str,
    title: &'static str,
    explanation: &'static str,
    bad: &'static str,
    fix: &'static str,
) -> Check {
    Check { code, severity: Severity::Error, title, explanation, bad, fix, run: Run::Elsewhere }
}

const fn warning(
    code: &'static str,
    title: &'static str,
    explanation: &'static str,
    bad: &'static str,
    fix: &'static str,
) -> Check {
    Check { code, severity: Severity::Warning, title, explanation, bad, fix, run: Run::Elsewhere }
}

pub(crate) const CHECKS: &[Check] = &[
    Check {
        run: Run::Policy(check),
        ..error(
            code::SYNTAX,
            "the Cedar text is not valid",
            "The service refuses text that Cedar cannot parse.",
            policy!("permit (principal, action, resource)"),
            "Correct the text; the finding shows where the parser stopped.",
        )
    },
    error(
        code::EMPTY,
        "the Cedar text has no statement",
        "The service takes a policy with at least one `permit` or `forbid`.",
        policy!("// nothing yet"),
        "Write a statement, or remove the document.",
    ),
    error(
        FOLDED_COMMENT,
        "a folded comment swallows the lines after it",
        "A folded text (`>`, or quotes over several lines) is one line to Cedar, so that `//` hides all that follows: \
         statements vanish without a word.",
        "apiVersion: seawall/v1\nkind: McpPolicy\nname: MCP\ncedar: >\n  permit (principal, action == \
         MCP::Action::\"getPrompt\", resource);\n  // but\n  forbid (principal, action, resource);\n",
        "Write `cedar: |`, which keeps its lines.",
    ),
    error(
        code::ID,
        "a Cedar statement has an `@id`",
        "The service gives statements their ids itself, and refuses text that has some.",
        policy!(r#"@id("a") permit (principal, action == MCP::Action::"getPrompt", resource);"#),
        "Remove the annotation; another name such as `@description` is fine.",
    ),
    error(
        code::TEMPLATE,
        "a Cedar statement has a slot",
        "A statement with `?principal` or `?resource` is a template, and nothing fills its slots.",
        policy!("permit (principal == ?principal, action, resource);"),
        "Remove the slot; whom a policy governs is said by its scope.",
    ),
    error(
        code::APPROVAL_ON_FORBID,
        "a `forbid` asks for approval",
        "A `forbid` denies without asking; `@requireApproval` does something on a `permit` only.",
        policy!(
            r#"@requireApproval("writes") forbid (principal, action == MCP::Action::"getPrompt", resource);"#
        ),
        "Remove the annotation, or write a `permit`.",
    ),
    error(
        code::APPROVAL_REASON,
        "`@requireApproval` has no reason",
        "The person who is asked sees the reason and nothing else of the policy.",
        policy!(
            r#"@requireApproval permit (principal, action == MCP::Action::"getPrompt", resource);"#
        ),
        "Write `@requireApproval(\"reason\")`.",
    ),
    error(
        code::APPROVAL_NAME,
        "an annotation looks like `@requireApproval` and is not",
        "Only the exact name asks for approval. With any other the `permit` grants without asking.",
        policy!(
            r#"@requireConsent("writes") permit (principal, action == MCP::Action::"getPrompt", resource);"#
        ),
        "Write `@requireApproval(\"reason\")`.",
    ),
    error(
        code::UNKNOWN_ACTION,
        "unknown MCP action",
        "A statement about an action that does not exist never matches: a `permit` grants nothing, a `forbid` stops \
         nothing. The service does not check it.",
        policy!(r#"permit (principal, action == MCP::Action::"call_tool", resource);"#),
        "Write one of `register`, `invokeTool`, `invokePrimordial`, `readResource` and `getPrompt`.",
    ),
    error(
        code::UNKNOWN_TYPE,
        "unknown MCP entity type",
        "Nothing is of a type that does not exist, so the comparison never holds.",
        policy!(
            r#"permit (principal, action == MCP::Action::"invokeTool", resource in MCP::Group::"x");"#
        ),
        "Write one of `MCP::Server`, `MCP::Tool`, `MCP::Primordial`, `MCP::Resource` and `MCP::Prompt`.",
    ),
    error(
        code::UNKNOWN_ATTRIBUTE,
        "unknown attribute",
        "Reading an attribute that is not there is an error, and a statement that errs is skipped.",
        policy!(
            r#"permit (principal, action == MCP::Action::"invokeTool", resource) when { resource.redOnly };"#
        ),
        "Correct the name; the finding lists what there is.",
    ),
    error(
        code::TYPE_MISMATCH,
        "values of different types are compared",
        "Values of different types are never equal, and other operators err on them.",
        policy!(
            r#"permit (principal, action == MCP::Action::"invokeTool", resource) when { resource.readOnly == "true" };"#
        ),
        "Compare values of one type.",
    ),
    error(
        code::CONTAINS_ON_STRING,
        "`.contains()` is called on a string",
        "`.contains()` looks into sets such as `resource.args`; on a string it errs, and the statement is skipped.",
        policy!(
            r#"forbid (principal, action == MCP::Action::"invokeTool", resource) when { resource.name.contains("rm") };"#
        ),
        "Write `resource.name like \"*rm*\"`.",
    ),
    error(
        code::PRINCIPAL,
        "a clause on the principal",
        "The scope of a policy determines whom it governs. A clause on the principal never matches, so that a `forbid` with one has no effect.",
        policy!(r#"forbid (principal in MCP::Team::"contractors", action, resource);"#),
        "Name the teams under `scope`, and remove the clause.",
    ),
    warning(
        code::ATTRIBUTE_OF_OTHERS,
        "only some of the resources have this attribute",
        "For the others reading it is an error, and the statement is skipped: a `forbid` does not hold there.",
        policy!(r#"forbid (principal, action, resource) when { resource.name == "rm" };"#),
        "Name the actions that the statement is about, or put `resource has name &&` in front.",
    ),
    warning(
        code::UNGATED_ACTION,
        "the gateway does not evaluate this action",
        "Listings and subscriptions happen whatever a policy says, even for tools that may not be used.",
        policy!(r#"forbid (principal, action == MCP::Action::"listTools", resource);"#),
        "Govern the use: `invokeTool`, `readResource` or `getPrompt`.",
    ),
    warning(
        code::REGISTER_TIME,
        "a registration has no request time",
        "Reading `context.request_time` when a server is registered is an error, and the statement is skipped.",
        policy!(
            r#"permit (principal, action == MCP::Action::"register", resource) when { context.request_time < datetime("2030-01-01") };"#
        ),
        "Give registration a statement without the time.",
    ),
    warning(
        code::UNGUARDED_ARGUMENT,
        "an argument is read that can be missing",
        "Arguments come with a call only as a JSON object, and each can be missing. Reading a missing one is an error, \
         and the statement is skipped: a `forbid` does not block the call.",
        policy!(
            r#"forbid (principal, action == MCP::Action::"invokeTool", resource) when { context.args.amount > 500 };"#
        ),
        "Put `context has args && context.args has amount &&` in front, and forbid what has no amount on its own.",
    ),
    warning(
        code::LIKE_QUESTION_MARK,
        "a pattern with `?`",
        "In `like`, only `*` is a wildcard; `?` is a literal question mark.",
        policy!(
            r#"permit (principal, action == MCP::Action::"invokeTool", resource) when { resource.name like "get_?" };"#
        ),
        "Write `*`, or suppress the finding where a question mark is meant.",
    ),
    warning(
        code::SERVER_TYPE,
        "unknown type of server",
        "Servers are of the types `local-stdio`, `container-stdio`, `remote-dcr` and `remote-no-dcr`. A comparison with \
         anything else never holds, so that a `forbid` with it stops nothing.",
        policy!(
            r#"forbid (principal, action == MCP::Action::"register", resource) when { resource.type == "stdio" };"#
        ),
        "Correct the type, or suppress the finding where the service has come to know another one.",
    ),
    warning(
        code::APPROVAL_ON_REGISTER,
        "approval of a registration is a denial",
        "`sbx mcp add` cannot ask, so a registration that needs approval is denied, also where another `permit` grants \
         it: approval outranks a plain permit.",
        policy!(
            r#"@requireApproval("new server") permit (principal, action == MCP::Action::"register", resource);"#
        ),
        "Leave registration out of the statement, or write a `forbid` where denial is meant.",
    ),
    Check {
        run: Run::Workspace(check_covers),
        ..warning(
            code::COVERED_PERMIT,
            "a `permit` that `forbid` statements cover",
            "A `forbid` overrides every `permit`, in every policy, so this one grants nothing.",
            policy!(
                r#"permit (principal, action == MCP::Action::"invokeTool", resource); forbid (principal, action, resource);"#
            ),
            "Remove the `permit`, or narrow the `forbid`.",
        )
    },
    warning(
        code::EVERY_ACTION,
        "a `permit` without an action",
        "It grants everything that the gateway asks about: registering servers and the gateway's own tools too.",
        policy!("permit (principal, action, resource);"),
        "Name the actions, or suppress the finding where everything is meant and `forbid`s follow.",
    ),
    warning(
        code::NEVER_MATCHES,
        "a statement that matches no request",
        "The action, the resource and the conditions exclude each other.",
        policy!(
            r#"permit (principal, action == MCP::Action::"invokeTool", resource is MCP::Prompt);"#
        ),
        "Compare the action with the type of its resource.",
    ),
    Check {
        severity: Severity::Note,
        ..warning(
            "mcp-other-schema",
            "a policy for a schema that seawall does not know",
            "Actions, attributes and types are checked for policies of the default schema only.",
            "apiVersion: seawall/v1\nkind: McpPolicy\nname: MCP\nschema_url: https://schemas.example.com/mcp/v1\n\
             cedar: permit (principal, action == MCP::Action::\"x\", resource);\n",
            "Leave `schema_url` out, unless the policy is written for another schema.",
        )
    },
];

fn check(policy: &Declared<'_>, files: &Files, findings: &mut Vec<Diagnostic>) {
    let Body::Cedar(cedar) = &policy.desired.policy.body else { return };
    for span in cedar::comments(&cedar.text) {
        let label = policy.cedar_label(&span);
        let written = files.get(label.file).slice(&label.span);
        if written.starts_with("//") && written.contains('\n') {
            let finding =
                Diagnostic::error(FOLDED_COMMENT, "this comment hides the lines after it")
                    .at(label);
            findings.push(finding.help("write `cedar: |`, which keeps its lines"));
        }
    }
    if let Some(marker) = syntax::conflict(&cedar.text) {
        let finding =
            Diagnostic::error("cedar-syntax", syntax::CONFLICT).at(policy.cedar_label(&marker));
        findings.push(finding.help(syntax::KEEP_ONE_SIDE));
        return;
    }
    if cedar.schema_url == SCHEMA_URL {
        findings
            .extend(cedar::examine(&cedar.text).into_iter().map(|finding| place(finding, policy)));
        return;
    }
    findings.extend(
        cedar::examine_syntax(&cedar.text).into_iter().map(|finding| place(finding, policy)),
    );
    let message = format!("of a policy for `{}` only the syntax is checked", cedar.schema_url);
    let finding =
        Diagnostic::note("mcp-other-schema", message).at(policy.document.label("/schema_url"));
    findings.push(finding.help(format!("seawall knows the schema `{SCHEMA_URL}`")));
}

fn place(finding: Finding, policy: &Declared<'_>) -> Diagnostic {
    let severity = super::find(finding.code).map_or(Severity::Error, |check| check.severity);
    let label = policy.cedar_label(&(finding.start..finding.end));
    Diagnostic::new(severity, finding.code, finding.message).at(label).help(finding.help)
}

/// The comments of a policy's Cedar text and its statements, with their places in the file; empty
/// if the style of the scalar does not permit to locate its bytes.
pub(crate) fn comments(
    policy: &Declared<'_>,
    files: &Files,
) -> Option<(FileId, Vec<Comment>, Spans)> {
    let Body::Cedar(cedar) = &policy.desired.policy.body else { return None };
    let spans = cedar::comments(&cedar.text);
    let file = policy.cedar_label(spans.first()?).file;
    let source = files.get(file);
    let comment = |span: Range<usize>| {
        let text = cedar.text.get(span.clone())?;
        let span = policy.cedar_label(&span).span;
        let line = source.line_start(source.place(&span).line);
        let trailing = !source.slice(&(line..span.start)).trim().is_empty();
        let found = source.slice(&span) == text;
        found.then(|| Comment { span, text: text.trim_start_matches('/').to_owned(), trailing })
    };
    let comments = spans.into_iter().filter_map(comment).collect();
    let statements = cedar::statements(&cedar.text).unwrap_or_default();
    let items =
        statements.iter().map(|one| Spans::scalar(policy.cedar_label(&one.span).span)).collect();
    // A place outside of every line: no suppression covers the text as a whole.
    let end = source.text.len();
    Some((file, comments, Spans::collection(end..end, Parts::Items(items))))
}

/// The places of the statements of a policy's Cedar text, in order; empty for an allowlist.
pub(crate) fn statements(policy: &Declared<'_>, files: &Files) -> Vec<DesiredRule> {
    let Body::Cedar(cedar) = &policy.desired.policy.body else { return Vec::new() };
    let statements = cedar::statements(&cedar.text).unwrap_or_default();
    let place = |one: &Arc<Statement>| DesiredRule {
        previously: Vec::new(),
        origin: origin(files, &policy.cedar_label(&one.span)),
    };
    statements.iter().map(place).collect()
}

/// Permits that a forbid of another policy covers for the whole scope of the permit's policy.
fn check_covers(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    let policies: Vec<(&Declared<'_>, Vec<Arc<Statement>>)> = input
        .policies
        .iter()
        .copied()
        .filter_map(|policy| match &policy.desired.policy.body {
            Body::Cedar(cedar) => Some((policy, cedar::statements(&cedar.text).ok()?)),
            Body::Allowlist(_) => None,
        })
        .collect();
    cedar::with_deep_stack(|| look_for_covers(&policies, findings));
}

fn look_for_covers(
    policies: &[(&Declared<'_>, Vec<Arc<Statement>>)],
    findings: &mut Vec<Diagnostic>,
) {
    let of = |statements: &'_ [Arc<Statement>], effect| {
        statements
            .iter()
            .filter(move |one| one.effect == effect)
            .map(Arc::clone)
            .collect::<Vec<_>>()
    };
    let forbids: Vec<(usize, Arc<Statement>)> = policies
        .iter()
        .enumerate()
        .flat_map(|(index, (_, statements))| {
            of(statements, Effect::Forbid).into_iter().map(move |one| (index, one))
        })
        .collect();
    let mut covering =
        cedar::Covering::new(forbids.iter().map(|(index, forbid)| ((*index, forbid), &**forbid)));
    for (index, (policy, statements)) in policies.iter().enumerate() {
        for permit in of(statements, Effect::Permit) {
            let forbid = covering.find(&permit).into_iter().find_map(|(other, forbid)| {
                let (wider, _) = policies.get(*other).filter(|_| *other != index)?;
                let governs =
                    wider.desired.policy.scope.governs_all_of(&policy.desired.policy.scope);
                governs.then_some((*wider, *forbid))
            });
            let Some((wider, forbid)) = forbid else { continue };
            let place = policy.cedar_label(&permit.span);
            let message = format!(
                "a `forbid` of `{}` covers all that this `permit` grants",
                wider.desired.policy.name
            );
            let related = wider.cedar_label(&forbid.span).saying("the `forbid` is here");
            let help = "remove the `permit`, or narrow the `forbid` with a condition";
            findings.push(
                Diagnostic::warning(code::COVERED_PERMIT, message)
                    .at(place)
                    .related(related)
                    .help(help),
            );
        }
    }
    if !covering.is_complete() {
        findings.push(skipped::note(&[code::COVERED_PERMIT], "the conditions of MCP statements"));
    }
}
