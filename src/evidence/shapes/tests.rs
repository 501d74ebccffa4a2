//! Lines that shapes match against lines that are parsed.

use proptest::prelude::*;

use super::*;

/// The record of a line, as parsing gives it.
fn parsed(line: &str) -> Option<Record<'_>> {
    let record = serde_json::from_str::<Record<'_>>(line).ok()?;
    Some(record.map(&mut |text| text))
}

/// A record, its identity and its time.
type Said<'l> = (Record<'l>, Unless<&'l [u8]>, Unless<&'l [u8]>);

/// Learns from some lines, and returns what shapes say of another.
fn told<'l>(shapes: &mut Shapes, known: &[String], line: &'l [u8]) -> Option<Said<'l>> {
    let mut found = Found::default();
    for known in known {
        if shapes.find(known.as_bytes(), &mut found).is_none()
            && let Ok(record) = serde_json::from_str::<Record<'_>>(known)
        {
            shapes.learn(known, &record);
        }
    }
    let alike = shapes.find(line, &mut found)?;
    assert!(alike.length == line.len() || line[alike.length] == b'\n');
    Some((alike.record(), alike.identity(), alike.time()))
}

/// The record of a line, and the hashes of its names and of its other texts.
fn hashed<'l>(shapes: &mut Shapes, line: &'l str) -> Option<(Record<'l>, [[u64; 2]; 2])> {
    let mut found = Found::default();
    let alike = shapes.find(line.as_bytes(), &mut found)?;
    Some((alike.record(), [alike.hash_of_names(), alike.hash_of_others()]))
}

fn text() -> impl Strategy<Value = String> {
    let usual = prop::sample::select(vec![
        "a",
        "",
        "ana",
        "2026-11-01T00:00:00Z",
        "AUDIT_DECISION_ALLOW",
        "example.com:443",
        "network_egress",
        "eight by",
        "seventeen letters",
        "über",
        "日本",
        "\u{7f}",
        " ",
        "\u{a0}",
    ]);
    let unusual = prop::sample::select(vec![
        r"\n",
        r#"\""#,
        r"\u0041",
        r"\ud83d\ude00",
        r"\ud83d",
        r"\x",
        "\u{1}",
        "\t",
        "\n",
        "\\",
    ]);
    let quoted = |text: String| format!("\"{text}\"");
    prop_oneof![
        8 => usual.clone().prop_map(move |text| quoted(text.to_owned())),
        1 => (usual, unusual).prop_map(move |(one, other)| quoted(format!("{one}{other}"))),
    ]
}

fn value() -> impl Strategy<Value = String> {
    let other = prop::sample::select(vec![
        "1",
        "-0.5e3",
        "null",
        "true",
        "[]",
        "{}",
        "1e999",
        "01",
        "nul",
        "[1,{\"a\":\"b\"}]",
        "7 ",
    ]);
    let leaf = prop_oneof![6 => text(), 2 => other.prop_map(str::to_owned)];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec((key(), inner), 0..4).prop_map(object),
        ]
    })
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "audit_event_id",
        "timestamp",
        "created_at",
        "category",
        "decision",
        "username",
        "user_email",
        "resource_id",
        "deny_reason",
        "enforcement_mode",
        "action_type",
        "hostname",
        "approval",
        "network_egress",
        "http_request",
        "payload",
        "events",
        "user",
        "reason",
        "count",
        "first",
        "last",
        "protocol",
        "method",
        "host",
        "port",
        "path",
        "approval_request_id",
        "os",
        "what a later version adds",
        r"\u0075ser",
    ])
}

fn object(fields: Vec<(&'static str, String)>) -> String {
    let fields: Vec<String> =
        fields.into_iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
    format!("{{{}}}", fields.join(","))
}

fn line() -> impl Strategy<Value = String> {
    prop::collection::vec((key(), value()), 0..9).prop_map(object)
}

/// A line with other texts in place of some of its own.
fn with_texts(line: &str, texts: &[Option<String>]) -> String {
    let (between, starts) = divided(line);
    let mut all = String::new();
    for (at, own) in between.iter().enumerate() {
        all.push_str(own);
        let Some(start) = starts.get(at) else { continue };
        match texts.get(at).and_then(Option::as_ref) {
            Some(text) => all.push_str(&text[1..text.len() - 1]),
            None => all.extend(line[*start..].chars().take_while(|one| *one != '"')),
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    /// Whatever a shape says of a line is what parsing says.
    #[test]
    fn a_line_that_is_not_parsed_says_what_parsing_says(
        known in prop::collection::vec(line(), 1..4),
        texts in prop::collection::vec(prop::option::weighted(0.8, text()), 0..12),
        compared in 1..4_usize,
        others in prop::collection::vec(prop::collection::vec(prop::option::weighted(0.3, text()), 0..12), 0..6),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<u8>()), 0..3),
        is_edited in prop::bool::weighted(0.3),
    ) {
        let mut bytes = with_texts(&known[0], &texts).into_bytes();
        for (at, kind, byte) in edits.into_iter().filter(|_| is_edited) {
            let at = at.index(bytes.len().max(1)).min(bytes.len());
            match kind {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, byte),
                2 => bytes.insert(at, b"\"\\{}[]:, \t\r"[usize::from(byte) % 11]),
                _ => drop(bytes.splice(at..(at + 1).min(bytes.len()), [byte])),
            }
        }
        // Texts that lines like the first one have in common become usual.
        let alike = others.iter().map(|texts| with_texts(&known[0], texts));
        let known: Vec<String> = known.iter().cloned().chain(alike).collect();
        let mut shapes = Shapes::comparing(compared, &Seeds::default());
        if let Some((record, identity, time)) = told(&mut shapes, &known, &bytes) {
            let text = std::str::from_utf8(bytes.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
            let expected = parsed(text).expect(text);
            prop_assert_eq!(&record, &expected, "{}", text);
            let first = |text: Option<&crate::evidence::record::Text<'_>>| {
                text.map(|text| text.0.clone().into_owned().into_bytes()).unwrap_or_default()
            };
            for (said, of_record) in [
                (identity, first(expected.identities().find(|text| !text.is_empty()))),
                (time, first(expected.times().find(|text| !text.is_empty()))),
            ] {
                prop_assert!(said.is_err() || said == Ok(&of_record), "{said:?} {of_record:?} {text}");
            }
            prop_assert!(expected.count.0.is_empty() && expected.events.is_none());
        }
    }

    /// Lines with the same hash are about the same, at other times, whatever was learned before.
    #[test]
    fn what_counts_together_differs_in_identity_and_time_alone(
        line in line(), texts in prop::collection::vec(prop::option::weighted(0.3, text()), 0..12),
        compared in prop::sample::select(vec![1, 2, COMPARED]),
    ) {
        let other = with_texts(&line, &texts);
        let seeds = Seeds::default();
        let [mut shapes, mut others] =
            [compared, COMPARED].map(|compared| Shapes::comparing(compared, &seeds));
        for shapes in [&mut shapes, &mut others] {
            if told(shapes, std::slice::from_ref(&line), line.as_bytes()).is_none() {
                return Ok(());
            }
        }
        let (one, [one_names, one_others]) = hashed(&mut shapes, &line).unwrap();
        prop_assert_eq!(hashed(&mut others, &line), Some((one.clone(), [one_names, one_others])));
        let Some((other, [other_names, other_others])) = hashed(&mut shapes, &other) else {
            return Ok(());
        };
        let blank = |record: Record<'_>| {
            let mut same = record.map(&mut |text| Cow::Owned(text.into_owned()));
            let records = std::iter::successors(Some(&mut same), |_| None);
            for record in records {
                let inner = record.payload.take().map(|mut inner| {
                    (inner.audit_event_id, inner.timestamp, inner.created_at) = Default::default();
                    inner.approval = inner.approval.take().map(|mut approval| {
                        if record.approval.is_none() {
                            approval.approval_request_id = Default::default();
                        }
                        approval
                    });
                    inner
                });
                record.payload = inner;
                (record.audit_event_id, record.timestamp, record.created_at) = Default::default();
                record.object.approval_request_id = Default::default();
                if let Some(approval) = &mut record.approval {
                    approval.approval_request_id = Default::default();
                }
            }
            same
        };
        let names = |record: &Record<'_>| -> Vec<String> {
            record.users().chain(record.machines()).map(|text| text.0.clone().into_owned()).collect()
        };
        let (one, other) = (blank(one), blank(other));
        let has_same_names = names(&one) == names(&other);
        let hashes = (one_names == other_names, one_others == other_others);
        prop_assert_eq!(hashes.0, has_same_names, "{} {:?}", line, texts);
        prop_assert_eq!(hashes == (true, true), one == other, "{} {:?}", line, texts);
    }
}

#[test]
fn usual_texts_are_no_longer_looked_at() {
    let line = |id: usize, os: &str, who: &str| {
        format!(r#"{{"audit_event_id":"{id}","os":"{os}","username":"{who}","resource_id":"a:1"}}"#)
    };
    let mut shapes = Shapes::comparing(3, &Seeds::default());
    let mut found = Found::default();
    let first = line(0, "macos", "ana");
    shapes.learn(&first, &serde_json::from_str(&first).unwrap());
    // Whoever asks is told apart, even if it is always the same one.
    for (line, left) in [
        (line(1, "macos", "ana"), 4),
        (line(2, "macos", "ana"), 4),
        (line(3, "macos", "ana"), 4),
        (line(4, "macos", "bob"), 2),
        (line(5, "linux", "bob"), 4),
        (line(6, "linux", "bob"), 4),
        (line(7, "windows", "bob"), 4),
        (line(8, "windows", "bob"), 3),
        (line(9, "macos", "bob"), 3), // what has changed once is not learned again
    ] {
        let alike = shapes.find(line.as_bytes(), &mut found).unwrap();
        assert_eq!(alike.spans.len(), left, "{line}");
        assert_eq!(alike.record(), serde_json::from_str(&line).unwrap());
    }
}

#[test]
fn shapes_are_used_and_what_is_unusual_is_not() {
    let known = [
        r#"{"audit_event_id":"1","timestamp":"t","os":"x","payload":{"username":"a"}}"#.to_owned(),
        r#"{"audit_event_id":"1","timestamp":"t","os":"x"}"#.to_owned(),
        r#"{"audit_event_id":"1","port":443}"#.to_owned(),
    ];
    for (line, expected) in [
        (
            r#"{"audit_event_id":"22","timestamp":"","os":"macos","payload":{"username":"ana"}}"#,
            true,
        ),
        (r#"{"audit_event_id":"22","timestamp":"t","os":"m"}  "#, true),
        ("{\"audit_event_id\":\"22\",\"timestamp\":\"t\",\"os\":\"m\"}\r\nnext", true),
        (r#"{"audit_event_id":"22","timestamp":"t","os":"é"}"#, true),
        (r#"{"audit_event_id":"22","timestamp":"t","os":"\n"}"#, false),
        ("{\"audit_event_id\":\"22\",\"timestamp\":\"t\",\"os\":\"\t\"}", false),
        (r#"{"audit_event_id":"22","timestamp":"t","os":"m"}}"#, false),
        (r#"{"audit_event_id":"22","timestamp":"t","os":"m"#, false),
        (r#"{"audit_event_id":"22","timestamp": "t","os":"m"}"#, false),
        (r#"{"audit_event_id":"22","port":443}"#, false), // a number is not a text
    ] {
        assert_eq!(
            told(&mut Shapes::new(&Seeds::default()), &known, line.as_bytes()).is_some(),
            expected,
            "{line}"
        );
    }
    let mut wrong = br#"{"audit_event_id":"22","timestamp":"t","os":"?"}"#.to_vec();
    wrong[45] = 0xff;
    assert!(told(&mut Shapes::new(&Seeds::default()), &known, &wrong).is_none());
}

#[test]
fn shapes_are_bounded() {
    let mut shapes = Shapes::new(&Seeds::default());
    for number in 0..3 * SHAPES {
        let line = format!(r#"{{"audit_event_id":"1","number":{number}}}"#);
        shapes.learn(&line, &serde_json::from_str(&line).unwrap());
    }
    assert_eq!(shapes.known.len(), SHAPES);
    let mut shapes = Shapes::new(&Seeds::default());
    let line = format!(r#"{{"audit_event_id":"{}"}}"#, "1".repeat(LINE));
    shapes.learn(&line, &serde_json::from_str(&line).unwrap());
    assert!(shapes.known.is_empty());
}

/// Where a branch with many usual bytes leads nowhere, one with fewer of them is followed.
#[test]
fn shapes_with_the_same_beginning_do_not_hide_each_other() {
    let one = |id: usize| format!(r#"{{"audit_event_id":"{id}","os":"m","username":"a","x":"y"}}"#);
    let other = |id: usize, os: &str| {
        format!(r#"{{"audit_event_id":"{id}","os":"{os}","username":"a","z":"y"}}"#)
    };
    let mut shapes = Shapes::comparing(2, &Seeds::default());
    let mut found = Found::default();
    for line in [one(0), other(0, "m")] {
        shapes.learn(&line, &serde_json::from_str(&line).unwrap());
    }
    for line in [one(1), one(2), other(1, "m"), other(2, "l"), other(3, "m"), one(3)] {
        shapes.find(line.as_bytes(), &mut found).unwrap();
    }
    for (line, left) in [(one(4), 2), (other(4, "m"), 3), (other(5, "w"), 3)] {
        let alike = shapes.find(line.as_bytes(), &mut found).unwrap();
        assert_eq!(alike.spans.len(), left, "{line}");
        assert_eq!(alike.record(), serde_json::from_str(&line).unwrap());
    }
}
