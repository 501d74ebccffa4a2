//! Limits of lists in a terminal.
//!
//! Invariant: every list counts the items that it leaves out.

use std::fmt::Write as _;

use anstyle::Style;

use crate::diagnostic::list::{first, shown};
use crate::diagnostic::sanitize::line;

/// Where the items are that a list leaves out.
pub(super) const MORE: &str = "`-v` shows all";

/// The line that counts the items that a list leaves out; empty without any. `what` follows the
/// number, as in ` rules`.
pub(super) fn rest(indent: &str, more: usize, what: &str, style: Style) -> String {
    match more {
        0 => String::new(),
        more => format!("{indent}{style}… {more} more{what}{style:#}, {MORE}\n"),
    }
}

/// Width of the terminal, and the amount of detail.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Characters in a line.
    pub width: usize,
    /// True if nothing is folded away.
    pub all: bool,
}

impl View {
    /// Number of items to show of a list of `all`: see [`shown`].
    pub(super) fn shown(self, all: usize, listed: usize) -> usize {
        if self.all { all } else { shown(all, listed) }
    }

    /// The items of a list to show, and the number of those that are left out.
    #[must_use]
    pub fn first<T>(self, items: &[T], listed: usize) -> (&[T], usize) {
        if self.all { (items, 0) } else { first(items, listed) }
    }

    /// Limit of items to show: `listed`, or no limit if everything is shown.
    pub(super) fn most(self, listed: usize) -> usize {
        if self.all { usize::MAX } else { listed }
    }

    /// Items separated by commas, on one line from column `indent`; those that do not fit are
    /// counted. All of them, however long, if nothing is folded away.
    pub(super) fn list(self, items: &[impl AsRef<str>], indent: usize) -> String {
        const REST: usize = " and 999 more".len();
        let mut text = String::new();
        let mut room = indent;
        for (shown, item) in items.iter().enumerate() {
            let item = line(item.as_ref());
            room += 2 + item.chars().count();
            let rest = if shown + 1 < items.len() { REST } else { 0 };
            // To count one item takes as much room as the item.
            if shown > 0 && !self.all && items.len() - shown > 1 && room + rest > self.width {
                let _ = write!(text, " and {} more", items.len() - shown);
                break;
            }
            if shown > 0 {
                text.push_str(", ");
            }
            text.push_str(&item);
        }
        text
    }
}
