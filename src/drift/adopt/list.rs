//! Edits of lists.

use serde_json::Value;

use super::flow;
use super::text::{Edits, Refusal, content};
use crate::source::emit;
use crate::source::outline::{Node, Shape};

/// A list with its key.
#[derive(Clone, Copy)]
pub(super) struct List<'a> {
    pub(super) key: &'a Node,
    pub(super) value: &'a Node,
    /// True if the key is inside of braces.
    pub(super) flow: bool,
}

impl Edits<'_> {
    /// Edits a list: removes items that are not kept, and adds others at the end. `all` is the new
    /// list.
    pub(super) fn set_items(
        &mut self,
        list: &List<'_>,
        keep: &[bool],
        added: &[Value],
        all: &[Value],
    ) -> Result<(), Refusal> {
        let List { key, value, flow } = *list;
        let Shape::Sequence { flow: brackets, items } = &value.shape else {
            return Err(format!("`{}` has an anchor or an alias", content(key)));
        };
        if items.len() != keep.len() {
            return Err(format!("`{}` is put together from other parts", content(key)));
        }
        if *brackets && !all.is_empty() && flow::has_comments(self, value) {
            return flow::edit(self, value, keep, added);
        }
        if *brackets || flow || all.is_empty() {
            return self.set_list(list, items, *brackets, all);
        }
        let (Some(first), Some(last)) = (items.first(), items.last()) else {
            return self.set(key, value, &all.into(), flow);
        };
        let (_, indent) = self.dash(first)?;
        for (item, keep) in items.iter().zip(keep) {
            if !keep {
                let (start, _) = self.dash(item)?;
                self.replace(start..self.line_end(self.end(item)), "");
            }
        }
        if !added.is_empty() {
            let end = self.line_end(self.end(last));
            self.replace(end..end, emit::items(added, indent));
        }
        Ok(())
    }

    /// Writes a list anew. The comments between its items stay if it becomes empty.
    fn set_list(
        &mut self,
        list: &List<'_>,
        items: &[Node],
        brackets: bool,
        all: &[Value],
    ) -> Result<(), Refusal> {
        let List { key, value, flow } = *list;
        if brackets || flow || !all.is_empty() {
            return self.set(key, value, &all.into(), flow);
        }
        let between = self.text.get(key.span.end..value.span.start).unwrap_or_default();
        let colon = between
            .find(':')
            .ok_or_else(|| format!("`{}` is written in an unusual way", content(key)))?;
        let behind = key.span.end + colon + 1;
        self.replace(behind..behind, " []");
        for item in items {
            let (start, _) = self.dash(item)?;
            self.replace(start..self.line_end(self.end(item)), "");
        }
        Ok(())
    }
}
