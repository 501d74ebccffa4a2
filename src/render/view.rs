//! Limits of lists in a terminal, and the form of places.
//!
//! Invariant: every list counts the items that it leaves out, and places of one output have one
//! base: the current folder.

use std::borrow::Cow;
use std::fmt::Write as _;

use anstyle::Style;

use crate::diagnostic::list::{MOST, counted, first, shown};
use crate::diagnostic::sanitize::line;
use crate::model::Origin;

/// The advice on how to see the items that a list leaves out.
pub(super) const MORE: &str = "`-v` shows all";

/// The line that counts the items that a list leaves out; empty without any. `what` follows the
/// number, as in ` rules`.
pub(super) fn rest(indent: &str, more: usize, what: &str, style: Style) -> String {
    match more {
        0 => String::new(),
        more => format!("{indent}{style}… {more} more{what}{style:#}, {MORE}\n"),
    }
}

/// Width of the terminal, the amount of detail, and the base of places.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Characters in a line.
    pub width: usize,
    /// True if nothing is folded away.
    pub all: bool,
    /// The folder of the workspace as the current folder sees it, with `/` at its end; empty if
    /// they are the same, or if there is none.
    pub folder: &'a str,
}

impl View<'_> {
    /// A place in a document: `file:line:column`.
    #[must_use]
    pub fn place(self, origin: &Origin) -> String {
        line(&format!("{}{origin}", self.folder)).into_owned()
    }

    /// A place in a document: `file:line`.
    #[must_use]
    pub fn file_line(self, origin: &Origin) -> String {
        line(&format!("{}{}", self.folder, origin.file_line())).into_owned()
    }

    /// The object of an action; of many addresses to which it applies, the first ones:
    /// `db.example.com at 10.0.0.0/8, 10.1.0.0/16 and 7 more`.
    pub(super) fn object<'o>(self, object: Cow<'o, str>) -> Cow<'o, str> {
        let parts = if self.all { None } else { object.rsplit_once(" at ") };
        let Some((what, at)) = parts else { return object };
        let addresses: Vec<&str> = at.split(", ").collect();
        match self.first(&addresses, MOST) {
            (_, 0) => object,
            (first, more) => format!("{what} at {}", counted(first, ", ", more)).into(),
        }
    }

    /// A rule that makes the difference, with its place.
    pub(super) fn rule(self, because: &str) -> String {
        match Origin::split_off(because) {
            // A file of another version is not below the current folder.
            Some((rule, origin)) if !origin.file.contains(':') => {
                format!("{} ({})", line(rule), self.place(&origin))
            }
            Some(_) | None => line(because).into_owned(),
        }
    }

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

#[cfg(test)]
mod tests {
    use super::View;

    fn view(all: bool) -> View<'static> {
        View { width: 80, all, folder: "policies/" }
    }

    #[test]
    fn of_many_addresses_the_first_are_listed() {
        let at = |count: usize| {
            let blocks: Vec<String> = (0..count).map(|own| format!("10.{own}.0.0/16")).collect();
            format!("db.example.com at {}", blocks.join(", "))
        };
        // A list never leaves out just one item.
        for whole in [at(1), at(13), "db.example.com:443".to_owned()] {
            assert_eq!(view(false).object(whole.as_str().into()), whole);
        }
        assert_eq!(view(false).object(at(90).into()), format!("{} and 78 more", at(12)));
        assert_eq!(view(true).object(at(90).into()), at(90));
    }

    #[test]
    fn places_lead_from_the_current_folder() {
        let table = [
            ("now allow `P › r` (a.yaml:3:5)", "now allow `P › r` (policies/a.yaml:3:5)"),
            ("now allow `P › r` (live)", "now allow `P › r` (live)"),
            // Another version is not below the current folder.
            ("no longer allow `P` (HEAD:a.yaml:3:5)", "no longer allow `P` (HEAD:a.yaml:3:5)"),
        ];
        for (because, shown) in table {
            assert_eq!(view(false).rule(because), shown);
        }
    }
}
