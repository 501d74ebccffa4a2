//! `AgentPolicy`: rules for the behaviour of agents, with the review of each.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::{Map, Value};

use super::field::{self, ApiVersion};
use crate::model::{Fields, Review, SEVERITIES, VijilStatus};

/// Rules for the behaviour of agents, with their approvals.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "AgentPolicy", extend("not" = {"required": ["source_text", "source_file"]}))]
pub struct AgentPolicy {
    /// The version of the document format.
    #[serde(rename = "apiVersion")]
    pub api_version: ApiVersion,
    /// The kind of the document.
    pub kind: AgentPolicyKind,
    /// The identity of the policy, unique in the workspace.
    #[serde(deserialize_with = "name")]
    #[schemars(length(min = 1, max = 255), example = "Customer data handling")]
    pub name: String,
    /// Earlier names of the policy: a live policy of such a name is renamed, not replaced.
    #[serde(default, deserialize_with = "field::texts")]
    #[schemars(inner(length(min = 1)))]
    pub previously: Vec<String>,
    /// The description of the policy, as the service shows it.
    #[serde(default, deserialize_with = "field::present")]
    #[schemars(with = "String")]
    pub description: Option<String>,
    /// The field that the policy belongs to.
    pub category: Category,
    /// The status of the policy; without it, the status is unchanged. `active` requires every rule
    /// to be approved.
    #[serde(default, deserialize_with = "field::present")]
    #[schemars(with = "VijilStatus")]
    pub status: Option<VijilStatus>,
    /// The text that the rules are extracted from.
    #[serde(default, deserialize_with = "field::present")]
    #[schemars(with = "String", example = "Agents must not disclose customer PII.")]
    pub source_text: Option<String>,
    /// A file with that text, relative to this document and inside the workspace.
    #[serde(default, deserialize_with = "field::optional_text")]
    #[schemars(with = "String", length(min = 1), example = "customer-data.md")]
    pub source_file: Option<String>,
    /// Free labels.
    #[serde(default, deserialize_with = "field::present_texts")]
    #[schemars(with = "Vec<String>", inner(length(min = 1)))]
    pub tags: Option<Vec<String>>,
    /// The rules; `[]` for none, which has to be explicit.
    pub rules: Vec<AgentRule>,
}

/// One rule for the behaviour of agents.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentRule {
    /// The identity of the rule, unique in the policy.
    #[serde(deserialize_with = "field::text")]
    #[schemars(length(min = 1), example = "PRIV-001")]
    pub rule_id: String,
    /// Earlier identities of the rule: a live rule with one of them is updated, not replaced.
    #[serde(default, deserialize_with = "field::texts")]
    #[schemars(inner(length(min = 1)))]
    pub previously: Vec<String>,
    /// The effect of the rule on the action.
    pub rule_type: RuleType,
    /// The action that the rule is about.
    #[serde(deserialize_with = "action")]
    #[schemars(length(min = 1, max = 100), example = &"disclose")]
    pub action: String,
    /// The target of the action.
    #[serde(default, deserialize_with = "field::present")]
    #[schemars(with = "String", example = &"customer_pii")]
    pub target: Option<String>,
    /// The party that must comply with the rule.
    #[serde(default, deserialize_with = "field::present")]
    #[schemars(with = "String", example = &"agent")]
    pub assignee: Option<String>,
    /// Conditions under which the rule applies, in the service's form: usually `condition_type`,
    /// `field`, `operator` and `value`.
    #[serde(default, deserialize_with = "field::present")]
    #[schemars(with = "Vec<Map<String, Value>>")]
    pub constraints: Option<Vec<Map<String, Value>>>,
    /// The logic that combines the constraints.
    #[serde(default, deserialize_with = "field::present")]
    #[schemars(with = "String", example = &"all")]
    pub constraint_logic: Option<String>,
    /// The consequence when the rule is broken. Other keys than `action`, `severity` and `message`
    /// are kept unchanged.
    #[serde(deserialize_with = "consequence")]
    #[schemars(schema_with = "consequence_schema")]
    pub consequence: Map<String, Value>,
    /// The rule as a sentence.
    #[serde(deserialize_with = "field::text")]
    #[schemars(length(min = 1), example = "Agents must not disclose customer PII.")]
    pub natural_language: String,
    /// The field that the rule belongs to.
    #[serde(default, deserialize_with = "field::present")]
    #[schemars(with = "Category")]
    pub category: Option<Category>,
    /// Free labels.
    #[serde(default, deserialize_with = "field::present_texts")]
    #[schemars(with = "Vec<String>", inner(length(min = 1)))]
    pub tags: Option<Vec<String>>,
    /// The source that the rule was extracted from, for reviewers; never sent.
    #[serde(default, deserialize_with = "field::present")]
    #[schemars(with = "Map<String, Value>")]
    pub provenance: Option<Map<String, Value>>,
    /// The decision of the reviewers; without it, the review is unchanged.
    #[serde(default, deserialize_with = "field::present")]
    #[schemars(with = "ReviewField")]
    pub review: Option<ReviewField>,
}

/// The decision of the reviewers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReviewField {
    /// Approved, with notes that may be empty.
    Approved(String),
    /// Rejected, with a reason.
    Rejected(#[serde(deserialize_with = "field::text")] String),
}

/// The field that a policy or a rule belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
#[expect(missing_docs, reason = "the names say all that the service says")]
pub enum Category {
    Privacy,
    Ethics,
    Security,
    Compliance,
    Operational,
    Brand,
    Custom,
}

/// The effect of a rule on its action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
#[expect(missing_docs, reason = "the names say all that the service says")]
pub enum RuleType {
    Permission,
    Prohibition,
    Obligation,
    Recommendation,
}

/// `AgentPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum AgentPolicyKind {
    /// The document as written.
    AgentPolicy,
}

impl AgentPolicy {
    /// Decodes a policy with at most one of `source_text` and `source_file`.
    pub(super) fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let policy = Self::deserialize(deserializer)?;
        if policy.source_text.is_some() && policy.source_file.is_some() {
            return Err(D::Error::custom(
                "a policy takes at most one of `source_text` and `source_file`",
            ));
        }
        Ok(policy)
    }

    /// The fields that the document sets; `source` is the text of `source_file`.
    pub(super) fn fields(&self, source: Option<String>) -> Fields {
        let mut fields = Fields::new();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value);
            }
        };
        set("description", self.description.clone().map(Value::from));
        set("category", serde_json::to_value(self.category).ok());
        set("source_text", self.source_text.clone().or(source).map(Value::from));
        set("tags", self.tags.clone().map(Value::from));
        fields
    }
}

impl AgentRule {
    /// The fields that the document sets.
    pub(super) fn fields(&self) -> Fields {
        // Without `..`, so that no field is forgotten.
        let Self {
            rule_id: _,
            previously: _,
            provenance: _,
            review: _,
            rule_type: _,
            action: _,
            target: _,
            assignee: _,
            constraints: _,
            constraint_logic: _,
            consequence: _,
            natural_language: _,
            category: _,
            tags: _,
        } = self;
        let mut fields = Fields::new();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value);
            }
        };
        set("rule_type", serde_json::to_value(self.rule_type).ok());
        set("action", Some(self.action.clone().into()));
        set("target", self.target.clone().map(Value::from));
        set("assignee", self.assignee.clone().map(Value::from));
        let constraints = self.constraints.clone();
        set("constraints", constraints.map(|list| list.into_iter().map(Value::Object).collect()));
        set("constraint_logic", self.constraint_logic.clone().map(Value::from));
        set("consequence", Some(Value::Object(self.consequence.clone())));
        set("natural_language", Some(self.natural_language.clone().into()));
        set("category", self.category.and_then(|category| serde_json::to_value(category).ok()));
        set("tags", self.tags.clone().map(Value::from));
        fields
    }
}

impl From<&ReviewField> for Review {
    fn from(review: &ReviewField) -> Self {
        match review {
            ReviewField::Approved(notes) => Self::Approved(notes.clone()),
            ReviewField::Rejected(reason) => Self::Rejected(reason.clone()),
        }
    }
}

// Written by hand, as for expectations: an object with one of two keys.
impl JsonSchema for ReviewField {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Review".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The decision of the reviewers.",
            "type": "object",
            "properties": {
                "approved": {
                    "description": "Approved, with these notes; `\"\"` leaves them to the pipeline, which names the commit and the pull request.",
                    "type": "string",
                    "examples": ["Reviewed in the pull request."]
                },
                "rejected": {
                    "description": "Rejected, for this reason.",
                    "type": "string",
                    "minLength": 1,
                    "examples": ["The rule repeats PRIV-001."]
                }
            },
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1
        })
    }
}

fn at_most<'de, D: Deserializer<'de>>(deserializer: D, most: usize) -> Result<String, D::Error> {
    let text = field::text(deserializer)?;
    if text.chars().count() > most { Err(D::Error::custom("is too long")) } else { Ok(text) }
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    at_most(deserializer, 255)
}

fn action<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    at_most(deserializer, 100)
}

fn consequence<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    let members = Map::deserialize(deserializer)?;
    let text = |key: &str| members.get(key).is_none_or(Value::is_string);
    let severity = members.get("severity").is_none_or(|severity| {
        severity.as_str().is_some_and(|severity| SEVERITIES.contains(&severity))
    });
    if !text("action") || !text("message") || !severity {
        return Err(D::Error::custom("`action`, `severity` or `message` is of another type"));
    }
    Ok(members)
}

fn consequence_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "What happens when the rule is broken. Keys beside `action`, `severity` and `message` are kept as they are.",
        "type": "object",
        "properties": {
            "action": {"description": "What is done.", "type": "string", "examples": ["block"]},
            "severity": {"description": "How grave it is.", "enum": SEVERITIES},
            "message": {"description": "What is said.", "type": "string"}
        },
        "additionalProperties": true
    })
}
