//! The words for plans and outcomes, shared by the formats for people. Each format adds its own
//! marks, and sanitizes foreign text.

mod causes;
mod groups;
mod guards;
mod headline;
mod people;
mod steps;
mod undeclared;

pub use self::causes::{Cause, EVERY_PORT, Entry, Object, by_effect};
pub use self::groups::{Group, Tone, groups};
pub use self::guards::{
    failing_flips, settings, settings_headline, settings_rule, tests_headline, tests_permitted,
    ways_past,
};
pub use self::headline::{INCOMPLETE, INCOMPLETE_MEANS, headline, incomplete_help};
pub use self::people::{governed, members, people, team_names};
pub use self::steps::{
    SAME_STATEMENTS, actions, by_policy, decision, reason, resources, statement, summary, verb,
};
pub use self::undeclared::{
    left_alone_label, undeclared, why_without_effect, without_effect_headline,
};

use crate::diagnostic::list;

/// `1 rule`, `2 rules`, `2 policies`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {}", list::noun(number, noun))
}

/// `once`, `2 times`.
#[must_use]
pub fn times(number: u64) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}

/// `a, b and c`.
fn enumerate(items: &[&str], conjunction: &str) -> String {
    match items {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} {conjunction} {last}", first.join(", ")),
    }
}

/// A list shortened in its middle: the first items, the number left out, and the last items.
#[must_use]
pub fn folded<T>(list: &[T], most: usize) -> (&[T], usize, &[T]) {
    // A list never leaves out just one item.
    if list.len() <= most.saturating_add(1) {
        return (list, 0, &[]);
    }
    let (first, rest) = list.split_at(most.div_ceil(2));
    let (hidden, last) = rest.split_at(rest.len() - most / 2);
    (first, hidden.len(), last)
}

/// The heading above the counts of rules in force by consequence.
pub const BUCKETS: &str = "Rules in force by consequence";

/// The meaning of these counts.
pub const BUCKETS_ARE: &str = "one control of Vijil's judge each";

/// The name of rules that have no consequence.
pub const NO_ACTION: &str = "no action";

/// The limit of a plan that starts from other documents.
pub const NOT_LIVE: &str = "Live state was not read: it may differ from both.";

#[cfg(test)]
mod tests {
    use super::folded;
    use crate::plan::meaning::{AccessChange, Audience};

    /// A change of access of one team, with itself as its example.
    pub(super) fn gain(team: &str, access: &str, widens: bool, narrows: bool) -> AccessChange {
        let audience = Audience { teams: vec![team.to_owned()], alike: Vec::new() };
        let plain = AccessChange::plain(audience.into(), access.to_owned().into(), access.into());
        AccessChange { widens, narrows, ..plain }
    }

    #[test]
    fn a_fold_keeps_both_ends() {
        assert_eq!(folded(&[1, 2, 3], 3), (&[1, 2, 3][..], 0, &[][..]));
        assert_eq!(folded(&[1, 2, 3, 4], 3), (&[1, 2, 3, 4][..], 0, &[][..]));
        assert_eq!(folded(&[1, 2, 3, 4, 5], 3), (&[1, 2][..], 2, &[5][..]));
        assert_eq!(folded(&[1, 2], 0), (&[][..], 2, &[][..]));
    }
}
