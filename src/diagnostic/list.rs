//! Lists in texts for people: the first items, and the number of the others.
//!
//! Invariant: every list counts the items that it leaves out, and never leaves out just one: to
//! count it takes as much room as the item.

use std::collections::BTreeSet;

/// The number of items that a sentence lists.
pub const MOST: usize = 12;

/// Number of items to show of a list of `all`: `most`, or one more so that no single item is left
/// out.
#[must_use]
pub fn shown(all: usize, most: usize) -> usize {
    if all <= most.saturating_add(1) { all } else { most }
}

/// The items of a list to show, and the number of those that are left out: see [`shown`].
#[must_use]
pub fn first<T>(items: &[T], most: usize) -> (&[T], usize) {
    let (first, rest) = items.split_at(shown(items.len(), most));
    (first, rest.len())
}

/// The items as a part of a sentence: `a, b, c`; of many, the first [`MOST`]: `a, b and 7 more`.
#[must_use]
pub fn listed(items: &[impl AsRef<str>]) -> String {
    separated(items, ", ")
}

/// The same with another separator.
#[must_use]
pub fn separated(items: &[impl AsRef<str>], separator: &str) -> String {
    let (first, more) = first(items, MOST);
    counted(first, separator, more)
}

/// The noun for so many things: `rule` for one, `rules` or `policies` for others.
#[must_use]
pub fn noun(number: usize, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => noun.to_owned(),
        (_, Some(stem)) => format!("{stem}ies"),
        (_, None) => format!("{noun}s"),
    }
}

/// The first items, and the number of the others: `a, b and 7 more`.
#[must_use]
pub fn counted(first: &[impl AsRef<str>], separator: &str, more: usize) -> String {
    let text = first.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(separator);
    if more > 0 { format!("{text} and {more} more") } else { text }
}

/// Names in backticks, sanitized, as [`listed`] lists them.
#[must_use]
pub fn quoted(names: &[impl AsRef<str>]) -> String {
    let quote = |name: &_| format!("`{}`", super::sanitize::line(AsRef::as_ref(name)));
    listed(&names.iter().map(quote).collect::<Vec<_>>())
}

/// Lines of a message; of many, the first [`MOST`], and a line that counts the others.
#[must_use]
pub fn rows(rows: &[impl AsRef<str>]) -> String {
    let (first, more) = first(rows, MOST);
    let text = first.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("\n");
    if more > 0 { format!("{text}\n  … and {more} more") } else { text }
}

/// Numbers of lines of a file: `line 5`, `lines 16-19, 23`; of many, the first [`MOST`] ranges:
/// `lines 16-19, 23 and 40 more lines`. Empty without lines.
#[must_use]
pub fn lines(lines: &BTreeSet<usize>) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for line in lines {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *line => *last = *line,
            Some(_) | None => ranges.push((*line, *line)),
        }
    }
    let (first, _) = first(&ranges, MOST);
    let more = lines.len() - first.iter().map(|(first, last)| last - first + 1).sum::<usize>();
    let text = |(first, last): &(usize, usize)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    let texts = first.iter().map(text).collect::<Vec<_>>().join(", ");
    match (lines.len(), more) {
        (0, _) => texts,
        (1, _) => format!("line {texts}"),
        (_, 0) => format!("lines {texts}"),
        (_, more) => format!("lines {texts} and {more} more lines"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{MOST, listed};

    #[test]
    fn a_list_counts_what_it_leaves_out_and_never_just_one() {
        let names = |count: usize| (1..=count).map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(listed(&names(0)), "");
        assert_eq!(listed(&names(3)), "1, 2, 3");
        assert!(listed(&names(MOST + 1)).ends_with(", 12, 13"));
        assert!(listed(&names(MOST + 2)).ends_with(", 11, 12 and 2 more"));
    }

    #[test]
    fn lines_are_written_as_ranges() {
        let lines = |lines: &[usize]| super::lines(&lines.iter().copied().collect());
        assert_eq!(lines(&[]), "");
        assert_eq!(lines(&[7]), "line 7");
        assert_eq!(lines(&[23, 16, 17, 18, 19, 40, 41]), "lines 16-19, 23, 40-41");
        let thousands: BTreeSet<usize> = (16..4_000).collect();
        assert_eq!(super::lines(&thousands), "lines 16-3999");
        // Rules of three lines, so that no two numbers are neighbours.
        let apart: BTreeSet<usize> = (0..3_245).map(|rule| 16 + 3 * rule).collect();
        assert_eq!(
            super::lines(&apart),
            "lines 16, 19, 22, 25, 28, 31, 34, 37, 40, 43, 46, 49 and 3233 more lines"
        );
    }
}
