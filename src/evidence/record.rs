//! A record as it is written: flat in local files, with a payload in the audit API, or as a row of
//! an aggregation.
//!
//! Invariant: a record is read whatever fields a later version adds, of whatever types. Texts are
//! borrowed from the line where possible.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A text, or a number or boolean written as one; empty for any other value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

/// A list of texts, or a single one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Texts<'a>(pub(super) Vec<Cow<'a, str>>);

/// The fields of a record that matter; empty if the record lacks them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) audit_event_id: Text<'a>,
    pub(super) timestamp: Text<'a>,
    pub(super) created_at: Text<'a>,
    pub(super) category: Text<'a>,
    pub(super) decision: Text<'a>,
    pub(super) username: Text<'a>,
    pub(super) user_email: Text<'a>,
    pub(super) resource_id: Text<'a>,
    pub(super) deny_reason: Texts<'a>,
    pub(super) enforcement_mode: Text<'a>,
    pub(super) action_type: Text<'a>,
    pub(super) hostname: Text<'a>,
    pub(super) approval: Option<Box<Object<'a>>>,
    pub(super) network_egress: Option<Box<Object<'a>>>,
    pub(super) http_request: Option<Box<Object<'a>>>,
    pub(super) payload: Option<Box<Record<'a>>>,
    /// The records, if it is a page of the audit API.
    pub(super) events: Option<Vec<Record<'a>>>,
    // Columns of an aggregation.
    pub(super) user: Text<'a>,
    pub(super) reason: Texts<'a>,
    pub(super) count: Text<'a>,
    pub(super) first: Text<'a>,
    pub(super) last: Text<'a>,
    pub(super) object: Object<'a>,
    /// True if the value is an object.
    pub(super) is_object: bool,
}

/// The fields that matter in the nested objects of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Object<'a> {
    pub(super) protocol: Text<'a>,
    pub(super) method: Text<'a>,
    pub(super) host: Text<'a>,
    pub(super) port: Text<'a>,
    pub(super) path: Text<'a>,
    pub(super) approval_request_id: Text<'a>,
}

impl Text<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.trim().is_empty()
    }
}

impl<'a> Record<'a> {
    /// The text of the field with this name.
    pub(super) fn text_mut(&mut self, name: &str) -> Option<&mut Text<'a>> {
        Some(match name {
            "audit_event_id" => &mut self.audit_event_id,
            "timestamp" => &mut self.timestamp,
            "created_at" => &mut self.created_at,
            "category" => &mut self.category,
            "decision" => &mut self.decision,
            "username" => &mut self.username,
            "user_email" => &mut self.user_email,
            "resource_id" => &mut self.resource_id,
            "enforcement_mode" => &mut self.enforcement_mode,
            "action_type" => &mut self.action_type,
            "hostname" => &mut self.hostname,
            "user" => &mut self.user,
            "count" => &mut self.count,
            "first" => &mut self.first,
            "last" => &mut self.last,
            _ => return self.object.text_mut(name),
        })
    }

    /// The texts that may identify the request, in the order in which they apply.
    pub(super) fn identities(&self) -> impl Iterator<Item = &Text<'a>> {
        let inner = self.payload.as_deref();
        let approval =
            self.approval.as_deref().or_else(|| inner.and_then(|inner| inner.approval.as_deref()));
        let all = [
            approval.map(|approval| &approval.approval_request_id),
            Some(&self.object.approval_request_id),
            Some(&self.audit_event_id),
            inner.map(|inner| &inner.audit_event_id),
        ];
        all.into_iter().flatten()
    }

    /// The texts that may be the time of a single request, in the order in which they apply.
    pub(super) fn times(&self) -> impl Iterator<Item = &Text<'a>> {
        let records = [Some(self), self.payload.as_deref()].into_iter().flatten();
        records.flat_map(|record| [&record.timestamp, &record.created_at])
    }

    /// The texts that may name the user, in the order in which they apply.
    pub(super) fn users(&self) -> impl Iterator<Item = &Text<'a>> {
        let inner = self.payload.as_deref();
        let all = [
            Some(&self.username),
            inner.map(|inner| &inner.username),
            Some(&self.user),
            Some(&self.user_email),
            inner.map(|inner| &inner.user_email),
        ];
        all.into_iter().flatten()
    }

    /// The texts that may name the machine, in the order in which they apply.
    pub(super) fn machines(&self) -> impl Iterator<Item = &Text<'a>> {
        [Some(self), self.payload.as_deref()].into_iter().flatten().map(|record| &record.hostname)
    }

    /// The record with other texts: `each` is called with every text that matters, in an order that
    /// depends on which parts the record has. What no record uses is left out: the records of a
    /// page, and the payload of a payload.
    pub(super) fn map<'b>(self, each: &mut dyn FnMut(Cow<'a, str>) -> Cow<'b, str>) -> Record<'b> {
        let payload =
            self.payload.map(|payload| Box::new(Record { payload: None, ..*payload }.map(each)));
        let mut object =
            |object: Option<Box<Object<'a>>>| object.map(|object| Box::new(object.map(each)));
        let [approval, network_egress, http_request] =
            [self.approval, self.network_egress, self.http_request].map(&mut object);
        let mut texts = |texts: Texts<'a>| Texts(texts.0.into_iter().map(&mut *each).collect());
        let (deny_reason, reason) = (texts(self.deny_reason), texts(self.reason));
        let mut text = |text: Text<'a>| Text(each(text.0));
        Record {
            audit_event_id: text(self.audit_event_id),
            timestamp: text(self.timestamp),
            created_at: text(self.created_at),
            category: text(self.category),
            decision: text(self.decision),
            username: text(self.username),
            user_email: text(self.user_email),
            resource_id: text(self.resource_id),
            deny_reason,
            enforcement_mode: text(self.enforcement_mode),
            action_type: text(self.action_type),
            hostname: text(self.hostname),
            approval,
            network_egress,
            http_request,
            payload,
            events: None,
            user: text(self.user),
            reason,
            count: text(self.count),
            first: text(self.first),
            last: text(self.last),
            object: self.object.map(each),
            is_object: self.is_object,
        }
    }
}

impl<'a> Object<'a> {
    pub(super) fn text_mut(&mut self, name: &str) -> Option<&mut Text<'a>> {
        Some(match name {
            "protocol" => &mut self.protocol,
            "method" => &mut self.method,
            "host" => &mut self.host,
            "port" => &mut self.port,
            "path" => &mut self.path,
            "approval_request_id" => &mut self.approval_request_id,
            _ => return None,
        })
    }

    fn map<'b>(self, each: &mut dyn FnMut(Cow<'a, str>) -> Cow<'b, str>) -> Object<'b> {
        let mut text = |text: Text<'a>| Text(each(text.0));
        Object {
            protocol: text(self.protocol),
            method: text(self.method),
            host: text(self.host),
            port: text(self.port),
            path: text(self.path),
            approval_request_id: text(self.approval_request_id),
        }
    }
}

/// One value of a record. Nearly all are texts, and there are millions of them, so that it avoids
/// copies.
struct Scalar;

impl<'de> Visitor<'de> for Scalar {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(number.to_string())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(number.to_string())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(number.to_string())))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(truth.to_string())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Text::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Several.visit_seq(list).map(|texts| Text(texts.0.into_iter().next().unwrap_or_default()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text::default())
    }
}

/// A list of such values, or a single one.
struct Several;

impl<'de> Visitor<'de> for Several {
    type Value = Texts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("texts")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Texts(vec![Cow::Borrowed(text)]))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Scalar.visit_str(text).map(|text| Texts(vec![text.0]))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
        Scalar.visit_u64(number).map(|text| Texts(vec![text.0]))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Self::Value, E> {
        Scalar.visit_i64(number).map(|text| Texts(vec![text.0]))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Self::Value, E> {
        Scalar.visit_f64(number).map(|text| Texts(vec![text.0]))
    }

    fn visit_bool<E: serde::de::Error>(self, truth: bool) -> Result<Self::Value, E> {
        Scalar.visit_bool(truth).map(|text| Texts(vec![text.0]))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Texts::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Texts(texts)) = list.next_element::<Texts<'de>>()? {
            all.extend(texts);
        }
        Ok(Texts(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Scalar.visit_map(map).map(|_| Texts::default())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scalar)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Texts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Several)
    }
}

/// A key, borrowed unless it has an escape.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Any)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut object = Object::default();
                while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
                    match object.text_mut(&key) {
                        Some(text) => *text = map.next_value()?,
                        None => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(object)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Object::default())
            }

            fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
                Ok(Object::default())
            }

            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                Ok(Object::default())
            }

            fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
                Ok(Object::default())
            }

            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Object::default())
            }

            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Object::default())
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Object::default())
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Record<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Record<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a record")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut record = Record { is_object: true, ..Record::default() };
                while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
                    match &*key {
                        "deny_reason" => record.deny_reason = map.next_value()?,
                        "reason" => record.reason = map.next_value()?,
                        "approval" => record.approval = Some(Box::new(map.next_value()?)),
                        "network_egress" => {
                            record.network_egress = Some(Box::new(map.next_value()?))
                        }
                        "http_request" => record.http_request = Some(Box::new(map.next_value()?)),
                        "payload" => record.payload = Some(Box::new(map.next_value()?)),
                        "events" => record.events = Some(map.next_value::<Records<'de>>()?.0),
                        key => match record.text_mut(key) {
                            Some(text) => *text = map.next_value()?,
                            None => drop(map.next_value::<IgnoredAny>()?),
                        },
                    }
                }
                Ok(record)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut events = Vec::new();
                while let Some(record) = list.next_element()? {
                    events.push(record);
                }
                Ok(Record { events: Some(events), is_object: true, ..Record::default() })
            }

            fn visit_borrowed_str<E>(self, _: &'de str) -> Result<Self::Value, E> {
                Ok(Record::default())
            }

            fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
                Ok(Record::default())
            }

            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                Ok(Record::default())
            }

            fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
                Ok(Record::default())
            }

            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Record::default())
            }

            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Record::default())
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Record::default())
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A list of records; empty for any other value.
struct Records<'a>(Vec<Record<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Records<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Record::deserialize(deserializer).map(|record| Self(record.events.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_every_shape_are_read() {
        let flat = r#"{"decision":"AUDIT_DECISION_DENY","resource_id":"a.example:443","deny_reason":["one","two"],
            "network_egress":{"protocol":"tcp","new":[1]},"audit_event_id":7,"sandbox_id":{"x":null},"approval":null}"#;
        let record: Record<'_> = serde_json::from_str(flat).unwrap();
        assert_eq!(record.resource_id.0, "a.example:443");
        assert_eq!(record.deny_reason.0, ["one", "two"]);
        assert_eq!(record.network_egress.unwrap().protocol.0, "tcp");
        assert_eq!(record.audit_event_id.0, "7");
        let page = r#"{"events":[{"payload":{"resource_id":"b:1"}},{"payload":"x"}],"next_page_token":""}"#;
        let record: Record<'_> = serde_json::from_str(page).unwrap();
        let events = record.events.unwrap();
        assert_eq!(events[0].payload.as_ref().unwrap().resource_id.0, "b:1");
        assert!(!events[1].payload.as_ref().unwrap().is_object);
    }

    #[test]
    fn fields_of_any_type_spoil_no_record() {
        for (value, texts) in [
            ("\"x\"", vec!["x"]),
            ("7", vec!["7"]),
            ("-7", vec!["-7"]),
            ("1.5", vec!["1.5"]),
            ("true", vec!["true"]),
            ("null", vec![]),
            ("{\"a\":[1]}", vec![]),
            ("[\"x\",[2],null]", vec!["x", "2"]),
        ] {
            let line = format!(
                r#"{{"username":{value},"deny_reason":{value},"http_request":{value},"payload":{value},"hostname":"last"}}"#
            );
            let record: Record<'_> = serde_json::from_str(&line).unwrap();
            assert_eq!(record.username.0, texts.first().copied().unwrap_or_default(), "{value}");
            assert_eq!(record.deny_reason.0, texts, "{value}");
            assert_eq!(record.http_request, Some(Box::default()), "{value}");
            assert_eq!(record.payload.unwrap().resource_id, Text::default(), "{value}");
            assert_eq!(record.hostname.0, "last", "{value}");
        }
    }

    #[test]
    fn half_a_record_is_none() {
        for text in [r#"{"decision":"AUDIT_DEC"#, r#"{"decision":"a"} {"#, "{]", ""] {
            assert!(serde_json::from_str::<Record<'_>>(text).is_err(), "{text}");
        }
        assert!(!serde_json::from_str::<Record<'_>>("7").unwrap().is_object);
    }
}
