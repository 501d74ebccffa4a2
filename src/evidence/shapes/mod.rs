//! Lines that differ from an earlier line in their texts alone.
//!
//! A program writes its records with the same fields in the same order. A line that was parsed
//! gives a shape: the bytes around the texts that are values. A later line with the same bytes
//! around its texts is the same JSON with other texts, and is not parsed again. Texts that all lines
//! of a shape had in common so far are compared together with the bytes around them: most lines then
//! differ in a few texts only.
//!
//! Invariant: a line that a shape matches gives the record that parsing it gives. No shape matches a
//! line with an escape or a control character in a text, so that the bytes of a text are its value.
//! The hashes of a line depend on nothing but its own bytes, whatever was learned before.

mod sample;
#[cfg(test)]
mod tests;
mod tree;

use std::borrow::Cow;
use std::iter;

use self::sample::Sample;
pub(super) use self::tree::Found;
use self::tree::Tree;
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

/// The shapes of earlier lines.
#[derive(Debug)]
pub(super) struct Shapes {
    seeds: Seeds,
    /// With all texts of a line.
    whole: Tree,
    /// With those texts alone that are not usual. They are tried first.
    usual: Tree,
    known: Vec<Known>,
    bytes: usize,
    /// As [`COMPARED`].
    compared: usize,
}

/// The place of a text in a line: its start and its end.
type Span = (usize, usize);

/// A shape, by all texts of its lines and by those that are not usual.
#[derive(Debug)]
struct Known {
    whole: Shape,
    sample: Sample,
    /// `None` until something is usual.
    usual: Option<(Vec<Box<[u8]>>, Shape)>,
}

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
    names: Hashing,
    /// All other texts of the record.
    others: Hashing,
}

/// Some texts of a line, as a hash: the sum of the hash of the shape and of those of each text.
#[derive(Clone, Debug)]
struct Hashing {
    /// The sum of what all lines of the shape have in common.
    same: [u64; 2],
    /// The numbers of the others, in the line and in the whole shape.
    texts: Vec<(usize, usize)>,
}

/// A line that a shape matches.
#[derive(Debug)]
pub(super) struct Alike<'s, 'l> {
    seeds: &'s Seeds,
    shape: &'s Shape,
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

impl Shapes {
    pub(super) fn new(seeds: &Seeds) -> Self {
        Self::comparing(COMPARED, seeds)
    }

    /// As [`COMPARED`].
    pub(super) fn comparing(compared: usize, seeds: &Seeds) -> Self {
        let (whole, usual) = (Tree::default(), Tree::default());
        Self { seeds: seeds.clone(), whole, usual, known: Vec::new(), bytes: 0, compared }
    }

    /// Matches the first line of these bytes. Blanks in front of the line are not expected.
    pub(super) fn find<'s, 'l>(
        &'s mut self,
        bytes: &'l [u8],
        found: &'s mut Found,
    ) -> Option<Alike<'s, 'l>> {
        let usual = self.usual.find(bytes, found);
        let (number, length) = match usual {
            Some(same) => same,
            None => {
                let (number, length) = self.whole.find(bytes, found)?;
                self.compare(number, bytes.get(..length)?, &found.spans);
                (number, length)
            }
        };
        let (known, line) = (self.known.get(number)?, bytes.get(..length)?);
        let shape = match usual {
            Some(_) => &known.usual.as_ref()?.1,
            None => &known.whole,
        };
        Some(Alike { seeds: &self.seeds, shape, spans: &found.spans, line, length })
    }

    /// Compares a line that is not as usual with others before it.
    fn compare(&mut self, number: usize, line: &[u8], spans: &[Span]) {
        let Some(known) = self.known.get_mut(number) else { return };
        if line.len() > LINE || !known.sample.add(line, spans, self.compared) {
            return;
        }
        let Known { whole, sample, usual } = known;
        *usual =
            sample.has_usual().then(|| (sample.between(), whole.with_usual(sample, &self.seeds)));
        self.usual = Tree::default();
        for (number, known) in self.known.iter().enumerate() {
            if let Some((between, _)) = &known.usual {
                self.usual.insert(between, number);
            }
        }
    }

    /// Keeps the shape of a line, which this record was parsed from.
    pub(super) fn learn(&mut self, line: &str, record: &Record<'_>) {
        // A page holds many records, and the count of an aggregation is not a text of a record.
        let is_simple = record.events.is_none()
            && record.is_object
            && record.count.0.is_empty()
            && !line.contains('\\');
        let is_full = self.known.len() >= SHAPES || self.bytes >= BYTES;
        if !is_simple || line.len() > LINE || is_full {
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
            // A text that is not in the line was written as a number, or is missing.
            is_plain &= number.is_some() || text.is_empty();
            texts.push(number);
            Cow::Borrowed("")
        });
        if !is_plain || !self.whole.insert(&between, self.known.len()) {
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
        let mut named = numbers(record.users().chain(record.machines()), number);
        named.sort_unstable();
        named.dedup();
        let told_apart = identities.iter().chain(&times).chain(&named).copied();
        let sample = Sample::new(starts.len(), told_apart.clone());
        let mut others: Vec<usize> = texts.iter().copied().flatten().collect();
        others.retain(|one| !told_apart.clone().any(|other| other == *one));
        others.sort_unstable();
        others.dedup();
        // These bytes are the line with empty texts, so that no two shapes have the same.
        let own = self.seeds.hash(usize::MAX, between.iter().map(|own| own.as_bytes()));
        let hashing = |texts: Vec<usize>| Hashing {
            same: own,
            texts: texts.into_iter().map(|text| (text, text)).collect(),
        };
        let (names, others) = (hashing(named), hashing(others));
        let whole = Shape { record: empty, texts, identities, times, names, others };
        self.known.push(Known { whole, sample, usual: None });
        self.bytes += line.len();
    }
}

impl Shape {
    /// The same shape, with the usual texts as a part of its record.
    fn with_usual(&self, sample: &Sample, seeds: &Seeds) -> Self {
        let numbers = sample.numbers();
        let new = |old: usize| numbers.get(old).copied().flatten();
        let mut texts = self.texts.iter();
        let record = self.record.clone().map(&mut |text| {
            let usual = texts.next().copied().flatten().and_then(|number| sample.usual(number));
            usual.map_or(text, |usual| Cow::Owned(usual.to_owned()))
        });
        let all = |numbers: &[usize]| numbers.iter().copied().filter_map(new).collect();
        let hashing = |own: &Hashing| {
            let mut same = own.same;
            let mut texts = Vec::new();
            for (_, number) in &own.texts {
                match (new(*number), sample.usual(*number)) {
                    (Some(new), _) => texts.push((new, *number)),
                    (None, Some(usual)) => {
                        add(&mut same, text_hash(seeds, *number, usual.as_bytes()))
                    }
                    (None, None) => {}
                }
            }
            Hashing { same, texts }
        };
        Self {
            record,
            texts: self.texts.iter().map(|number| number.and_then(new)).collect(),
            identities: all(&self.identities),
            times: all(&self.times),
            names: hashing(&self.names),
            others: hashing(&self.others),
        }
    }
}

/// The hash of the text of a number in a shape.
fn text_hash(seeds: &Seeds, number: usize, text: &[u8]) -> [u64; 2] {
    seeds.hash(number, iter::once(text))
}

fn add(sum: &mut [u64; 2], [one, other]: [u64; 2]) {
    let [sum_of_one, sum_of_other] = sum;
    *sum_of_one = sum_of_one.wrapping_add(one);
    *sum_of_other = sum_of_other.wrapping_add(other);
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

impl<'l> Alike<'_, 'l> {
    /// The hash of the shape and of the texts that name users and machines.
    pub(super) fn hash_of_names(&self) -> [u64; 2] {
        self.hash(&self.shape.names)
    }

    /// The hash of the shape and of all other texts of the record, without identity and time.
    pub(super) fn hash_of_others(&self) -> [u64; 2] {
        self.hash(&self.shape.others)
    }

    fn hash(&self, hashing: &Hashing) -> [u64; 2] {
        let mut sum = hashing.same;
        for (at, number) in &hashing.texts {
            add(&mut sum, text_hash(self.seeds, *number, self.text(*at)));
        }
        sum
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
