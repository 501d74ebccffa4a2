//! The desired state that the documents declare, with the place of each object.

use serde::{Deserialize, Serialize};

use super::{DesiredVijilPolicy, Domain, Policy, is_for};

/// Everything that a workspace declares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// For Docker organizations; sorted by name, which is unique in each organization.
    pub policies: Vec<DesiredPolicy>,
    /// For Vijil; sorted by name, which is unique.
    pub vijil: Vec<DesiredVijilPolicy>,
}

/// A declared policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredPolicy {
    /// The policy.
    pub policy: Policy,
    /// The domain of the document's kind, even if the policy has no rules.
    pub domain: Domain,
    /// Earlier names, in the order written.
    pub previously: Vec<String>,
    /// The organizations that it is for; all organizations of the workspace if it names none.
    pub orgs: Vec<String>,
    /// The place of the document's name.
    pub origin: Origin,
    /// The data of each rule of an allowlist, or of each statement of a Cedar text, in the same
    /// order.
    pub rules: Vec<DesiredRule>,
}

impl Desired {
    /// The name of each policy of either service, with its earlier names.
    pub fn names(&self) -> impl Iterator<Item = (&str, &[String])> {
        let docker =
            self.policies.iter().map(|one| (one.policy.name.as_str(), one.previously.as_slice()));
        docker.chain(self.vijil.iter().map(|one| (one.name.as_str(), one.previously.as_slice())))
    }

    /// Returns `true` if a declared policy has this name, or had it earlier.
    #[must_use]
    pub fn declares(&self, name: &str) -> bool {
        self.names().any(|(own, previously)| {
            own == name || previously.iter().any(|earlier| earlier == name)
        })
    }

    /// The part of the desired state for one organization.
    #[must_use]
    pub fn of_org(&self, org: &str) -> Self {
        let policies =
            self.policies.iter().filter(|policy| is_for(&policy.orgs, org)).cloned().collect();
        Self { policies, vijil: Vec::new() }
    }
}

/// The data of a rule in a document, in addition to the rule itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredRule {
    /// Earlier names, in the order written.
    pub previously: Vec<String>,
    /// The place where the rule starts.
    pub origin: Origin,
}

/// A place in a file of the workspace. Lines and columns count from 1, columns in characters.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Origin {
    /// Relative to the workspace, with `/` between segments.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl Origin {
    /// `file:line`, with the file's name as it is.
    #[must_use]
    pub fn file_line(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    /// Splits a text that ends with a place in parentheses: `rule (file:line:column)`. `None` for
    /// every other text, and for an ambiguous one.
    #[must_use]
    pub fn split_off(text: &str) -> Option<(&str, Self)> {
        let (before, place) = text.strip_suffix(')')?.rsplit_once(" (")?;
        let (rest, column) = place.rsplit_once(':')?;
        let (file, line) = rest.rsplit_once(':')?;
        let number = |text: &str| text.parse().ok().filter(|number| *number > 0);
        let (line, column) = (number(line)?, number(column)?);
        (!file.is_empty() && !file.contains(')') && before.ends_with('`'))
            .then(|| (before, Self { file: file.to_owned(), line, column }))
    }
}

impl std::fmt::Display for Origin {
    /// The place as `file:line:column`, with the file's name unchanged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, line, column } = self;
        write!(f, "{file}:{line}:{column}")
    }
}
