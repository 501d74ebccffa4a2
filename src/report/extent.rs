//! Properties of documents that the model lacks: the last lines of rules and reviews, and
//! descriptions of policies.

use std::collections::BTreeMap;

use crate::diagnostic::{FileId, Files};
use crate::model::Origin;
use crate::source::{Parts, Spans, parse};

/// Last lines of rules, by file and first line; lines of their reviews; descriptions, by the place
/// of the policy's name.
#[derive(Clone, Debug, Default)]
pub(super) struct Extents {
    ends: BTreeMap<(String, usize), usize>,
    reviews: BTreeMap<(String, usize), (usize, usize)>,
    descriptions: BTreeMap<(String, usize), String>,
}

impl Extents {
    /// Indexes the rules of all documents.
    pub(super) fn new(files: &Files) -> Self {
        let mut extents = Self::default();
        for (id, _) in files.iter() {
            extents.add(files, id);
        }
        extents
    }

    fn add(&mut self, files: &Files, id: FileId) {
        let file = files.get(id);
        // Cedar text is not YAML, and the loader has already reported faults of documents.
        let parsed = parse(id, &file.text, &mut Vec::new());
        for tree in &parsed.documents {
            let description = tree.value.get("description").and_then(serde_json::Value::as_str);
            if let (Some(description), Some(name)) = (description, tree.places.get("/name")) {
                let line = file.place(&name.span()).line;
                self.descriptions.insert((file.name.clone(), line), description.trim().to_owned());
            }
            let Some(Parts::Items(rules)) = tree.places.get("/rules").and_then(Spans::parts) else {
                continue;
            };
            for rule in rules {
                let place = file.place(&trimmed(&file.text, rule));
                self.ends.insert((file.name.clone(), place.line), place.end_line);
                if let Some(review) = rule.entry("review") {
                    let span = review.key_span.start..trimmed(&file.text, &review.value).end;
                    let review = file.place(&span);
                    self.reviews
                        .insert((file.name.clone(), place.line), (review.line, review.end_line));
                }
            }
        }
    }

    /// The first and the last line of what starts at this place.
    pub(super) fn lines(&self, origin: &Origin) -> (usize, usize) {
        let end = self.ends.get(&(origin.file.clone(), origin.line)).copied();
        (origin.line, end.unwrap_or(origin.line).max(origin.line))
    }

    /// The description of the policy whose name stands at this place.
    pub(super) fn description(&self, origin: &Origin) -> Option<&str> {
        let text = self.descriptions.get(&(origin.file.clone(), origin.line))?;
        Some(text.as_str()).filter(|text| !text.is_empty())
    }

    /// The lines that hold the review of the rule that starts at this place.
    pub(super) fn review(&self, origin: &Origin) -> Option<(usize, usize)> {
        self.reviews.get(&(origin.file.clone(), origin.line)).copied()
    }
}

/// The bytes of a value without the line ends behind it.
fn trimmed(text: &str, places: &Spans) -> std::ops::Range<usize> {
    let span = places.span();
    let own = text.get(span.clone()).unwrap_or_default();
    span.start..span.start + own.trim_end().len()
}

#[cfg(test)]
mod tests {
    use super::Extents;
    use crate::diagnostic::Files;
    use crate::model::Origin;

    #[test]
    fn a_rule_ends_where_its_last_value_does() {
        let mut files = Files::default();
        let text = "kind: A\nname: x\ndescription: >\n  Why it\n  exists.\nrules:\n  - name: a\n    resources:\n      - x\n      - y\n\n  # about b\n  - name: b\n    \
                    review: {approved: |\n      yes}\n---\nkind: B\nrules:\n  - {name: c}\n";
        files.add(
            "p.yaml",
            "p.yaml",
            text.replace("{approved: |\n      yes}", "\n      approved: yes"),
        );
        let extents = Extents::new(&files);
        let origin = |line| Origin { file: "p.yaml".to_owned(), line, column: 5 };
        assert_eq!(extents.lines(&origin(7)), (7, 10));
        assert_eq!(extents.lines(&origin(13)), (13, 15));
        assert_eq!(extents.review(&origin(13)), Some((14, 15)));
        assert_eq!(extents.lines(&origin(19)), (19, 19));
        assert_eq!(extents.lines(&origin(1)), (1, 1));
        assert_eq!(extents.description(&origin(2)), Some("Why it exists."));
        assert_eq!(extents.description(&origin(18)), None);
    }
}
