//! Parses YAML as values with places.
//!
//! The dialect is YAML 1.2 with the core schema, and merge keys (`<<`), which other tools support.
//! Tags and directives are refused, since documents do not need them, and they change the meaning
//! of text. Keys are text.
//!
//! Invariant: one pass over the events, no recursion, and limits on depth and on the expansion of
//! aliases, so that hostile text is cheap.

use std::ops::Range;

use granit_parser::{Event, Parser, Placement, ScalarStyle, Span, StructureStyle};

use super::build::{Builder, MAX_DEPTH, Tree};
use super::expectation::{self, Shielded};
use super::{hidden, syntax};
use crate::diagnostic::{Diagnostic, FileId};

/// The content of a file.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// The documents that are not empty, in the order written; after a syntax error, those before
    /// it.
    pub documents: Vec<Tree>,
    /// All comments, in the order written.
    pub comments: Vec<Comment>,
}

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Bytes of the comment with its `#`, without the line break.
    pub span: Range<usize>,
    /// The text after `#`.
    pub text: String,
    /// True if other text precedes it on its line.
    pub trailing: bool,
}

/// Parses the text of a file. Adds all faults to `findings`; if one is an error, the documents are
/// only useful to find further errors.
pub fn parse(file: FileId, text: &str, findings: &mut Vec<Diagnostic>) -> Parsed {
    let mut parsed = Parsed::default();
    hidden::look(file, text, findings);
    let shielded = expectation::shield(text);
    let text = shielded.as_ref().map_or(text, |shielded| shielded.text.as_str());
    let mut builder = Builder::new(file, findings);
    for event in Parser::new_from_str_with_options(text, options()) {
        let step = match event {
            Ok((event, span)) => {
                read(event, bytes(&span), text, shielded.as_ref(), &mut builder, &mut parsed)
            }
            Err(error) => Err(syntax::diagnostic(file, text, &error)),
        };
        if let Err(diagnostic) = step {
            findings.push(*diagnostic);
            break;
        }
    }
    parsed
}

pub(super) fn options() -> granit_parser::Options {
    granit_parser::options! {
        disallow_directives: true,
        max_buffered_comment_events: usize::MAX,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    }
}

/// Handles one event. An error ends the file.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the start and the end of the stream say nothing, and other events are not asked for"
)]
fn read(
    event: Event<'_>,
    span: Range<usize>,
    text: &str,
    shielded: Option<&Shielded>,
    builder: &mut Builder<'_>,
    parsed: &mut Parsed,
) -> Result<(), Box<Diagnostic>> {
    match event {
        Event::DocumentStart(..) => builder.start_document(),
        Event::DocumentEnd => {
            parsed.documents.extend(builder.end_document().filter(|tree| !tree.value.is_null()));
        }
        Event::Comment(comment, placement) => parsed.comments.push(Comment {
            span,
            text: comment.into_owned(),
            trailing: placement == Placement::Right,
        }),
        Event::Scalar(content, style, anchor, tag) => {
            builder.refuse_tag(tag.is_some(), &span);
            let content = match shielded {
                Some(shielded) => shielded.content(content, &span),
                None => content,
            };
            builder.scalar(content, style == ScalarStyle::Plain, trimmed(text, span), anchor)?;
        }
        Event::SequenceStart(style, anchor, tag) => {
            builder.refuse_tag(tag.is_some(), &span);
            builder.start_sequence(span, style == StructureStyle::Flow, anchor)?;
        }
        Event::MappingStart(style, anchor, tag) => {
            builder.refuse_tag(tag.is_some(), &span);
            builder.start_mapping(span, style == StructureStyle::Flow, anchor)?;
        }
        Event::SequenceEnd | Event::MappingEnd => builder.end(&span)?,
        Event::Alias(anchor) => builder.alias(anchor, span)?,
        _ => {}
    }
    Ok(())
}

pub(super) fn bytes(span: &Span) -> Range<usize> {
    span.byte_range().expect("text in memory has byte offsets")
}

/// A block scalar's span includes the line breaks after it; the place of the text does not.
pub(super) fn trimmed(text: &str, span: Range<usize>) -> Range<usize> {
    let length = text.get(span.clone()).map_or(0, |slice| slice.trim_end().len());
    span.start..span.start + length
}
