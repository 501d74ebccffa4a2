//! Vijil's policies and rules, as one function from state and call to state and answer.
//!
//! Invariant: [`Service::handle`] changes the state only if it answers with success. Questions that
//! the published documents leave open are decided here, with a switch in [`VijilBehaviour`] if a
//! client must handle several answers:
//!
//! | question | answer | switch |
//! |---|---|---|
//! | status of a reviewed rule after its content is edited | `modified`, the review is cleared | `after_edit` |
//! | editing a rule's `status` | taken; a content edit in the same call wins | |
//! | a second review, also of the other kind | replaces the first | `second_review` |
//! | an activation with a rule that is not approved | 400 | `refused_activation` |
//! | an activation with a rejected rule | refused as well | `rejected_rules_pass` |
//! | an activation without rules, or of an active policy | done | |
//! | an activation of an archived policy | done | `only_drafts_activate` |
//! | `status: active` in an update | asks for approved rules as well | `patched_active` |
//! | a rule of an active policy is added or edited | the policy stays active | `active_edit` |
//! | a new rule that asks for a status | is a draft | `created_status` |
//! | `rule_id` left out | `R-` and eight digits of the id | |
//! | `rule_id` or a policy's name twice | side by side | `duplicates` |
//! | an `id` of the client | taken, and 409 where it is in use | `client_ids` |
//! | `null` in an update | clears what may be null, else is skipped | `null_update` |
//! | members that a consequence leaves out | stay out | `consequences` |
//! | `conditions` | accepted and forgotten | |
//! | `count` of `/v1/rules/` | all results | `count` |
//! | order of lists | the latest first | `order` |
//! | `search` | in name and description, whatever the case | |
//! | deleting a policy | deletes its rules | `delete_with_rules` |
//! | presets | two, not in the list of policies; copies bring their rules as drafts | `copies_without_rules` |
//! | changing or deleting a preset | 403 | |
//! | files: too large 413, another type 415, none 404 | the text of TXT and MD becomes `source_text`; a PDF is stored and not converted | |
//! | fields of newer versions (`rules_count`, `workflow_id`, `rule_extraction`, `original_snapshot`) | shown | `older_fields` |
//! | extraction of rules | is not modelled: seeds bring drafts | |
//! | a team | is one, the token's; an object of another is 404 | |
//! | which refusal comes first | 404 of the route, 405, 401, 422, 404 of the object, 403, 409 and 400 | |

mod fields;
mod file;
mod policies;
mod preset;
mod route;
mod rules;
mod settings;
mod token;

pub use route::VijilOperation;
pub use settings::{
    ActiveEdit, AfterEdit, ClientIds, Consequences, Count, CreatedStatus, DeleteWithRules,
    Duplicates, NullUpdate, PatchedActive, RefusedActivation, SecondReview, Settings, VijilAccount,
    VijilBehaviour, VijilOrder,
};

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::exchange::{Request, Response};
use super::state::{State, Stored, VijilState};
use fields::Invalid;
use route::Found;
use token::Tokens;

/// The team of every token.
pub const TEAM: &str = "5ea0a11a-7ea0-8a11-9ea0-5ea0a117ea01";
/// The user of every token.
pub const USER: &str = "5ea0a11a-05e0-8a11-9ea0-5ea0a1105e01";

const CATEGORIES: &[&str] =
    &["privacy", "ethics", "security", "compliance", "operational", "brand", "custom"];
const POLICY_STATUSES: &[&str] = &["draft", "active", "archived"];
const RULE_TYPES: &[&str] = &["permission", "prohibition", "obligation", "recommendation"];
const RULE_STATUSES: &[&str] = &["draft", "approved", "rejected", "modified"];

/// A refused call.
#[derive(Debug)]
enum Refusal {
    /// A status with the text of `detail`.
    Detail(u16, String),
    /// 422.
    Invalid(Invalid),
}

/// The service without its state.
#[derive(Debug)]
pub struct Service {
    settings: Settings,
    tokens: Tokens,
}

/// The input of an operation.
struct Call<'a> {
    behaviour: VijilBehaviour,
    request: &'a Request,
}

impl Refusal {
    fn new(status: u16, detail: impl Into<String>) -> Self {
        Self::Detail(status, detail.into())
    }

    fn response(&self) -> Response {
        match self {
            Self::Detail(status, detail) => Response::json(*status, &json!({"detail": detail})),
            Self::Invalid(invalid) => invalid.response(),
        }
    }
}

impl Service {
    /// A service whose tokens are signed with `key`.
    #[must_use]
    pub fn new(settings: Settings, key: String) -> Self {
        Self { settings, tokens: Tokens::new(key) }
    }

    /// Invalidates every token given so far, though it can still be refreshed.
    pub fn expire_tokens(&self) {
        self.tokens.expire();
    }

    /// A token as a login returns it.
    #[must_use]
    pub fn token(&self, now: i64) -> String {
        self.tokens.issue(now, self.settings.token_seconds)
    }

    /// Answers one call.
    #[must_use]
    pub fn handle(&self, state: &mut State, request: &Request) -> Response {
        let answer = match route::find(&request.method, &request.path) {
            Found::Operation(VijilOperation::Login, _) => {
                self.tokens.login(&self.settings, request)
            }
            Found::Operation(VijilOperation::Refresh, _) => {
                self.tokens.refresh(&self.settings, request)
            }
            Found::Operation(operation, id) => {
                self.tokens.check(&self.settings, request).and_then(|()| {
                    Call { behaviour: self.settings.behaviour, request }
                        .answer(state, operation, id)
                })
            }
            Found::Elsewhere(path) => {
                let query: Vec<String> =
                    request.query.iter().map(|(key, value)| format!("{key}={value}")).collect();
                let query =
                    if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
                let location = format!("{}{path}{query}", request.origin);
                return Response::empty(307).with_header("Location", location);
            }
            Found::Method(allowed) => {
                return Refusal::new(405, "Method Not Allowed")
                    .response()
                    .with_header("Allow", allowed);
            }
            Found::Unknown => Err(Refusal::new(404, "Not Found")),
        };
        answer.unwrap_or_else(|refusal| refusal.response())
    }
}

impl Call<'_> {
    fn answer(
        &self,
        state: &mut State,
        operation: VijilOperation,
        id: &str,
    ) -> Result<Response, Refusal> {
        use VijilOperation as O;
        match operation {
            O::Login | O::Refresh => {
                unreachable!("answered before anything is asked of the caller")
            }
            O::ListPolicies => self.list_policies(&state.vijil),
            O::CreatePolicy => self.create_policy(state),
            O::GetPolicy => self.get_policy(&state.vijil, id),
            O::UpdatePolicy => self.update_policy(&mut state.vijil, id),
            O::DeletePolicy => self.delete_policy(&mut state.vijil, id),
            O::ActivatePolicy => self.activate_policy(&mut state.vijil, id),
            O::ListPresets => self.list_presets(),
            O::CopyPreset => self.copy_preset(state, id),
            O::UploadFile => self.upload_file(&mut state.vijil, id),
            O::DownloadFile => self.download_file(&state.vijil, id),
            O::DeleteFile => self.delete_file(&mut state.vijil, id),
            O::DownloadConverted => self.download_converted(&state.vijil, id),
            O::ListPolicyRules => self.list_policy_rules(&state.vijil, id),
            O::CreateRule => self.create_rule(state, id),
            O::ListRules => self.list_rules(&state.vijil),
            O::GetRule => self.get_rule(&state.vijil, id),
            O::UpdateRule => self.update_rule(&mut state.vijil, id),
            O::DeleteRule => self.delete_rule(&mut state.vijil, id),
            O::ApproveRule => self.approve_rule(&mut state.vijil, id),
            O::RejectRule => self.reject_rule(&mut state.vijil, id),
        }
    }

    fn now(&self) -> i64 {
        self.request.at.as_second()
    }

    /// Refuses invalid input like the framework.
    #[expect(clippy::unused_self, reason = "one of the checks of a call, beside its siblings")]
    fn valid(&self, invalid: Invalid) -> Result<(), Refusal> {
        if invalid.is_empty() { Ok(()) } else { Err(Refusal::Invalid(invalid)) }
    }

    /// One page of objects, latest or earliest first.
    fn page<'s>(
        &self,
        objects: impl Iterator<Item = &'s Arc<Stored>>,
        (limit, offset): (usize, usize),
        show: impl Fn(&Value) -> Value,
    ) -> (Vec<Value>, usize) {
        let mut all: Vec<&Arc<Stored>> = objects.collect();
        all.sort_by_key(|stored| stored.number);
        if self.behaviour.order == VijilOrder::LatestFirst {
            all.reverse();
        }
        let total = all.len();
        (
            all.into_iter().skip(offset).take(limit).map(|stored| show(&stored.object)).collect(),
            total,
        )
    }
}

impl VijilState {
    fn policy(&self, id: &str) -> Result<&Arc<Stored>, Refusal> {
        self.policies.get(id).ok_or_else(|| Refusal::new(404, "Policy not found"))
    }

    fn rule(&self, id: &str) -> Result<&Arc<Stored>, Refusal> {
        self.rules.get(id).ok_or_else(|| Refusal::new(404, "Rule not found"))
    }

    fn edit_policy(&mut self, id: &str, edit: impl FnOnce(&mut Value)) -> Value {
        edit_object(&mut self.policies, id, edit)
    }

    fn edit_rule(&mut self, id: &str, edit: impl FnOnce(&mut Value)) -> Value {
        edit_object(&mut self.rules, id, edit)
    }
}

fn edit_object(
    objects: &mut BTreeMap<String, Arc<Stored>>,
    id: &str,
    edit: impl FnOnce(&mut Value),
) -> Value {
    let stored =
        objects.get_mut(id).map(Arc::make_mut).expect("the object was found before it is edited");
    edit(&mut stored.object);
    stored.object.clone()
}

/// Sets a member of an object.
fn set(object: &mut Value, key: &str, value: impl Into<Value>) {
    if let Some(members) = object.as_object_mut() {
        members.insert(key.to_owned(), value.into());
    }
}
