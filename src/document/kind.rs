//! The kinds of documents, in one table.

use schemars::{Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value;

use super::{AccessTest, AgentPolicy, FilesystemPolicy, McpPolicy, NetworkPolicy, Settings};

/// A kind of document.
#[derive(Debug)]
pub struct Kind {
    /// The value of `kind`.
    pub name: &'static str,
    /// True for the kind of `seawall.yaml`, which no other file may have.
    pub settings: bool,
    /// The schema of the kind, without the common part of [`super::schema_of`].
    pub(super) schema: fn(&mut SchemaGenerator) -> Schema,
    /// Decodes a value that fits the schema.
    pub(super) decode: fn(Value) -> Result<Body, serde_json::Error>,
}

/// The typed form of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// `Workspace`.
    Workspace(Box<Settings>),
    /// `NetworkPolicy`.
    NetworkPolicy(NetworkPolicy),
    /// `FilesystemPolicy`.
    FilesystemPolicy(FilesystemPolicy),
    /// `McpPolicy`.
    McpPolicy(McpPolicy),
    /// `AgentPolicy`.
    AgentPolicy(AgentPolicy),
    /// `AccessTest`.
    AccessTest(AccessTest),
}

/// All kinds, in the order of the documentation.
pub static KINDS: [Kind; 6] = [
    Kind {
        name: "Workspace",
        settings: true,
        schema: SchemaGenerator::root_schema_for::<Settings>,
        decode: |value| Settings::deserialize(value).map(Box::new).map(Body::Workspace),
    },
    Kind {
        name: "NetworkPolicy",
        settings: false,
        schema: SchemaGenerator::root_schema_for::<NetworkPolicy>,
        decode: |value| NetworkPolicy::deserialize(value).map(Body::NetworkPolicy),
    },
    Kind {
        name: "FilesystemPolicy",
        settings: false,
        schema: SchemaGenerator::root_schema_for::<FilesystemPolicy>,
        decode: |value| FilesystemPolicy::deserialize(value).map(Body::FilesystemPolicy),
    },
    Kind {
        name: "McpPolicy",
        settings: false,
        schema: SchemaGenerator::root_schema_for::<McpPolicy>,
        decode: |value| McpPolicy::decode(value).map(Body::McpPolicy),
    },
    Kind {
        name: "AgentPolicy",
        settings: false,
        schema: SchemaGenerator::root_schema_for::<AgentPolicy>,
        decode: |value| AgentPolicy::decode(value).map(Body::AgentPolicy),
    },
    Kind {
        name: "AccessTest",
        settings: false,
        schema: SchemaGenerator::root_schema_for::<AccessTest>,
        decode: |value| AccessTest::deserialize(value).map(Body::AccessTest),
    },
];
