use proptest::prelude::*;

use super::*;
use crate::evidence::lines::{ByLine, Chunks as _};
use crate::evidence::merge::merge;
use crate::evidence::requests::Requests;

/// Reads lines: each by itself, or with the knowledge of earlier ones.
fn reading(text: &str, each: bool) -> (Requests, Vec<(u64, &'static str)>) {
    let shared = Shared::default();
    let mut own = Worker::new(&shared);
    if each {
        for (number, line) in (1..).zip(text.lines()) {
            own.shapes = Shapes::new(&shared.seeds);
            own.parse_line(0, number, line.as_bytes());
        }
    } else {
        own.shapes = Shapes::comparing(3, &shared.seeds);
        let mut chunks = ByLine::new(text.as_bytes());
        while chunks.next(&mut own.chunk).unwrap() {
            own.parse(0);
        }
    }
    own.places.sort_unstable();
    let places = own.places.iter().map(|(_, line, why)| (*line, *why)).collect();
    let gathered = own.gather.finish().unwrap();
    (merge(shared, vec![gathered]).unwrap(), places)
}

fn line() -> impl Strategy<Value = String> {
    let one_of = |texts: &[&'static str]| prop::sample::select(texts.to_vec());
    let field = |name: &'static str, texts: &[&'static str]| {
        one_of(texts).prop_map(move |text| format!("\"{name}\":{text}"))
    };
    let top = (
        field(
            "audit_event_id",
            &[r#""1""#, r#""2""#, r#""3""#, r#""\u0031""#, r#"" ""#, r#""""#, "4"],
        ),
        field(
            "timestamp",
            &[
                r#""2026-11-01T00:00:00Z""#,
                r#""2026-11-02T00:00:00.5Z""#,
                r#"" 2026-11-03T00:00:00Z""#,
                r#""2026-11-04 00:00:00""#,
                r#""soon""#,
                r#""""#,
            ],
        ),
        field(
            "category",
            &[r#""AUDIT_CATEGORY_EVALUATION""#, r#""evaluation""#, r#""AUDIT_CATEGORY_EXECUTION""#],
        ),
        field(
            "decision",
            &[
                r#""AUDIT_DECISION_ALLOW""#,
                r#""AUDIT_DECISION_DENY""#,
                r#""AUDIT_DECISION_APPROVAL_REQUIRED""#,
                r#""AUDIT_DECISION_APPROVAL_ALLOW""#,
                r#""AUDIT_DECISION_LATER""#,
            ],
        ),
        field("username", &[r#""ana""#, r#""bob""#, r#""über""#, r#"" ana ""#, r#""""#, "null"]),
        field(
            "resource_id",
            &[r#""a.example:443""#, r#""A.example:443""#, r#""b.example:1""#, r#""""#],
        ),
        field("hostname", &[r#""m""#, r#""n""#]),
        field("enforcement_mode", &[r#""enforce""#, r#""off""#, r#""ENFORCE""#]),
        field(
            "deny_reason",
            &[r#"["rule \"r\" matched"]"#, r#"["no applicable policies"]"#, r#"["a","b"]"#, "[]"],
        ),
    );
    let action = one_of(&[
        r#""action_type":"network_egress","network_egress":{"protocol":"tcp"}"#,
        r#""action_type":"network_egress","network_egress":{"protocol":"udp"}"#,
        r#""action_type":"http_request","http_request":{"method":"GET","host":"a.example","port":"443","path":"/"}"#,
        r#""action_type":"network_egress","approval":{"approval_request_id":"7"}"#,
        r#""action_type":"session""#,
        r#""count":3,"action_type":"network_egress""#,
        r#""action_type":"network_egress","payload":{"username":"eve","created_at":"2026-11-07T00:00:00Z"}"#,
    ]);
    let end = one_of(&["}", "}", "}", "}", "", "} ", "}x", ",}"]);
    (top, action, end).prop_map(|(top, action, end)| {
        let (id, time, category, decision, user, resource, machine, mode, reason) = top;
        let rest = [category, decision, user, resource, machine, mode, reason].join(",");
        format!("{{{id},{time},{rest},{action}{end}")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_is_known_of_earlier_lines_changes_nothing(
        lines in prop::collection::vec(line(), 1..6),
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..60),
    ) {
        let text: String = order.iter().map(|at| format!("{}\n", at.get(&lines))).collect();
        prop_assert_eq!(reading(&text, false), reading(&text, true));
    }
}
