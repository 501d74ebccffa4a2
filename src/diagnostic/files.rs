//! The texts that diagnostics point into, and the conversion of bytes to lines and columns.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The id of a file in one [`Files`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(usize);

/// The files of one run, in the order added.
#[derive(Clone, Debug, Default)]
pub struct Files {
    files: Vec<SourceFile>,
    instead: Overlay,
}

/// Replacement texts for files, by name: those that a command is about to write, and `None` for
/// those that it is about to delete.
pub type Overlay = BTreeMap<String, Option<String>>;

/// A file's text with its names.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Relative to the workspace with `/` between segments; for a file named on the command line,
    /// the path as given.
    pub name: String,
    /// The path of the file on this machine, for output that people click on.
    pub path: PathBuf,
    /// The whole text; empty if the file could not be read. Bytes that are not UTF-8 are replaced.
    pub text: String,
    /// The start of each line.
    lines: Vec<u32>,
}

/// A range of a file. Lines and columns count from 1, columns in characters; the end is just after
/// the last character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// From 1.
    pub end_line: usize,
    /// From 1, in characters.
    pub end_column: usize,
}

impl Files {
    /// An empty collection with replacement texts.
    #[must_use]
    pub fn over(instead: Overlay) -> Self {
        Self { files: Vec::new(), instead }
    }

    /// The text that replaces the file of this name.
    #[must_use]
    pub fn instead(&self, name: &str) -> Option<&Option<String>> {
        self.instead.get(name)
    }

    /// The names of files that exist only as replacement texts.
    pub fn added(&self) -> impl Iterator<Item = &str> {
        self.instead.iter().filter(|(_, text)| text.is_some()).map(|(name, _)| name.as_str())
    }

    /// Adds a file.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        path: impl Into<PathBuf>,
        text: impl Into<String>,
    ) -> FileId {
        let text = text.into();
        let ends = || memchr::memchr_iter(b'\n', text.as_bytes());
        let mut lines = Vec::with_capacity(1 + ends().count());
        // Larger texts are refused before they are read.
        let start = |end: usize| u32::try_from(end + 1).unwrap_or(u32::MAX);
        lines.extend(std::iter::once(0).chain(ends().map(start)));
        self.files.push(SourceFile { name: name.into(), path: path.into(), text, lines });
        FileId(self.files.len() - 1)
    }

    /// The file that was read from this path.
    #[must_use]
    pub fn find(&self, path: &Path) -> Option<FileId> {
        self.files.iter().position(|file| file.path == path).map(FileId)
    }

    /// Appends the files of another collection. Returns the conversion of their ids.
    pub fn append(&mut self, others: Self) -> impl Fn(FileId) -> FileId + use<> {
        let before = self.files.len();
        self.files.extend(others.files);
        move |id| FileId(before + id.0)
    }

    /// The rank of each file in the order of names, the same for the same name.
    pub(super) fn ranks(&self) -> impl Fn(FileId) -> usize + use<> {
        let names: BTreeSet<&str> = self.files.iter().map(|file| file.name.as_str()).collect();
        let names: BTreeMap<&str, usize> = names.into_iter().zip(0..).collect();
        let ranks: Vec<usize> =
            self.files.iter().filter_map(|file| names.get(file.name.as_str())).copied().collect();
        move |id| ranks.get(id.0).copied().unwrap_or_default()
    }

    /// The file with this id.
    ///
    /// # Panics
    /// Panics for an id of another collection.
    #[must_use]
    pub fn get(&self, id: FileId) -> &SourceFile {
        self.files.get(id.0).expect("a file id is used with the collection that made it")
    }

    /// The files with their ids, in the order added.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files.iter().enumerate().map(|(index, file)| (FileId(index), file))
    }
}

impl SourceFile {
    /// The lines and columns of a byte range. A byte order mark takes no column, as in editors.
    /// Bytes after the text or inside of a character are moved to the character before.
    #[must_use]
    pub fn place(&self, span: &Range<usize>) -> Location {
        let (line, column) = self.line_column(span.start);
        let (end_line, end_column) = self.line_column(span.end.max(span.start));
        Location { line, column, end_line, end_column }
    }

    /// The text of a byte range; `None` if the range is not valid.
    #[must_use]
    pub fn slice(&self, span: &Range<usize>) -> &str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// The start of the line with this number (from 1), or the end of the text.
    #[must_use]
    pub fn line_start(&self, line: usize) -> usize {
        self.lines.get(line.saturating_sub(1)).map_or(self.text.len(), |start| *start as usize)
    }

    fn line_column(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.lines.partition_point(|start| *start as usize <= offset);
        let start = self.line_start(line);
        let before = self.text.get(start..offset).unwrap_or_default();
        let before =
            if line == 1 { before.strip_prefix('\u{feff}').unwrap_or(before) } else { before };
        (line, before.chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_from_one() {
        let mut files = Files::default();
        let id = files.add("a.yaml", "a.yaml", "\u{feff}né: x\r\nb: ü!\n");
        let file = files.get(id);
        let cases = [
            // The byte order mark takes no column.
            (3..3, (1, 1, 1, 1)),
            // `é` is two bytes and one column.
            (8..9, (1, 5, 1, 6)),
            // The second line, across a carriage return.
            (11..12, (2, 1, 2, 2)),
            // After the last character.
            (16..17, (2, 5, 2, 6)),
            // Inside of `é`, and after the end.
            (5..999, (1, 2, 3, 1)),
        ];
        for (span, expected) in cases {
            let place = file.place(&span);
            assert_eq!(
                (place.line, place.column, place.end_line, place.end_column),
                expected,
                "{span:?}"
            );
        }
    }
}
