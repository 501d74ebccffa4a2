//! The bytes around the texts of lines, as a tree: lines that begin alike share its branches.

use super::Span;

/// The ways to go on after a text; at first, those to begin. Longer ones precede their starts.
#[derive(Debug, Default)]
pub(super) struct Tree(Vec<Vec<Branch>>);

#[derive(Debug)]
struct Branch {
    between: Box<[u8]>,
    then: Then,
}

#[derive(Clone, Copy, Debug)]
enum Then {
    /// A text, and the number of the node after it.
    Text(usize),
    /// The end of the line, and the number of its shape.
    End(usize),
}

/// The places of the texts of one line, and the way to them. One is used for all lines of a thread.
#[derive(Debug, Default)]
pub(in crate::evidence) struct Found {
    pub(super) spans: Vec<Span>,
    /// The steps in front of the last one, one for each text.
    way: Vec<Step>,
}

/// A node on the way through a line.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    node: usize,
    /// The position in the line.
    at: usize,
    /// The first branch that was not tried.
    next: usize,
    /// True if a text before it may hold more than ASCII.
    wide: bool,
}

impl Tree {
    /// Matches the first line of these bytes: the number of its shape, and the bytes up to its end.
    pub(super) fn find(&self, bytes: &[u8], found: &mut Found) -> Option<(usize, usize)> {
        let Found { spans, way } = found;
        spans.clear();
        way.clear();
        let mut here = Step::default();
        loop {
            let rest = bytes.get(here.at..)?;
            let mut branches = self.0.get(here.node)?.iter().enumerate().skip(here.next);
            let Some((number, branch)) = branches.find(|(_, one)| rest.starts_with(&one.between))
            else {
                // Another branch before it may lead further.
                here = way.pop()?;
                spans.pop();
                continue;
            };
            here.next = number + 1;
            let at = here.at + branch.between.len();
            let rest = bytes.get(at..)?;
            match branch.then {
                Then::Text(node) => {
                    if let Some((length, wide)) = text_length(rest) {
                        spans.push((at, at + length));
                        way.push(here);
                        here = Step { node, at: at + length, next: 0, wide: here.wide | wide };
                    }
                }
                Then::End(shape) => {
                    let is_blank = |byte: &&u8| byte.is_ascii_whitespace() && **byte != b'\n';
                    let length = at + rest.iter().take_while(is_blank).count();
                    let line = bytes.get(..length)?;
                    if bytes.get(length).is_none_or(|byte| *byte == b'\n')
                        && (!here.wide || std::str::from_utf8(line).is_ok())
                    {
                        return Some((shape, length));
                    }
                }
            }
        }
    }

    /// Adds the way to a new shape; `false` if it is known.
    pub(super) fn insert<B: AsRef<[u8]>>(&mut self, between: &[B], number: usize) -> bool {
        let Self(nodes) = self;
        if nodes.is_empty() {
            nodes.push(Vec::new());
        }
        let mut node = 0;
        for (at, own) in between.iter().enumerate() {
            let (own, is_last) = (own.as_ref(), at + 1 == between.len());
            let next = nodes.len();
            let Some(branches) = nodes.get_mut(node) else { return false };
            let known = branches.iter().find(|branch| {
                *branch.between == *own && matches!(branch.then, Then::End(_)) == is_last
            });
            match known.map(|branch| branch.then) {
                Some(Then::End(_)) => return false,
                Some(Then::Text(known)) => node = known,
                None => {
                    let then = if is_last { Then::End(number) } else { Then::Text(next) };
                    branches.push(Branch { between: own.into(), then });
                    branches.sort_by_key(|branch| std::cmp::Reverse(branch.between.len()));
                    if !is_last {
                        nodes.push(Vec::new());
                        node = next;
                    }
                }
            }
        }
        true
    }
}

/// The length of a text up to its quote, and whether it may hold more than ASCII; `None` if an
/// escape or a control character comes first.
fn text_length(bytes: &[u8]) -> Option<(usize, bool)> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    // The lowest bit of each of these is right: what is below a byte that is found borrows nothing.
    let is_zero = |word: u64| word.wrapping_sub(EACH) & !word;
    let is_control = |word: u64| word.wrapping_sub(0x20 * EACH) & !word;
    let (mut at, mut wide) = (0, 0);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        let ends = is_zero(word ^ (0x22 * EACH)) | is_zero(word ^ (0x5c * EACH)) | is_control(word);
        wide |= word & HIGH;
        if ends & HIGH != 0 {
            at += (ends & HIGH).trailing_zeros() as usize / 8;
            return (bytes.get(at) == Some(&b'"')).then_some((at, wide != 0));
        }
        at += 8;
    }
    let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20))?;
    wide |= u64::from(!rest.is_ascii());
    (rest.get(end) == Some(&b'"')).then_some((at + end, wide != 0))
}
