//! Protected policies, and the kinds of change that are allowed for them.

use std::collections::BTreeSet;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

/// A policy that no plan may weaken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Protected {
    /// The name of the policy.
    pub name: String,
    /// The kinds of change that are allowed.
    pub allow: BTreeSet<Weakening>,
}

/// A kind of change that makes a protected policy weaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weakening {
    /// The policy is deleted, or no longer declared.
    Delete,
    /// The policy loses its last rule.
    Empty,
    /// The policy denies less to an audience, or allows more, because its scope changes.
    Scope,
    /// A deny is removed or narrowed.
    NarrowDeny,
    /// The policy allows more than before.
    AddAllow,
    /// A policy for agents is no longer active.
    Deactivate,
    /// A rule for agents is removed, rejected, narrowed or reworded, or its consequence is milder.
    WeakenRule,
}

impl Weakening {
    /// Every kind, in the spelling of the settings.
    pub const NAMES: [&str; 7] =
        ["delete", "empty", "scope", "narrow-deny", "add-allow", "deactivate", "weaken-rule"];

    /// The spelling in the settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Empty => "empty",
            Self::Scope => "scope",
            Self::NarrowDeny => "narrow-deny",
            Self::AddAllow => "add-allow",
            Self::Deactivate => "deactivate",
            Self::WeakenRule => "weaken-rule",
        }
    }
}

impl Protected {
    /// A policy for which no kind of change is allowed.
    #[must_use]
    pub fn wholly(name: impl Into<String>) -> Self {
        Self { name: name.into(), allow: BTreeSet::new() }
    }
}

impl Serialize for Protected {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { name, allow } = self;
        if allow.is_empty() {
            return serializer.serialize_str(name);
        }
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("name", name)?;
        map.serialize_entry("allow", allow)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Protected {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Entry {
            name: String,
            #[serde(default)]
            allow: Vec<Weakening>,
        }
        fn named<E: Error>(protected: Protected) -> Result<Protected, E> {
            if protected.name.is_empty() { Err(E::custom("is empty")) } else { Ok(protected) }
        }
        struct ProtectedVisitor;
        impl<'de> Visitor<'de> for ProtectedVisitor {
            type Value = Protected;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a policy, or `name` with `allow`")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Protected, E> {
                named(Protected::wholly(name))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Protected, A::Error> {
                let Entry { name, allow } = Entry::deserialize(MapAccessDeserializer::new(map))?;
                named(Protected { name, allow: allow.into_iter().collect() })
            }
        }
        deserializer.deserialize_any(ProtectedVisitor)
    }
}

/// One schema for both forms, since each of its keywords concerns only one of them.
impl JsonSchema for Protected {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Protected".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A protected policy: its name, or its `name` with the kinds of change in `allow` that a plan may make.",
            "type": ["string", "object"],
            "minLength": 1,
            "required": ["name"],
            "additionalProperties": false,
            "properties": {
                "name": {"description": "The policy's name.", "type": "string", "minLength": 1},
                "allow": {
                    "description": "`delete`: the policy goes, or no document declares it any more; `empty`: it loses its last rule; `scope`: another choice of teams exempts somebody from a deny, or gives an allow to more people; `narrow-deny`: a deny is removed or narrowed; `add-allow`: it allows more than before; `deactivate`: a policy for agents is no longer active; `weaken-rule`: a rule for agents is removed, rejected, narrowed or reworded, or its consequence is milder.",
                    "type": "array",
                    "items": {"type": "string", "enum": Weakening::NAMES}
                }
            },
            "examples": ["Guardrails", {"name": "Guardrails", "allow": ["add-allow"]}]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Protected, Weakening};
    use serde_json::{Value, json};

    #[test]
    fn a_protected_policy_is_a_name_or_a_name_with_what_is_allowed() {
        let table = [
            (json!("A"), Some(Protected::wholly("A"))),
            (json!({"name": "A"}), Some(Protected::wholly("A"))),
            (
                json!({"name": "A", "allow": ["add-allow", "scope"]}),
                Some(Protected {
                    name: "A".to_owned(),
                    allow: [Weakening::AddAllow, Weakening::Scope].into(),
                }),
            ),
            (json!(""), None),
            (json!({"allow": []}), None),
            (json!({"name": ""}), None),
            (json!({"name": "A", "allow": ["anything"]}), None),
            (json!({"name": "A", "alow": []}), None),
            (json!(null), None),
            (json!(7), None),
        ];
        let schema: Value = schemars::schema_for!(Protected).into();
        let schema = jsonschema::draft202012::new(&schema).unwrap();
        for (value, expected) in table {
            let read = serde_json::from_value::<Protected>(value.clone()).ok();
            assert_eq!(read, expected, "{value}");
            assert_eq!(schema.is_valid(&value), expected.is_some(), "{value}");
            let again = read
                .map(|read| serde_json::from_value(serde_json::to_value(read).unwrap()).unwrap());
            assert_eq!(again, expected, "{value}");
        }
    }

    #[test]
    fn every_kind_of_weakening_is_spelled_as_listed() {
        for name in Weakening::NAMES {
            let kind: Weakening = serde_json::from_value(json!(name)).unwrap();
            assert_eq!((serde_json::to_value(kind).unwrap(), kind.name()), (json!(name), name));
        }
    }
}
