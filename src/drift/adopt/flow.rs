//! Edits of a list in brackets that has comments: item by item.
//!
//! Invariant: comments stay, except for one after a removed item on the same line.

use std::ops::Range;

use serde_json::Value;

use super::text::{Edits, Refusal};
use crate::source::emit;
use crate::source::outline::{Node, Shape};

/// Returns `true` if the list contains anything but items, commas and blanks: comments.
pub(super) fn has_comments(edits: &Edits<'_>, value: &Node) -> bool {
    let Shape::Sequence { flow: true, items } = &value.shape else { return false };
    let mut from = value.span.start;
    let ends = items
        .iter()
        .map(|item| item.span.clone())
        .chain(std::iter::once(value.span.end..value.span.end));
    ends.into_iter().any(|span| {
        let between = edits.text.get(from..span.start).unwrap_or_default();
        from = span.end;
        between.contains('#')
    })
}

/// Removes the items that are not kept, and adds others after the last kept one.
pub(super) fn edit(
    edits: &mut Edits<'_>,
    value: &Node,
    keep: &[bool],
    added: &[Value],
) -> Result<(), Refusal> {
    let Shape::Sequence { items, .. } = &value.shape else { return Ok(()) };
    let text = edits.text;
    let commas: Vec<Option<usize>> = items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let end = items.get(index + 1).map_or(value.span.end, |next| next.span.start);
            comma(text, item.span.end..end)
        })
        .collect();
    let before = |index: usize| {
        index
            .checked_sub(1)
            .and_then(|index| items.get(index))
            .map_or(value.span.start, |one| one.span.end)
    };
    for (index, item) in items.iter().enumerate() {
        let between = text.get(before(index)..item.span.start).unwrap_or_default();
        let bare: String =
            between.lines().map(|line| line.split('#').next().unwrap_or_default()).collect();
        if matches!(item.shape, Shape::Alias) || bare.contains(['&', '!']) {
            return Err("an item has an anchor, an alias or a tag".to_owned());
        }
    }
    let last_kept = keep.iter().rposition(|keep| *keep);
    for ((item, comma), keep) in items.iter().zip(&commas).zip(keep) {
        if !keep {
            edits.replace(gone(text, &item.span, *comma), "");
        }
    }
    let trailing = commas.last().copied().flatten().is_some();
    let Some((kept, comma)) =
        last_kept.and_then(|kept| Some((items.get(kept)?, *commas.get(kept)?)))
    else {
        let at = value.span.start + 1;
        let inside: Vec<String> = added.iter().map(emit::flow).collect();
        edits.replace(at..at, inside.join(", "));
        return Ok(());
    };
    let is_last = last_kept == items.len().checked_sub(1);
    if added.is_empty() {
        if let (Some(comma), false, false) = (comma, is_last, trailing) {
            edits.replace(comma..comma + 1, "");
        }
        return Ok(());
    }
    let line =
        text.get(..kept.span.start).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    let indent = text.get(line..kept.span.start).unwrap_or_default();
    let alone = !indent.is_empty() && indent.trim().is_empty();
    let ends_line = comma.map_or(kept.span.end, |comma| comma + 1);
    let rest = text.get(ends_line..edits.line_end(ends_line)).unwrap_or_default().trim();
    if alone && (rest.is_empty() || rest.starts_with('#')) {
        // On separate lines, after the comment of the item before.
        if comma.is_none() {
            edits.replace(kept.span.end..kept.span.end, ",");
        }
        let lines: Vec<String> =
            added.iter().map(|item| format!("{indent}{}", emit::flow(item))).collect();
        let end = if trailing { "," } else { "" };
        let at = edits.line_end(ends_line);
        edits.replace(at..at, format!("{}{end}\n", lines.join(",\n")));
        return Ok(());
    }
    let inside: String = added.iter().map(|item| format!(", {}", emit::flow(item))).collect();
    edits.replace(kept.span.end..kept.span.end, inside);
    if let (Some(comma), false, false) = (comma, is_last, trailing) {
        edits.replace(comma..comma + 1, "");
    }
    Ok(())
}

/// The comma in these bytes, outside of comments.
fn comma(text: &str, range: Range<usize>) -> Option<usize> {
    let mut in_comment = false;
    text.get(range.clone())?.char_indices().find_map(|(at, character)| {
        match character {
            '#' => in_comment = true,
            '\n' => in_comment = false,
            _ => {}
        }
        (character == ',' && !in_comment).then_some(range.start + at)
    })
}

/// The range to remove with an item: its comma, the blanks after it or else before it, the comment
/// on its line, and the line if nothing else is on it.
fn gone(text: &str, item: &Range<usize>, comma: Option<usize>) -> Range<usize> {
    let blanks = |text: &str| text.len() - text.trim_start_matches([' ', '\t']).len();
    let mut end = comma.map_or(item.end, |comma| comma + 1);
    let rest = text.get(end..).unwrap_or_default();
    end += blanks(rest);
    let rest = text.get(end..).unwrap_or_default();
    let to_line_end = rest.find('\n').unwrap_or(rest.len());
    let line = rest.get(..to_line_end).unwrap_or_default().trim_end();
    if line.starts_with('#') {
        end += line.len();
    }
    let before = text.get(..item.start).unwrap_or_default();
    let start = before.trim_end_matches([' ', '\t']).len();
    let starts_line =
        start == 0 || before.get(..start).is_some_and(|before| before.ends_with('\n'));
    let rest = text.get(end..).unwrap_or_default();
    match (starts_line, rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n'))) {
        (true, Some(next)) => start..text.len() - next.len(),
        (true, None) => item.start..end,
        // Blanks before the end of the line, or of the list, are removed too.
        (false, _) if rest.starts_with(['\r', '\n', ']']) || comma.is_none() => start..end,
        (false, _) => item.start..end,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Edits, edit, has_comments};
    use crate::source::outline::outline;

    /// The text with the items of its only list that are not kept removed, and others added.
    fn edited(text: &str, keep: &[bool], added: &[Value]) -> String {
        let outlines = outline(text).unwrap();
        let list = super::super::text::entry(&outlines[0].root, "a").unwrap().1;
        let mut edits = Edits::new(text);
        assert!(has_comments(&edits, list), "{text}");
        edit(&mut edits, list, keep, added).unwrap();
        edits.apply().unwrap()
    }

    #[test]
    fn items_go_and_come_and_comments_stay() {
        let lines = "a: [\n  x, # one\n  # two\n  y, # three\n  z # four\n]\n";
        let line = "a: [x, y, z, # why\n]\n";
        let none: &[Value] = &[];
        let more = &[json!("k"), json!("m: m")][..];
        let table = [
            (lines, [true, false, true], none, "a: [\n  x, # one\n  # two\n  z # four\n]\n"),
            (lines, [true, true, false], none, "a: [\n  x, # one\n  # two\n  y # three\n]\n"),
            (lines, [false, true, true], none, "a: [\n  # two\n  y, # three\n  z # four\n]\n"),
            (
                lines,
                [true; 3],
                more,
                "a: [\n  x, # one\n  # two\n  y, # three\n  z, # four\n  k,\n  \"m: m\"\n]\n",
            ),
            (lines, [true, false, false], more, "a: [\n  x, # one\n  k,\n  \"m: m\"\n  # two\n]\n"),
            (lines, [false; 3], &more[..1], "a: [k\n  # two\n]\n"),
            // A trailing comma stays.
            (line, [true, true, false], none, "a: [x, y,\n]\n"),
            (line, [true, true, true], &more[..1], "a: [x, y, z, k, # why\n]\n"),
            (line, [false, true, true], none, "a: [y, z, # why\n]\n"),
        ];
        for (text, keep, added, expected) in table {
            let found = edited(text, &keep, added);
            assert_eq!(found, expected, "{keep:?} {added:?} of {text}");
            let kept = ["x", "y", "z"]
                .into_iter()
                .zip(keep)
                .filter(|(_, keep)| *keep)
                .map(|(item, _)| json!(item));
            let items: Vec<Value> = kept.chain(added.iter().cloned()).collect();
            let read: Value = serde_yaml::from_str(&found).unwrap();
            assert_eq!(read["a"], Value::from(items), "{found}");
        }
    }
}
