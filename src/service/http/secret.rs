//! The secrets that a connection has sent. Every answer of a service is searched for them before
//! other code sees it.
//!
//! Invariant: filtered text holds no secret and no long part of one, neither as it was sent nor in
//! a usual encoding: percent-encoding, JSON, HTML, base64 or base32 (alone, or with other text
//! around it), character codes, reversed. Other characters between its letters and digits, such as
//! line ends, are ignored.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use super::spellings;

/// The shortest secret that is removed from messages: a shorter one would match common words.
const SHORTEST: usize = 4;
/// The shortest secret that is removed from objects: a weak password may be a word of a policy.
const SHORTEST_IN_OBJECTS: usize = 8;
/// The length of a part that counts as the secret. For a shorter secret, three quarters of it
/// count.
const LONG: usize = 16;
/// The most characters of a piece of a secret that is searched for: shorter pieces would match more
/// of other texts, and longer ones would be more to search for.
const PIECE: usize = 6;

/// The text that replaces a secret.
const REDACTED: &str = "[secret]";

/// Every secret of one connection: the credentials and the tokens made from them.
#[derive(Default)]
pub(super) struct Secrets(Mutex<Known>);

/// The secrets at one time.
#[derive(Clone, Default)]
struct Known(Vec<Arc<Forms>>);

/// Every form of one secret.
struct Forms {
    /// The forms that are searched for in the text itself.
    verbatim: Patterns,
    /// The forms that are searched for in the letters and digits of a text.
    letters: Patterns,
}

/// Forms, and the automaton that finds pieces of them.
struct Patterns {
    forms: Vec<Form>,
    /// Built at the first search.
    pieces: OnceLock<Pieces>,
}

/// Pieces of forms: each part of a form of the minimum length holds one of them as a whole, wherever
/// the part starts.
struct Pieces {
    /// `None` if there are more pieces than an automaton can hold.
    automaton: Option<AhoCorasick>,
    /// For each pattern of the automaton, its form and its offset in that form.
    origins: Vec<(usize, usize)>,
}

/// One way to write a secret.
struct Form {
    text: SecretString,
    /// The length of a contiguous part that counts as the secret.
    least: usize,
    /// True if adjacent base64 digits belong to it: its ends depend on the text encoded around it.
    base64: bool,
}

impl Secrets {
    pub(super) fn add(&self, secret: &SecretString) {
        let secret = secret.expose_secret();
        let Known(known) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if secret.len() >= SHORTEST && !known.iter().any(|forms| forms.is_of(secret)) {
            known.push(Arc::new(Forms::new(secret)));
        }
    }

    /// The current secrets, without blocking those who add to them.
    fn known(&self) -> Known {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The text of a message, without secrets.
    pub(super) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.known().redact(text, SHORTEST)
    }

    /// The object of an answer without secrets in its keys and texts; `None` if it has none.
    pub(super) fn redact_object(&self, body: &[u8]) -> Option<Value> {
        let known = self.known();
        // A text may be escaped in JSON; without escapes, searching the bytes is enough.
        if !body.contains(&b'\\') && !known.may_match(body) {
            return None;
        }
        let mut value = serde_json::from_slice(body).ok()?;
        known.redact_value(&mut value).then_some(value)
    }
}

impl Forms {
    fn new(secret: &str) -> Self {
        let escaped = spellings::escaped(secret);
        // The letters of a short secret may be those of ordinary words.
        let words =
            escaped.iter().map(|form| spellings::letters(form)).filter(|form| form.len() >= LONG);
        let encoded = spellings::encoded(secret)
            .into_iter()
            .filter(|(form, _)| form.len() >= SHORTEST_IN_OBJECTS);
        let letters = Patterns::new(words.map(|form| (form, false)).chain(encoded));
        Self { verbatim: Patterns::new(escaped.into_iter().map(|form| (form, false))), letters }
    }

    fn is_of(&self, secret: &str) -> bool {
        self.verbatim.forms.first().is_some_and(|form| form.text.expose_secret() == secret)
    }
}

impl Known {
    /// Returns `true` if a text may hold a part of a secret.
    fn may_match(&self, text: &[u8]) -> bool {
        let is_in = |patterns: &Patterns, text: &[u8]| {
            patterns.pieces().automaton.as_ref().is_some_and(|own| own.is_match(text))
        };
        let letters = LazyCell::new(|| spellings::letters(&String::from_utf8_lossy(text)));
        let Self(all) = self;
        all.iter().any(|forms| is_in(&forms.verbatim, text))
            || all.iter().any(|forms| is_in(&forms.letters, letters.as_bytes()))
    }

    fn redact<'a>(&self, text: &'a str, shortest: usize) -> Cow<'a, str> {
        let found = self.find(text, shortest);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut safe = String::with_capacity(text.len());
        let mut done = 0;
        for Range { start, end } in found {
            safe.push_str(text.get(done..start).unwrap_or_default());
            // Adjacent parts are merged.
            if start > done || done == 0 {
                safe.push_str(REDACTED);
            }
            done = end;
        }
        safe.push_str(text.get(done..).unwrap_or_default());
        Cow::Owned(safe)
    }

    /// The ranges of secrets, in order and without overlaps, at character boundaries.
    fn find(&self, text: &str, shortest: usize) -> Vec<Range<usize>> {
        let Self(all) = self;
        let letters = spellings::letters(text);
        let mut found: Vec<(Range<usize>, &Form)> =
            all.iter().flat_map(|forms| forms.verbatim.find(text.as_bytes())).collect();
        let in_letters: Vec<(Range<usize>, &Form)> =
            all.iter().flat_map(|forms| forms.letters.find(letters.as_bytes())).collect();
        if !in_letters.is_empty() {
            let positions = spellings::positions(text);
            let position = |range: Range<usize>| {
                let (first, last) =
                    (positions.get(range.start)?, positions.get(range.end.checked_sub(1)?)?);
                Some(first.start..last.end)
            };
            found.extend(
                in_letters.into_iter().filter_map(|(range, form)| Some((position(range)?, form))),
            );
        }
        let mut found: Vec<Range<usize>> = found
            .into_iter()
            .map(
                |(range, form)| {
                    if form.base64 { whole_digits(text.as_bytes(), range) } else { range }
                },
            )
            .filter(|range| range.len() >= shortest)
            .map(|range| text.floor_char_boundary(range.start)..text.ceil_char_boundary(range.end))
            .collect();
        found.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
        found.dedup_by(|later, earlier| {
            let overlap = later.start < earlier.end;
            if overlap {
                earlier.end = earlier.end.max(later.end);
            }
            overlap
        });
        found
    }

    /// Returns `true` if anything was removed.
    fn redact_value(&self, value: &mut Value) -> bool {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
            Value::String(text) => match self.redact(text, SHORTEST_IN_OBJECTS) {
                Cow::Borrowed(_) => false,
                Cow::Owned(safe) => {
                    *text = safe;
                    true
                }
            },
            Value::Array(items) => {
                items.iter_mut().filter_map(|item| self.redact_value(item).then_some(())).count()
                    > 0
            }
            Value::Object(entries) => {
                let any = entries
                    .values_mut()
                    .filter_map(|value| self.redact_value(value).then_some(()))
                    .count()
                    > 0;
                if entries.keys().all(|key| self.find(key, SHORTEST_IN_OBJECTS).is_empty()) {
                    return any;
                }
                let named = |(key, value): (String, Value)| {
                    (self.redact(&key, SHORTEST_IN_OBJECTS).into_owned(), value)
                };
                *entries = std::mem::take(entries).into_iter().map(named).collect::<Map<_, _>>();
                true
            }
        }
    }
}

impl Patterns {
    /// Forms, each with `true` if it is base64.
    fn new(texts: impl IntoIterator<Item = (String, bool)>) -> Self {
        let mut forms: Vec<Form> = Vec::new();
        for (text, base64) in texts {
            let known = forms.iter().any(|form| form.text.expose_secret() == text);
            if text.len() >= SHORTEST && !known {
                let least = LONG.min((text.len() * 3 / 4).max(SHORTEST_IN_OBJECTS)).min(text.len());
                forms.push(Form { text: text.into(), least, base64 });
            }
        }
        Self { forms, pieces: OnceLock::new() }
    }

    fn pieces(&self) -> &Pieces {
        self.pieces.get_or_init(|| {
            let mut pieces: Vec<&[u8]> = Vec::new();
            let mut origins = Vec::new();
            for (index, form) in self.forms.iter().enumerate() {
                let size = PIECE.min(form.least / 2).max(1);
                // Wherever a part of the minimum length starts, the next piece is within it.
                let distance = form.least - size + 1;
                let text = form.text.expose_secret().as_bytes();
                for (offset, piece) in text.windows(size).enumerate().step_by(distance) {
                    pieces.push(piece);
                    origins.push((index, offset));
                }
            }
            // A table of all transitions would take longer to build than it saves in a run.
            let automaton = AhoCorasick::builder()
                .kind(Some(AhoCorasickKind::ContiguousNFA))
                .ascii_case_insensitive(true)
                .build(pieces)
                .ok();
            Pieces { automaton, origins }
        })
    }

    /// The parts of forms that a text holds.
    fn find(&self, text: &[u8]) -> Vec<(Range<usize>, &Form)> {
        let Pieces { automaton, origins } = self.pieces();
        let matches = automaton.iter().flat_map(|own| own.find_overlapping_iter(text));
        let part = |piece: aho_corasick::Match| {
            let (form, offset) = origins.get(piece.pattern().as_usize())?;
            let form = self.forms.get(*form)?;
            Some((form.around(text, piece.range(), *offset)?, form))
        };
        matches.filter_map(part).collect()
    }
}

impl Form {
    /// The part of this form around a piece of it; `None` if it is too short.
    fn around(&self, text: &[u8], piece: Range<usize>, offset: usize) -> Option<Range<usize>> {
        let form = self.text.expose_secret().as_bytes();
        let same = |(one, other): &(&u8, &u8)| one.eq_ignore_ascii_case(other);
        let before = text
            .get(..piece.start)?
            .iter()
            .rev()
            .zip(form.get(..offset)?.iter().rev())
            .take_while(same)
            .count();
        let after = text
            .get(piece.end..)?
            .iter()
            .zip(form.get(offset + piece.len()..)?)
            .take_while(same)
            .count();
        let (start, end) = (piece.start - before, piece.end + after);
        (end - start >= self.least).then_some(start..end)
    }
}

/// A range with the adjacent base64 digits.
fn whole_digits(text: &[u8], Range { start, end }: Range<usize>) -> Range<usize> {
    let digit = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
    let before = text.get(..start).unwrap_or_default().iter().rev().take_while(digit).count();
    let after = text.get(end..).unwrap_or_default().iter().take_while(digit).count();
    start - before..end + after
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
    use secrecy::SecretString;
    use serde_json::json;

    use super::Secrets;

    const PAT: &str = "dckr_pat_aB3-xY7_kLm9Qr2TzW5uVbN8cDe";
    const PASSWORD: &str = "pass \"w<rd\\&é/100%";
    const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzb21lb25lIiwiZXhwIjoxNzkyNTY4MjgwfQ.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg";

    fn secrets() -> Secrets {
        let secrets = Secrets::default();
        for secret in [PAT, PASSWORD, JWT, "short"] {
            secrets.add(&SecretString::from(secret));
        }
        secrets
    }

    fn each(secret: &str, spell: impl Fn(u8) -> String) -> String {
        secret.bytes().map(spell).collect()
    }

    /// A text in lines of so many characters.
    fn lines(text: &str, length: usize) -> String {
        let characters: Vec<char> = text.chars().collect();
        characters.chunks(length).map(String::from_iter).collect::<Vec<_>>().join("\n")
    }

    fn wide(character: char) -> char {
        char::from_u32(u32::from(character) + 0xfee0).unwrap()
    }

    #[test]
    fn no_form_of_a_secret_comes_through() {
        let table: Vec<(&str, String)> = vec![
            ("as it is", PAT.to_owned()),
            ("in a sentence", format!("no `{PAT}` here")),
            ("in capitals", PAT.to_uppercase()),
            ("cut at its end", PAT[..PAT.len() - 1].to_owned()),
            ("cut at its start", PAT[3..].to_owned()),
            ("half of it", PAT[..18].to_owned()),
            ("its middle", PAT[10..30].to_owned()),
            ("base64", STANDARD.encode(PAT)),
            ("base64 without padding", STANDARD.encode(PAT).trim_end_matches('=').to_owned()),
            ("base64 for addresses", URL_SAFE.encode(PASSWORD)),
            ("basic", format!("Basic {}", STANDARD.encode(format!("someone:{PAT}")))),
            ("basic, another name", STANDARD.encode(format!("someone-else:{PAT}"))),
            ("basic, one more", STANDARD.encode(format!("ab:{PAT}"))),
            ("base64 inside of more", STANDARD.encode(format!(r#"{{"secret":"{PAT}"}}"#))),
            ("percent-encoded", "pass%20%22w%3crd%5c%26%c3%a9%2f100%25".to_owned()),
            ("as a form", "pass+%22w%3Crd%5C%26%C3%A9%2F100%25".to_owned()),
            ("JSON", json!(PASSWORD).to_string()),
            ("HTML", "pass &quot;w&lt;rd\\&amp;é/100%".to_owned()),
            ("percent-encoded wholly", each(PAT, |byte| format!("%{byte:02x}"))),
            ("hexadecimal", each(PAT, |byte| format!("{byte:02X}"))),
            ("claims of a JWT", JWT.split('.').nth(1).unwrap().to_owned()),
            ("signature of a JWT", JWT.split('.').nth(2).unwrap().to_owned()),
            ("a JWT without its signature", JWT.rsplit_once('.').unwrap().0.to_owned()),
            ("JWT in base64", URL_SAFE_NO_PAD.encode(JWT)),
            ("over several lines", lines(PAT, 7)),
            ("with blanks", lines(PAT, 1).replace('\n', " ")),
            ("with signs that show nothing", lines(PAT, 4).replace('\n', "\u{200b}")),
            ("wide", PAT.chars().map(wide).collect()),
            ("backwards", PAT.chars().rev().collect()),
            ("base64 over several lines", lines(&STANDARD.encode(format!("someone:{PAT}")), 9)),
            (
                "base64 twice",
                STANDARD.encode(format!(
                    r#"{{"auth":"{}"}}"#,
                    STANDARD.encode(format!("someone:{PAT}"))
                )),
            ),
            (
                "base32",
                "MRRWW4S7OBQXIX3BIIZS26CZG5PWWTDNHFIXEMSUPJLTK5KWMJHDQY2EMU======".to_owned(),
            ),
            ("percent-encoded twice", each(PAT, |byte| format!("%25{byte:02X}"))),
            ("signs percent-encoded", PAT.replace('_', "%5F").replace('-', "%2d")),
            ("hexadecimal with colons", each(PAT, |byte| format!("{byte:02x}:"))),
            ("as an array", each(PAT, |byte| format!("0x{byte:02X}, "))),
            ("numbers", each(PAT, |byte| format!("{byte}, "))),
            ("escapes of a shell", each(PAT, |byte| format!("\\x{byte:02x}"))),
            ("octal escapes", each(PAT, |byte| format!("\\{byte:03o}"))),
            ("escapes of JSON", each(PAT, |byte| format!("\\u{byte:04x}"))),
            ("references of HTML", each(PAT, |byte| format!("&#{byte};"))),
            ("references of HTML, hexadecimal", each(PAT, |byte| format!("&#x{byte:X};"))),
            ("quoted-printable", each(PAT, |byte| format!("={byte:02X}"))),
            ("UTF-16", each(PAT, |byte| format!("{byte:02x}00"))),
            ("short", "a short one".to_owned()),
        ];
        for (form, text) in table {
            let safe = secrets().redact(&text).into_owned();
            assert!(safe.contains("[secret]"), "{form}: {safe}");
            // Not even twelve consecutive characters remain; text around a secret may.
            for part in
                text.as_bytes().windows(12).filter(|_| form != "in a sentence" && form != "short")
            {
                assert!(
                    !safe.as_bytes().windows(12).any(|other| other == part),
                    "{form}: {safe} of {text}"
                );
            }
        }
    }

    #[test]
    fn each_part_of_the_minimum_length_is_found() {
        for secret in [PAT, JWT, "a-weak-password", "ninechars"] {
            let secrets = Secrets::default();
            secrets.add(&SecretString::from(secret));
            let least = 16.min((secret.len() * 3 / 4).max(8));
            for part in secret.as_bytes().windows(least) {
                let text = format!("<{}>", std::str::from_utf8(part).unwrap());
                assert_eq!(secrets.redact(&text), "<[secret]>", "{text}");
            }
        }
    }

    #[test]
    fn other_text_stays() {
        let blanks = "sho rt s-h-o-r-t dckr pat 64 63 6b 72 5f 70 100 99 107 114";
        for text in [
            "",
            "dckr_pat_",
            "dckr_pat_other",
            "password",
            "research",
            "né",
            "eyJhbGciOiJ",
            "shor t",
            "a%20b",
            blanks,
        ] {
            assert_eq!(secrets().redact(text), text);
        }
        // In a plan, a weak password is an ordinary word.
        assert_eq!(secrets().redact_object(br#"{"name": "a short one\n"}"#), None);
        assert_eq!(secrets().redact_object(br#"{"name": "research"}"#), None);
        assert_eq!(Secrets::default().redact_object(br#"{"name": "a\\b"}"#), None);
    }

    #[test]
    fn objects_hold_no_secret_in_texts_and_keys() {
        let escaped: String = PAT.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
        let table = [
            (json!({"org": PAT, "n": 1}).to_string(), json!({"org": "[secret]", "n": 1})),
            (
                json!({"a": [{"b": format!("x {PAT} y {PAT}")}]}).to_string(),
                json!({"a": [{"b": "x [secret] y [secret]"}]}),
            ),
            (json!({PAT: null, "b": "c"}).to_string(), json!({"[secret]": null, "b": "c"})),
            (format!(r#"{{"org": "{escaped}"}}"#), json!({"org": "[secret]"})),
            (json!({"org": PASSWORD}).to_string(), json!({"org": "[secret]"})),
        ];
        for (body, safe) in table {
            assert_eq!(secrets().redact_object(body.as_bytes()), Some(safe), "{body}");
        }
    }
}
