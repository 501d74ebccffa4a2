//! Durable state: one file, one process at a time, one durable transaction for each call that
//! changes something.
//!
//! Invariant: once an answer is sent, its effect is on disk; a process that is killed leaves the
//! state after a whole number of calls.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, TableDefinition,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::state::{Group, Policy, State, Stored, VijilState};

const OBJECTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("objects");

/// The version of the file, increased when the meaning of stored objects changes.
const FORMAT: u32 = 1;

/// An open state file.
#[derive(Debug)]
pub(super) struct Store {
    database: Database,
    path: PathBuf,
}

/// The reason why durable state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the file open.
    #[error("the state file `{}` is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The file is not one of this version.
    #[error("the state file `{}` cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The fault in the file.
        reason: String,
    },
    /// The disk or the store failed.
    #[error("the state file `{}` failed", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// The failure.
        #[source]
        source: Box<redb::Error>,
    },
}

/// A stored object, by the kind in its key.
#[derive(PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "object")]
enum Object {
    Meta { format: u32, ids_given: u64, ids_salt: String },
    Teams { org: String, teams: BTreeMap<String, Group> },
    Policy { org: String, policy: Box<Policy> },
    Record { org: String, record: Value },
    AgentPolicy { policy: Stored },
    AgentRule { rule: Stored },
    AgentFile { policy: String, content: Vec<u8> },
}

impl Store {
    /// Reads a state file; an empty file is an empty state.
    pub(super) fn open(path: PathBuf, file: File) -> Result<(Self, State), StoreError> {
        let database = match FileBackend::new(file)
            .and_then(|file| Builder::new().create_with_backend(file))
        {
            Ok(database) => database,
            Err(DatabaseError::DatabaseAlreadyOpen) => return Err(StoreError::InUse(path)),
            Err(error) => return Err(failed(&path, error)),
        };
        let store = Self { database, path };
        let state = store.read()?;
        Ok((store, state))
    }

    fn read(&self) -> Result<State, StoreError> {
        let mut state = State::default();
        for (key, json) in self.objects().map_err(|error| failed(&self.path, error))? {
            let unreadable =
                |reason: String| StoreError::Unreadable { path: self.path.clone(), reason };
            let object = serde_json::from_slice(&json)
                .map_err(|error| unreadable(format!("object `{key}`: {error}")))?;
            match object {
                Object::Meta { format, .. } if format != FORMAT => {
                    return Err(unreadable(format!(
                        "it has format {format}, this version reads {FORMAT}"
                    )));
                }
                Object::Meta { format: _, ids_given, ids_salt } => {
                    (state.ids_given, state.ids_salt) = (ids_given, ids_salt)
                }
                Object::Teams { org, teams } => state.org_mut(&org).teams = Arc::new(teams),
                Object::Policy { org, policy } => {
                    state.org_mut(&org).policies.insert(policy.id.clone(), Arc::from(policy));
                }
                // The keys contain numbers in order.
                Object::Record { org, record } => {
                    Arc::make_mut(&mut state.org_mut(&org).records).push(Arc::new(record));
                }
                Object::AgentPolicy { policy } => {
                    state.vijil.policies.insert(policy.text("id").to_owned(), Arc::new(policy));
                }
                Object::AgentRule { rule } => {
                    state.vijil.rules.insert(rule.text("id").to_owned(), Arc::new(rule));
                }
                Object::AgentFile { policy, content } => {
                    state.vijil.files.insert(policy, Arc::new(content));
                }
            }
        }
        Ok(state)
    }

    /// All stored objects, as JSON by key.
    fn objects(&self) -> Result<Vec<(String, Vec<u8>)>, redb::Error> {
        let table = match self.database.begin_read()?.open_table(OBJECTS) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut objects = Vec::new();
        for entry in table.iter()? {
            let (key, json) = entry?;
            objects.push((key.value().to_owned(), json.value().to_owned()));
        }
        Ok(objects)
    }

    /// Writes the differences in one durable transaction; writes nothing if there are none.
    pub(super) fn save(&self, before: &State, after: &State) -> Result<(), StoreError> {
        let changes = changes(before, after);
        if changes.is_empty() {
            return Ok(());
        }
        self.write(&changes).map_err(|error| failed(&self.path, error))
    }

    fn write(&self, changes: &BTreeMap<String, Option<Object>>) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        {
            let mut table = transaction.open_table(OBJECTS)?;
            for (key, object) in changes {
                match object {
                    Some(object) => {
                        let json = serde_json::to_vec(object)
                            .expect("stored objects have string keys only");
                        table.insert(key.as_str(), json.as_slice())?;
                    }
                    None => {
                        table.remove(key.as_str())?;
                    }
                }
            }
        }
        Ok(transaction.commit()?)
    }
}

fn failed(path: &Path, error: impl Into<redb::Error>) -> StoreError {
    StoreError::Failed { path: path.to_owned(), source: Box::new(error.into()) }
}

/// The objects to write, and the keys to remove.
fn changes(before: &State, after: &State) -> BTreeMap<String, Option<Object>> {
    let mut changes = BTreeMap::new();
    let State { orgs, ids_given, ids_salt, vijil } = after;
    if before != after {
        changes.insert(
            "meta".to_owned(),
            Some(Object::Meta {
                format: FORMAT,
                ids_given: *ids_given,
                ids_salt: ids_salt.clone(),
            }),
        );
    }
    vijil_changes(&before.vijil, vijil, &mut changes);
    for (name, org) in orgs {
        let earlier = before.orgs.get(name);
        if earlier.is_none_or(|earlier| earlier.teams != org.teams) {
            let teams = Object::Teams { org: name.clone(), teams: BTreeMap::clone(&org.teams) };
            changes.insert(format!("teams/{name}"), Some(teams));
        }
        let known = earlier.map_or(0, |earlier| earlier.records.len());
        for (number, record) in org.records.iter().enumerate().skip(known) {
            let object = Object::Record { org: name.clone(), record: Value::clone(record) };
            changes.insert(format!("record/{name}/{number:012}"), Some(object));
        }
        for (id, policy) in &org.policies {
            let known = earlier.and_then(|earlier| earlier.policies.get(id));
            if known.is_none_or(|known| !Arc::ptr_eq(known, policy)) {
                let object =
                    Object::Policy { org: name.clone(), policy: Box::new(Policy::clone(policy)) };
                changes.insert(format!("policy/{name}/{id}"), Some(object));
            }
        }
    }
    for (name, org) in &before.orgs {
        let later = after.orgs.get(name);
        for id in org
            .policies
            .keys()
            .filter(|id| later.is_none_or(|later| !later.policies.contains_key(*id)))
        {
            changes.insert(format!("policy/{name}/{id}"), None);
        }
        if later.is_none() {
            changes.insert(format!("teams/{name}"), None);
        }
    }
    changes
}

fn vijil_changes(
    before: &VijilState,
    after: &VijilState,
    changes: &mut BTreeMap<String, Option<Object>>,
) {
    type Shared<T> = BTreeMap<String, Arc<T>>;
    fn differing<T: Clone>(
        (kind, before, after): (&str, &Shared<T>, &Shared<T>),
        object: impl Fn(&str, T) -> Object,
        changes: &mut BTreeMap<String, Option<Object>>,
    ) {
        for (id, value) in after {
            if before.get(id).is_none_or(|known| !Arc::ptr_eq(known, value)) {
                changes.insert(format!("{kind}/{id}"), Some(object(id, T::clone(value))));
            }
        }
        for id in before.keys().filter(|id| !after.contains_key(*id)) {
            changes.insert(format!("{kind}/{id}"), None);
        }
    }
    let VijilState { policies, rules, files } = after;
    differing(
        ("agent-policy", &before.policies, policies),
        |_, policy| Object::AgentPolicy { policy },
        changes,
    );
    differing(("agent-rule", &before.rules, rules), |_, rule| Object::AgentRule { rule }, changes);
    let file = |policy: &str, content| Object::AgentFile { policy: policy.to_owned(), content };
    differing(("agent-file", &before.files, files), file, changes);
}
