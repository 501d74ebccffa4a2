//! Lines that differ from an earlier line in their texts alone.
//!
//! A program writes its records with the same fields in the same order. A line that was parsed
//! gives a shape: the bytes around the texts that are values. A later line with the same bytes
//! around its texts is the same JSON with other texts, and is not parsed again. Where many lines in a
//! row had the same text, a second shape takes it as a part of the bytes around the others: most
//! lines then differ in a few texts only, and the rest of them is compared at once.
//!
//! Invariant: a line that a shape matches gives the record that parsing it gives. A text of such a
//! line has no escape and no control character, so that it is its own value; with any other line,
//! no shape matches.

use std::borrow::Cow;

use super::ids::Seeds;
use super::record::{Record, Text};

/// The most shapes of one thread.
const SHAPES: usize = 200;
/// The longest line that becomes a shape, in bytes.
const LINE: usize = 1 << 14;
/// The most bytes between texts of all shapes.
const BYTES: usize = 1 << 20;

/// The number of lines of a shape whose texts are compared, to find those that are usual.
const COMPARED: usize = 64;
/// The most shapes with usual texts that come of one without.
const USUAL: usize = 8;

/// The shapes of earlier lines.
#[derive(Debug)]
pub(super) struct Shapes {
    /// With all texts of a line.
    general: Tree,
    /// With those texts alone that are not usual. They are tried first.
    usual: Tree,
    shapes: Vec<Shape>,
    bytes: usize,
    /// As [`COMPARED`].
    compared: usize,
}

/// The ways to go on after a text; at first, those to begin. Lines that begin alike share them, and
/// longer ones precede their starts.
#[derive(Debug, Default)]
struct Tree(Vec<Vec<Branch>>);

#[derive(Debug)]
struct Branch {
    between: Box<[u8]>,
    then: Then,
}

#[derive(Clone, Copy, Debug)]
enum Then {
    /// A text, and the number of the node after it.
    Text(usize),
    /// The end of the line, and the number of its shape.
    End(usize),
}

/// The place of a text in a line: its start and its end.
pub(super) type Span = (usize, usize);

#[derive(Debug)]
struct Shape {
    /// The record without its texts.
    record: Record<'static>,
    /// For each text of the record, its number in the line.
    texts: Vec<Option<usize>>,
    /// The texts that may be the identity, and those that may be the time, in the order in which
    /// they apply.
    identities: Vec<usize>,
    times: Vec<usize>,
    /// The texts that name users and machines.
    named: Vec<usize>,
    names: Vec<Run>,
    /// All other texts of the record.
    others: Vec<Run>,
    /// `None` for a shape with usual texts.
    sample: Option<Sample>,
}

/// Lines that only a general shape matched.
#[derive(Debug, Default)]
struct Sample {
    /// The first of them.
    line: Vec<u8>,
    spans: Vec<Span>,
    /// The texts that were the same in all of them.
    same: Vec<bool>,
    lines: usize,
    /// The number of shapes with usual texts that samples have given.
    given: usize,
}

/// Texts in a row: the numbers of the first and of the last one.
type Run = (usize, usize);

/// A line that a shape matches.
#[derive(Debug)]
pub(super) struct Alike<'s, 'l> {
    shape: &'s Shape,
    number: usize,
    spans: &'s [Span],
    line: &'l [u8],
    /// The number of bytes up to the line's end.
    pub(super) length: usize,
}

/// A text of a line that a shape finds, or the mark of a line without that text.
type Unless<T> = Result<T, Unusual>;

/// A text that may be blank without being empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unusual;

impl Default for Shapes {
    fn default() -> Self {
        Self::comparing(COMPARED)
    }
}

impl Tree {
    /// Matches the first line of these bytes: the number of its shape, and the bytes up to its end.
    fn find(&self, bytes: &[u8], spans: &mut Vec<Span>) -> Option<(usize, usize)> {
        spans.clear();
        let (mut node, mut at, mut wide) = (0, 0, false);
        loop {
            let rest = bytes.get(at..)?;
            let branch =
                self.0.get(node)?.iter().find(|branch| rest.starts_with(&branch.between))?;
            at += branch.between.len();
            match branch.then {
                Then::Text(next) => {
                    let (length, more) = text_length(bytes.get(at..)?)?;
                    spans.push((at, at + length));
                    (node, at, wide) = (next, at + length, wide | more);
                }
                Then::End(number) => {
                    let rest = bytes.get(at..)?;
                    let is_blank = |byte: &&u8| byte.is_ascii_whitespace() && **byte != b'\n';
                    let length = at + rest.iter().take_while(is_blank).count();
                    let line = bytes.get(..length)?;
                    let is_whole = bytes.get(length).is_none_or(|byte| *byte == b'\n')
                        && (!wide || std::str::from_utf8(line).is_ok());
                    return is_whole.then_some((number, length));
                }
            }
        }
    }

    /// Adds the way to a new shape; `false` if it is known.
    fn insert(&mut self, between: &[&[u8]], number: usize) -> bool {
        let Self(nodes) = self;
        if nodes.is_empty() {
            nodes.push(Vec::new());
        }
        let mut node = 0;
        for (at, own) in between.iter().enumerate() {
            let is_last = at + 1 == between.len();
            let next = nodes.len();
            let Some(branches) = nodes.get_mut(node) else { return false };
            let known = branches.iter().find(|branch| {
                *branch.between == **own && matches!(branch.then, Then::End(_)) == is_last
            });
            match known.map(|branch| branch.then) {
                Some(Then::End(_)) => return false,
                Some(Then::Text(known)) => node = known,
                None => {
                    let then = if is_last { Then::End(number) } else { Then::Text(next) };
                    branches.push(Branch { between: (*own).into(), then });
                    branches.sort_by_key(|branch| std::cmp::Reverse(branch.between.len()));
                    if !is_last {
                        nodes.push(Vec::new());
                        node = next;
                    }
                }
            }
        }
        true
    }
}

impl Shapes {
    /// As [`COMPARED`].
    pub(super) fn comparing(compared: usize) -> Self {
        let (general, usual) = (Tree::default(), Tree::default());
        Self { general, usual, shapes: Vec::new(), bytes: 0, compared }
    }

    /// Matches the first line of these bytes. Blanks in front of the line are not expected.
    pub(super) fn find<'s, 'l>(
        &'s mut self,
        bytes: &'l [u8],
        spans: &'s mut Vec<Span>,
    ) -> Option<Alike<'s, 'l>> {
        let (number, length) = match self.usual.find(bytes, spans) {
            Some(found) => found,
            None => {
                let (number, length) = self.general.find(bytes, spans)?;
                self.compare(number, bytes.get(..length)?, spans);
                (number, length)
            }
        };
        let (shape, line) = (self.shapes.get(number)?, bytes.get(..length)?);
        Some(Alike { shape, number, spans, line, length })
    }

    /// Compares a line that only a general shape matched with others before it.
    fn compare(&mut self, number: usize, line: &[u8], spans: &[Span]) {
        let is_full = self.is_full();
        let Some(shape) = self.shapes.get_mut(number) else { return };
        let Some(sample) = shape.sample.as_mut().filter(|own| own.given < USUAL && !is_full) else {
            return;
        };
        if line.len() > LINE {
            return;
        }
        if sample.lines == 0 {
            sample.line = line.trim_ascii_end().to_vec();
            sample.spans = spans.to_vec();
            sample.same = vec![true; spans.len()];
            for own in shape.identities.iter().chain(&shape.times).chain(&shape.named) {
                if let Some(same) = sample.same.get_mut(*own) {
                    *same = false;
                }
            }
        }
        for ((same, first), own) in sample.same.iter_mut().zip(&sample.spans).zip(spans) {
            *same &= sample.line.get(first.0..first.1) == line.get(own.0..own.1);
        }
        sample.lines += 1;
        if sample.lines < self.compared {
            return;
        }
        sample.lines = 0;
        let given = sample.given + 1;
        let sample = std::mem::replace(sample, Sample { given, ..Sample::default() });
        if sample.same.contains(&true) {
            let usual = shape.with_usual(&sample);
            self.bytes += sample.line.len();
            if self.usual.insert(&sample.between(), self.shapes.len()) {
                self.shapes.push(usual);
            }
        }
    }

    fn is_full(&self) -> bool {
        self.shapes.len() >= SHAPES || self.bytes >= BYTES
    }

    /// Keeps the shape of a line, which this record was parsed from.
    pub(super) fn learn(&mut self, line: &str, record: &Record<'_>) {
        // A page holds many records; how many an aggregation counts is no text of a record.
        let is_simple = record.events.is_none()
            && record.is_object
            && record.count.0.is_empty()
            && !line.contains('\\');
        if !is_simple || line.len() > LINE || self.is_full() {
            return;
        }
        let (between, starts) = divided(line);
        let number = |text: &str| {
            let start = text.as_ptr().addr().wrapping_sub(line.as_ptr().addr());
            starts.binary_search(&start).ok()
        };
        let mut is_plain = number(&record.count.0).is_none();
        let mut texts = Vec::new();
        let empty = record.clone().map(&mut |text| {
            let number = number(&text);
            // What is not in the line is written as a number, or there is none.
            is_plain &= number.is_some() || text.is_empty();
            texts.push(number);
            Cow::Borrowed("")
        });
        if !is_plain {
            return;
        }
        fn numbers<'t>(
            texts: impl Iterator<Item = &'t Text<'t>>,
            number: impl Fn(&str) -> Option<usize>,
        ) -> Vec<usize> {
            texts.filter_map(|one| number(&one.0)).collect()
        }
        let (identities, times) =
            (numbers(record.identities(), number), numbers(record.times(), number));
        let named = numbers(record.users().chain(record.machines()), number);
        let between: Vec<&[u8]> = between.into_iter().map(str::as_bytes).collect();
        if self.general.insert(&between, self.shapes.len()) {
            let sample = Some(Sample::default());
            self.shapes.push(Shape::new(empty, texts, [identities, times, named], sample));
            self.bytes += line.len();
        }
    }
}

impl Shape {
    fn new(
        record: Record<'static>,
        texts: Vec<Option<usize>>,
        [identities, times, named]: [Vec<usize>; 3],
        sample: Option<Sample>,
    ) -> Self {
        let mut others: Vec<usize> = texts.iter().copied().flatten().collect();
        others.retain(|one| ![&identities, &times, &named].iter().any(|all| all.contains(one)));
        let (names, others) = (runs(named.clone()), runs(others));
        Self { record, texts, identities, times, named, names, others, sample }
    }

    /// The same shape, with the texts that were the same in a sample as a part of its record.
    fn with_usual(&self, sample: &Sample) -> Self {
        let mut next = 0..;
        let new: Vec<Option<usize>> =
            sample.same.iter().map(|same| if *same { None } else { next.next() }).collect();
        let new = |old: usize| new.get(old).copied().flatten();
        let mut numbers = self.texts.iter();
        let record = self.record.clone().map(&mut |text| {
            let number = numbers.next().copied().flatten();
            match number.filter(|number| new(*number).is_none()) {
                Some(number) => Cow::Owned(sample.text(number).to_owned()),
                None => text,
            }
        });
        let texts = self.texts.iter().map(|number| number.and_then(new)).collect();
        let told = [&self.identities, &self.times, &self.named];
        let told = told.map(|numbers| numbers.iter().copied().filter_map(new).collect());
        Self::new(record, texts, told, None)
    }
}

/// The runs of these texts.
fn runs(mut numbers: Vec<usize>) -> Vec<Run> {
    numbers.sort_unstable();
    let runs = numbers.chunk_by(|one, other| one + 1 == *other);
    runs.filter_map(|run| Some((*run.first()?, *run.last()?))).collect()
}

impl Sample {
    fn text(&self, number: usize) -> &str {
        let span = self.spans.get(number).copied().unwrap_or_default();
        let text = self.line.get(span.0..span.1).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }

    /// The parts of the line around the texts that were not the same.
    fn between(&self) -> Vec<&[u8]> {
        let mut from = 0;
        let mut between = Vec::new();
        for (span, _) in self.spans.iter().zip(&self.same).filter(|(_, same)| !**same) {
            between.push(self.line.get(from..span.0).unwrap_or_default());
            from = span.1;
        }
        between.push(self.line.get(from..).unwrap_or_default());
        between
    }
}

/// The parts of a line without escapes around its texts that are values, and where those start.
fn divided(line: &str) -> (Vec<&str>, Vec<usize>) {
    let (mut between, mut starts) = (Vec::new(), Vec::new());
    let mut quotes = line.match_indices('"').map(|(at, _)| at);
    let mut from = 0;
    while let (Some(open), Some(close)) = (quotes.next(), quotes.next()) {
        let after = line.get(close + 1..).unwrap_or_default();
        if !after.trim_ascii_start().starts_with(':') {
            between.push(line.get(from..=open).unwrap_or_default());
            starts.push(open + 1);
            from = close;
        }
    }
    between.push(line.get(from..).unwrap_or_default());
    (between, starts)
}

/// The length of a text up to its quote, and whether it may hold more than ASCII; `None` if an
/// escape or a control character comes first.
fn text_length(bytes: &[u8]) -> Option<(usize, bool)> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    // The lowest bit of each of these is right: what is below a byte that is found borrows nothing.
    let is_zero = |word: u64| word.wrapping_sub(EACH) & !word;
    let is_control = |word: u64| word.wrapping_sub(0x20 * EACH) & !word;
    let (mut at, mut wide) = (0, 0);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        let ends = is_zero(word ^ (0x22 * EACH)) | is_zero(word ^ (0x5c * EACH)) | is_control(word);
        wide |= word & HIGH;
        if ends & HIGH != 0 {
            at += (ends & HIGH).trailing_zeros() as usize / 8;
            return (bytes.get(at) == Some(&b'"')).then_some((at, wide != 0));
        }
        at += 8;
    }
    let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20))?;
    wide |= u64::from(!rest.is_ascii());
    (rest.get(end) == Some(&b'"')).then_some((at + end, wide != 0))
}

impl<'l> Alike<'_, 'l> {
    /// The hash of the shape and of the texts that name users and machines.
    pub(super) fn hash_of_names(&self, seeds: &Seeds) -> [u64; 2] {
        self.hash(seeds, &self.shape.names)
    }

    /// The hash of the shape and of all other texts of the record, without identity and time.
    pub(super) fn hash_of_others(&self, seeds: &Seeds) -> [u64; 2] {
        self.hash(seeds, &self.shape.others)
    }

    fn hash(&self, seeds: &Seeds, runs: &[Run]) -> [u64; 2] {
        let texts = runs.iter().filter_map(|(first, last)| {
            let (start, end) = (self.spans.get(*first)?.0, self.spans.get(*last)?.1);
            // The quote at the end cannot be in a text, so that no two lists of them look alike.
            self.line.get(start..=end)
        });
        seeds.hash(self.number, texts)
    }

    /// The identity; empty if there is none.
    pub(super) fn identity(&self) -> Unless<&'l [u8]> {
        self.first_of(&self.shape.identities)
    }

    /// The time; empty if there is none.
    pub(super) fn time(&self) -> Unless<&'l [u8]> {
        self.first_of(&self.shape.times)
    }

    /// The first text that is not blank.
    fn first_of(&self, numbers: &[usize]) -> Unless<&'l [u8]> {
        let mut texts = numbers.iter().map(|number| self.text(*number));
        let first = texts.find(|text| !text.is_empty()).unwrap_or_default();
        let is_usual = first.first().is_none_or(u8::is_ascii_graphic);
        if is_usual { Ok(first) } else { Err(Unusual) }
    }

    fn text(&self, number: usize) -> &'l [u8] {
        let span = self.spans.get(number).copied().unwrap_or_default();
        self.line.get(span.0..span.1).unwrap_or_default()
    }

    /// The record.
    pub(super) fn record(&self) -> Record<'l> {
        let mut numbers = self.shape.texts.iter();
        self.shape.record.clone().map(&mut |text| match numbers.next().copied().flatten() {
            Some(number) => {
                Cow::Borrowed(std::str::from_utf8(self.text(number)).unwrap_or_default())
            }
            None => text,
        })
    }
}

#[cfg(test)]
mod tests {
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
        let mut spans = Vec::new();
        for known in known {
            if shapes.find(known.as_bytes(), &mut spans).is_none()
                && let Ok(record) = serde_json::from_str::<Record<'_>>(known)
            {
                shapes.learn(known, &record);
            }
        }
        let alike = shapes.find(line, &mut spans)?;
        assert!(alike.length == line.len() || line[alike.length] == b'\n');
        Some((alike.record(), alike.identity(), alike.time()))
    }

    /// The record of a line, and the hashes of its names and of its other texts.
    fn hashed<'l>(
        shapes: &mut Shapes,
        seeds: &Seeds,
        line: &'l str,
    ) -> Option<(Record<'l>, [[u64; 2]; 2])> {
        let mut spans = Vec::new();
        let alike = shapes.find(line.as_bytes(), &mut spans)?;
        Some((alike.record(), [alike.hash_of_names(seeds), alike.hash_of_others(seeds)]))
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
            // What lines like the first one have in common becomes usual.
            let alike = others.iter().map(|texts| with_texts(&known[0], texts));
            let known: Vec<String> = known.iter().cloned().chain(alike).collect();
            let mut shapes = Shapes::comparing(compared);
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

        /// Lines with the same hash are about the same, at other times.
        #[test]
        fn what_counts_together_differs_in_identity_and_time_alone(
            line in line(), texts in prop::collection::vec(prop::option::weighted(0.3, text()), 0..12),
            compared in prop::sample::select(vec![1, 2, COMPARED]),
        ) {
            let other = with_texts(&line, &texts);
            let mut shapes = Shapes::comparing(compared);
            if told(&mut shapes, std::slice::from_ref(&line), line.as_bytes()).is_none() {
                return Ok(());
            }
            let seeds = Seeds::default();
            let (one, [one_names, one_others]) = hashed(&mut shapes, &seeds, &line).unwrap();
            let Some((other, [other_names, other_others])) = hashed(&mut shapes, &seeds, &other) else {
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
            // Shapes with usual texts have numbers of their own.
            if compared < COMPARED {
                prop_assert!(!hashes.0 || has_same_names, "{} {:?}", line, texts);
                prop_assert!(hashes != (true, true) || one == other, "{} {:?}", line, texts);
            } else {
                prop_assert_eq!(hashes.0, has_same_names, "{} {:?}", line, texts);
                prop_assert_eq!(hashes == (true, true), one == other, "{} {:?}", line, texts);
            }
        }
    }

    #[test]
    fn usual_texts_are_no_longer_looked_at() {
        let line = |id: usize, os: &str, who: &str| {
            format!(
                r#"{{"audit_event_id":"{id}","os":"{os}","username":"{who}","resource_id":"a:1"}}"#
            )
        };
        let mut shapes = Shapes::comparing(3);
        let mut spans = Vec::new();
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
            (line(9, "macos", "bob"), 2),
        ] {
            let alike = shapes.find(line.as_bytes(), &mut spans).unwrap();
            assert_eq!(alike.spans.len(), left, "{line}");
            assert_eq!(alike.record(), serde_json::from_str(&line).unwrap());
        }
    }

    #[test]
    fn shapes_are_used_and_what_is_unusual_is_not() {
        let known = [
            r#"{"audit_event_id":"1","timestamp":"t","os":"x","payload":{"username":"a"}}"#
                .to_owned(),
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
            (r#"{"audit_event_id":"22","port":443}"#, false), // a number is no text of the line
        ] {
            assert_eq!(
                told(&mut Shapes::default(), &known, line.as_bytes()).is_some(),
                expected,
                "{line}"
            );
        }
        let mut wrong = br#"{"audit_event_id":"22","timestamp":"t","os":"?"}"#.to_vec();
        wrong[45] = 0xff;
        assert!(told(&mut Shapes::default(), &known, &wrong).is_none());
    }

    #[test]
    fn shapes_are_bounded() {
        let mut shapes = Shapes::default();
        for number in 0..3 * SHAPES {
            let line = format!(r#"{{"audit_event_id":"1","number":{number}}}"#);
            shapes.learn(&line, &serde_json::from_str(&line).unwrap());
        }
        assert_eq!(shapes.shapes.len(), SHAPES);
        let mut shapes = Shapes::default();
        let line = format!(r#"{{"audit_event_id":"{}"}}"#, "1".repeat(LINE));
        shapes.learn(&line, &serde_json::from_str(&line).unwrap());
        assert!(shapes.shapes.is_empty());
    }
}
