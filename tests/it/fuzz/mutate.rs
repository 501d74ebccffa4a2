//! Changes of inputs, from a seed.

/// Pieces of inputs, and values at the edge of a range.
const WORDS: [&[u8]; 44] = [
    b"\0",
    b"\n",
    b"\r\n",
    b"\n\n",
    b"\t",
    b" ",
    b"---\n",
    b"...\n",
    b"# ",
    b": ",
    b"- ",
    b"\"",
    b"'",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"&a ",
    b"*a",
    b"<<: ",
    b"!!binary ",
    b"|+\n",
    b"null",
    b"true",
    b"-1",
    b"0",
    b"1e400",
    b"18446744073709551616",
    b"9223372036854775807",
    b"\\u0000",
    b"\\ud800",
    b"**",
    b"*",
    b"?",
    b"%2F",
    b"../",
    b"0.0.0.0/0",
    b"::/0",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xae",
    b"\xf0\x9f\x92\xa9",
    b"\xff",
    b"e\xcc\x81",
];

/// Changes inputs at random: the same ones for the same seed.
pub(super) struct Mutator(u64);

impl Mutator {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number below `end`, or 0 (xorshift64*).
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % end.max(1)
    }

    /// One of the inputs with a few changes.
    pub(super) fn change(&mut self, pool: &[Vec<u8>], longest: usize) -> Vec<u8> {
        let mut bytes = pool[self.below(pool.len())].clone();
        for _ in 0..=self.below(5) {
            self.change_once(&mut bytes, pool);
            bytes.truncate(longest);
        }
        bytes
    }

    fn change_once(&mut self, bytes: &mut Vec<u8>, pool: &[Vec<u8>]) {
        let at = self.below(bytes.len() + 1);
        let end = (at + 1 + self.below(24)).min(bytes.len());
        match self.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = u8::try_from(self.below(256)).unwrap(),
            2 if at < end => drop(bytes.drain(at..end)),
            3 => {
                let word = WORDS[self.below(WORDS.len())];
                drop(bytes.splice(at..at, word.iter().copied()));
            }
            4 if at < end => {
                let word = WORDS[self.below(WORDS.len())];
                drop(bytes.splice(at..end, word.iter().copied()));
            }
            // Many times the same: depth, and length.
            5 if at < end => {
                let part = bytes[at..end].repeat(1 << self.below(9));
                drop(bytes.splice(at..at, part));
            }
            // A line of its own, or of another input.
            6 | 7 => {
                let other = &pool[self.below(pool.len())];
                let lines: Vec<&[u8]> = other.split_inclusive(|byte| *byte == b'\n').collect();
                let from = self.below(lines.len());
                let to = (from + 1 + self.below(4)).min(lines.len());
                let part = lines.get(from..to).unwrap_or_default().concat();
                let start =
                    bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                drop(bytes.splice(start..start, part));
            }
            _ => {
                let other = &pool[self.below(pool.len())];
                let from = self.below(other.len() + 1);
                let to = (from + self.below(64)).min(other.len());
                drop(bytes.splice(at..at, other[from..to].iter().copied()));
            }
        }
    }
}
