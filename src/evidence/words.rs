//! The words of a record that say what was asked for, in one text: millions of records are compared
//! by them.

use std::borrow::Cow;

use super::asked::Asked;
use super::observation::{Kind, Mode, Observation, RecordedDecision};

/// The words of a record that say what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Words {
    kind: Kind,
    mode: Option<Mode>,
    /// Resource, protocol, method, host, port and path in a row.
    text: String,
    /// The end of each of them.
    ends: [u32; 6],
}

impl Words {
    pub(super) fn new() -> Self {
        Self { kind: Kind::Connect, mode: None, text: String::new(), ends: [0; 6] }
    }

    pub(super) fn set(&mut self, seen: &Observation<'_>) {
        (self.kind, self.mode) = (seen.kind, seen.mode);
        self.text.clear();
        let is_network = matches!(seen.kind, Kind::Connect | Kind::Http);
        let parts =
            [&seen.resource, &seen.protocol, &seen.method, &seen.host, &seen.port, &seen.path];
        for (at, (part, end)) in parts.into_iter().zip(&mut self.ends).enumerate() {
            if at == 0 || is_network {
                self.text.push_str(part);
            }
            *end = u32::try_from(self.text.len()).expect("a record is shorter");
        }
    }

    /// The request in the engine's terms.
    pub(super) fn asked(&self) -> Asked {
        let mut start = 0;
        let [resource, protocol, method, host, port, path] = self.ends.map(|end| {
            let part = self.text.get(start as usize..end as usize).unwrap_or_default();
            start = end;
            Cow::Borrowed(part)
        });
        Asked::from_observation(&Observation {
            kind: self.kind,
            mode: self.mode,
            resource,
            protocol,
            method,
            host,
            port,
            path,
            recorded: RecordedDecision::Allow,
            user: Cow::Borrowed(""),
            machine: Cow::Borrowed(""),
            id: Cow::Borrowed(""),
            count: 1,
            first: None,
            last: None,
        })
    }
}
