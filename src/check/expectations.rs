//! Expectations of access tests whose text is not a request.

use super::{Check, Input, Run};
use crate::access::Request;
use crate::diagnostic::{Diagnostic, Severity};

pub(super) const CHECKS: &[Check] = &[Check {
    code: "invalid-request",
    severity: Severity::Error,
    title: "an expectation is not a request",
    explanation: "An access test asks for one concrete request: `connect:tcp HOST:PORT`, `GET https://HOST/PATH`, `read \
        /PATH`, `mount rw /PATH`, or `mcp ACTION TARGET`. A pattern, a block of addresses or an address without its action \
        asks for nothing, and such a test can never pass.",
    bad: "apiVersion: seawall/v1\nkind: AccessTest\nname: nobody reaches the database\nexpect:\n  - deny: 10.100.0.1:22\n",
    fix: "Write a request, as `seawall can` takes it.",
    run: Run::Together(check),
}];

fn check(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    for expected in input.tests.iter().flat_map(|test| &test.expectations) {
        if let Err(wrong) = Request::parse(&expected.access) {
            let finding =
                Diagnostic::error("invalid-request", wrong.message).at(expected.label.clone());
            findings.push(finding.help(wrong.help));
        }
    }
}
