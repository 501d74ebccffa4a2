//! One story of policies for agents, told under every way in which the service may behave, with a
//! call that fails in each chapter.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use seawall::emulator::vijil::{ActiveEdit, AfterEdit, DeleteWithRules};
use seawall::emulator::{
    Calls, Edit, Emulator, Fault, FaultKind, Operation, Running, State, VijilAccount,
    VijilBehaviour, VijilOperation,
};
use seawall::execute::{Approved, Outcome, Readers, StepOutcome, execute};
use seawall::exit::Exit;
use seawall::model::{DesiredVijilPolicy, EditActive};
use seawall::plan::vijil::{Input, Target};
use seawall::plan::{self, Plan};
use seawall::service::http::{self, Clock, Connection, Limits};
use seawall::service::vijil::{Credentials, Reader, endpoint};
use seawall::workspace::{self, EmptyWorkspace};
use tokio::sync::watch;

use super::settings::{Setting, settings};

/// The chapters: each is what the documents say then. All reviews of a chapter have its own notes.
const CHAPTERS: [&str; 8] = [
    // drafts that nobody has reviewed
    "name: Data
category: privacy
rules:
  - {rule_id: A-1, rule_type: prohibition, action: disclose, target: pii, consequence: {action: block}, natural_language: No PII.}
  - {rule_id: A-2, rule_type: obligation, action: log, consequence: {severity: low, ticket: true}, natural_language: Log it.}
",
    // reviewed, and in force
    "name: Data
category: privacy
status: active
rules:
  - {rule_id: A-1, rule_type: prohibition, action: disclose, target: pii, consequence: {action: block}, natural_language: No PII., review: {approved: seen 1}}
  - {rule_id: A-2, rule_type: obligation, action: log, consequence: {severity: low, ticket: true}, natural_language: Log it., review: {approved: seen 1}}
",
    // edited, with a rule that comes, and a second policy
    "name: Data
category: privacy
status: active
tags: [b, a]
rules:
  - {rule_id: A-1, rule_type: prohibition, action: disclose, target: pii, consequence: {action: block}, natural_language: Never any PII., review: {approved: seen 2}}
  - {rule_id: A-2, rule_type: obligation, action: log, consequence: {severity: high}, natural_language: Log it., review: {approved: seen 2}}
  - {rule_id: A-3, rule_type: permission, action: read, consequence: {}, natural_language: Read., review: {approved: seen 2}, tags: [y, x]}
---
apiVersion: seawall/v1
kind: AgentPolicy
name: Brand
category: brand
status: archived
rules:
  - {rule_id: B-1, rule_type: recommendation, action: smile, consequence: {}, natural_language: Smile., review: {rejected: not a rule}}
",
    // renamed, policy and rule; one rule goes
    "name: Data handling
previously: [Data]
category: compliance
status: active
rules:
  - {rule_id: A-1, rule_type: prohibition, action: disclose, target: pii, consequence: {action: block}, natural_language: Never any PII., review: {approved: seen 2}}
  - {rule_id: LOG-1, previously: [A-2], rule_type: obligation, action: log, consequence: {severity: high}, natural_language: Log it., review: {approved: seen 3}}
---
apiVersion: seawall/v1
kind: AgentPolicy
name: Brand
category: brand
status: draft
rules:
  - {rule_id: B-1, rule_type: recommendation, action: smile, consequence: {}, natural_language: Smile always., review: {rejected: still not a rule}}
",
    // out of force, a rule rejected that was approved; the other policy in force
    "name: Data handling
category: compliance
status: archived
rules:
  - {rule_id: A-1, rule_type: prohibition, action: disclose, target: pii, consequence: {action: block}, natural_language: Never any PII., review: {rejected: too strict}}
  - {rule_id: LOG-1, rule_type: obligation, action: log, consequence: {severity: high}, natural_language: Log it.}
---
apiVersion: seawall/v1
kind: AgentPolicy
name: Brand
category: brand
status: active
rules:
  - {rule_id: B-1, rule_type: recommendation, action: smile, consequence: {action: warn}, natural_language: Smile always., review: {approved: seen 4}}
",
    // back in force, approved after all
    "name: Data handling
category: compliance
status: active
rules:
  - {rule_id: A-1, rule_type: prohibition, action: disclose, target: pii, consequence: {action: block}, natural_language: Never any PII., review: {approved: seen 5}}
  - {rule_id: LOG-1, rule_type: obligation, action: log, consequence: {severity: high}, natural_language: Log it.}
---
apiVersion: seawall/v1
kind: AgentPolicy
name: Brand
category: brand
status: active
rules: []
",
    // without rules, which some services want of a policy before they delete it; another goes
    "name: Data handling
category: compliance
status: draft
rules: []
---
apiVersion: seawall/v1
kind: AgentPolicy
name: Other
category: custom
rules:
  - {rule_id: C-1, rule_type: permission, action: read, consequence: {}, natural_language: Read.}
",
    // policies go that are declared no longer
    "name: Other
category: custom
rules:
  - {rule_id: C-1, rule_type: permission, action: read, consequence: {}, natural_language: Read.}
",
];

/// A service, and every state that it passed through.
pub(super) struct Team {
    edit_active: EditActive,
    pub(super) emulator: Running,
    clock: Clock,
    limits: Limits,
    passed: Arc<Mutex<Vec<State>>>,
}

impl Team {
    pub(super) async fn new(behaviour: VijilBehaviour, limits: Limits) -> Self {
        let account = VijilAccount {
            client_id: "vk_one".into(),
            client_secret: "secret-one".into(),
            api_key: None,
            email: None,
        };
        let clock = Clock::manual("2026-04-22T00:00:00Z".parse().unwrap());
        let time = clock.clone();
        let builder = Emulator::builder()
            .vijil_account(account)
            .vijil_behaviour(behaviour)
            .clock(move || time.now());
        let emulator = builder.start().await.unwrap();
        let edit_active = EditActive::InPlace;
        let team = Self { edit_active, emulator, clock, limits, passed: Arc::default() };
        team.heal();
        team
    }

    /// Takes faults away, and goes on noting the state before each call.
    fn heal(&self) {
        self.emulator.disarm();
        let passed = Arc::clone(&self.passed);
        let note = Edit::new(move |state| {
            let mut passed = passed.lock().unwrap();
            if passed.last() != Some(state) {
                passed.push(state.clone());
            }
        });
        self.emulator.arm(Fault::new(FaultKind::Edit(note)).on(Calls::Any));
    }

    /// A client as a new process has it.
    fn reader(&self) -> Reader {
        let credentials = Credentials::pair("vk_one", "secret-one".to_owned().into());
        let base = endpoint(self.emulator.origin()).unwrap();
        let (limits, clock) = (self.limits.clone(), self.clock.clone());
        Reader::new(http::Reader::new(
            Connection::with(base, credentials.authorization(), limits, clock, None).unwrap(),
        ))
    }

    async fn plan(&self, reader: &Reader, desired: &[DesiredVijilPolicy]) -> Plan {
        let target = Target { endpoint: self.emulator.origin().to_owned() };
        let live = &reader.live().await.unwrap();
        let input = Input {
            target: &target,
            desired,
            live,
            exclusive: true,
            edit_active: self.edit_active,
            notes: "",
        };
        plan::make(plan::Input { vijil: Some(input), ..plan::Input::new(&Default::default()) })
            .unwrap()
    }

    pub(super) async fn apply(&self, desired: &[DesiredVijilPolicy]) -> (Plan, Outcome) {
        let reader = self.reader();
        let approved = Approved::new(self.plan(&reader, desired).await, &BTreeSet::new()).unwrap();
        let (_stop, stopped) = watch::channel(false);
        let outcome = execute(
            &approved,
            Readers { vijil: Some(&reader), ..Readers::default() },
            stopped,
            &mut |_| {},
        )
        .await;
        (approved.plan().clone(), outcome)
    }

    /// The states passed through since the last question, the one of now last.
    fn passed(&self) -> Vec<State> {
        let mut passed = std::mem::take(&mut *self.passed.lock().unwrap());
        passed.push(self.emulator.state());
        passed
    }
}

pub(super) fn desired(documents: &str) -> Vec<DesiredVijilPolicy> {
    let folder = tempfile::tempdir().unwrap();
    let document = format!("apiVersion: seawall/v1\nkind: AgentPolicy\n{documents}");
    std::fs::write(folder.path().join("policies.yaml"), document).unwrap();
    std::fs::write(
        folder.path().join("seawall.yaml"),
        "apiVersion: seawall/v1\nkind: Workspace\nvijil: {}\n",
    )
    .unwrap();
    match workspace::load(folder.path(), None, EmptyWorkspace::Refused) {
        Ok(loaded) => loaded.desired.vijil,
        Err(findings) => panic!(
            "{}",
            seawall::render::diagnostic::human(
                &findings,
                folder.path(),
                seawall::render::plan::View { width: 140, all: true, folder: "" }
            )
        ),
    }
}

/// A rule of an active policy that was not reviewed as it stands: it is not approved, or its
/// content was approved under other notes than its own. With `in_place`, its content counts alone:
/// the approval follows the edit.
fn unreviewed(
    state: &State,
    reviewed: &BTreeSet<(String, String)>,
    notes_count: bool,
    in_place: bool,
) -> Option<String> {
    let active =
        state.vijil.policies.iter().filter(|(_, policy)| policy.text("status") == "active");
    let mut rules = active.flat_map(|(id, _)| state.vijil.rules_of(id));
    let wrong = rules.find(|rule| {
        let own = (
            content(rule.text("rule_id"), rule.text("natural_language")),
            rule.text("review_notes").to_owned(),
        );
        let known = if notes_count && !in_place {
            reviewed.contains(&own)
        } else {
            reviewed.iter().any(|one| one.0 == own.0)
        };
        !known || !in_place && rule.text("status") != "approved"
    });
    wrong.map(|rule| rule.object.to_string())
}

fn content(rule_id: &str, sentence: &str) -> String {
    format!("{rule_id}: {sentence}")
}

/// Contents with the notes under which documents approve them, where one is left out any notes.
fn reviews(desired: &[DesiredVijilPolicy]) -> Vec<(String, String)> {
    let rules = desired.iter().flat_map(|policy| &policy.rules);
    let approved = rules.filter_map(|rule| match &rule.review {
        Some(seawall::model::Review::Approved(notes)) => {
            let sentence = rule.fields["natural_language"].as_str().unwrap();
            Some((content(&rule.rule_id, sentence), notes.clone()))
        }
        _ => None,
    });
    approved.collect()
}

/// Name, status and rules with their status, of each policy.
fn shown(state: &State) -> Vec<String> {
    let mut all: Vec<String> = state
        .vijil
        .policies
        .iter()
        .map(|(id, policy)| {
            let mut rules: Vec<String> = state
                .vijil
                .rules_of(id)
                .map(|rule| format!("{} {}", rule.text("rule_id"), rule.text("status")))
                .collect();
            rules.sort();
            format!("{} {}: {}", policy.text("name"), policy.text("status"), rules.join(", "))
        })
        .collect();
    all.sort();
    all
}

const ENDS: [&[&str]; 8] = [
    &["Data draft: A-1 draft, A-2 draft"],
    &["Data active: A-1 approved, A-2 approved"],
    &["Brand archived: B-1 rejected", "Data active: A-1 approved, A-2 approved, A-3 approved"],
    &["Brand draft: B-1 rejected", "Data handling active: A-1 approved, LOG-1 approved"],
    &["Brand active: B-1 approved", "Data handling archived: A-1 rejected, LOG-1 approved"],
    &["Brand active: ", "Data handling active: A-1 approved, LOG-1 approved"],
    &["Data handling draft: ", "Other draft: C-1 draft"],
    &["Other draft: C-1 draft"],
];

#[tokio::test(flavor = "multi_thread")]
async fn the_story_ends_as_the_documents_say_however_the_service_behaves_and_whatever_fails() {
    for setting in settings() {
        if setting.behaviour.active_edit != ActiveEdit::Refused {
            tell(&setting, EditActive::InPlace).await;
        }
        tell(&setting, EditActive::Deactivate).await;
    }
}

/// Ids of the policies that are active.
fn active(state: &State) -> BTreeSet<String> {
    let policies = state.vijil.policies.iter();
    policies
        .filter(|(_, policy)| policy.text("status") == "active")
        .map(|(id, _)| id.clone())
        .collect()
}

async fn tell(setting: &Setting, edit_active: EditActive) {
    let in_place = edit_active == EditActive::InPlace;
    let team = Team { edit_active, ..Team::new(setting.behaviour, Limits::default()).await };
    // Where an edit leaves the earlier approval, its notes may stay too: the next run finds the
    // rule approved.
    let notes_count = setting.behaviour.after_edit != AfterEdit::Unchanged;
    let mut reviewed: BTreeSet<(String, String)> = BTreeSet::new();
    for (chapter, (documents, end)) in CHAPTERS.iter().zip(ENDS).enumerate() {
        let about = format!("chapter {chapter} of {setting:?}, {edit_active:?}");
        let before = active(&team.emulator.state());
        let desired = desired(documents);
        reviewed.extend(reviews(&desired));
        if let Some(fault) = &setting.fault {
            team.emulator.arm(Fault::new(fault.clone()).on(Calls::Writes).nth(setting.nth));
        }
        let (plan, first) = team.apply(&desired).await;
        assert!(
            matches!(first.exit(), Exit::Done | Exit::Partial | Exit::Failed),
            "{about}: {first:?}"
        );
        let failed = first.exit() != Exit::Done;
        team.heal();
        let (again, second) = team.apply(&desired).await;
        assert_eq!(second.exit(), Exit::Done, "{about}: {second:?}");
        assert!(failed || again.is_empty(), "{about}: {}", again.to_json());
        let rest = team.plan(&team.reader(), &desired).await;
        assert!(rest.is_empty(), "{about}: {}", rest.to_json());
        assert_eq!(shown(&team.emulator.state()), end, "{about}\n{}", plan.to_json());
        let after = active(&team.emulator.state());
        for state in team.passed() {
            assert_eq!(unreviewed(&state, &reviewed, notes_count, in_place), None, "{about}");
            let off: Vec<_> =
                before.intersection(&after).filter(|id| !active(&state).contains(*id)).collect();
            let may_be_off = !in_place || setting.behaviour.active_edit == ActiveEdit::BecomesDraft;
            assert!(off.is_empty() || may_be_off, "{about}: {off:?} is not active in between");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_hangs_ends_the_run_early() {
    let limits = Limits { request: std::time::Duration::from_millis(200), ..Limits::default() };
    let team = Team::new(VijilBehaviour::default(), limits).await;
    let rule = |number: usize| {
        format!(
            "  - {{rule_id: R-{number}, rule_type: permission, action: a{number}, consequence: {{severity: low}}, natural_language: May {number}.}}\n"
        )
    };
    let rules: String = (0..40).map(rule).collect();
    let desired = desired(&format!("name: Data\ncategory: privacy\nrules:\n{rules}"));
    team.emulator.arm(
        Fault::new(FaultKind::Delay(std::time::Duration::from_millis(400)))
            .on(Calls::Writes)
            .nth(2)
            .times(usize::MAX),
    );
    let (_, outcome) = team.apply(&desired).await;
    let given_up = outcome.steps.values().filter(|ended| **ended == StepOutcome::Abandoned).count();
    let limit = Limits::default().concurrency;
    assert!(given_up >= 40 - 2 * limit - 3, "{given_up} of 41 given up: {outcome:?}");
    assert_eq!(outcome.exit(), Exit::Partial);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_goes_with_its_rules_costs_one_call_and_a_refusal_says_what_to_do() {
    for (delete_with_rules, exit) in
        [(DeleteWithRules::Cascades, Exit::Done), (DeleteWithRules::Refused, Exit::Failed)]
    {
        let team = Team::new(
            VijilBehaviour { delete_with_rules, ..VijilBehaviour::default() },
            Limits::default(),
        )
        .await;
        team.apply(&desired(CHAPTERS[1])).await;
        team.emulator.forget_calls();
        let (plan, outcome) =
            team.apply(&desired("name: Other\ncategory: custom\nrules: []\n")).await;
        let deletes = team.emulator.writes().iter().filter(|call| call.method == "DELETE").count();
        assert_eq!(deletes, 1);
        let told = seawall::render::outcome::human(&plan, &outcome);
        assert_eq!(outcome.exit() == Exit::Done, exit == Exit::Done, "{told}");
        assert!(exit == Exit::Done || told.contains("`rules: []`"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_got_lost_is_told_from_the_one_before_the_edit() {
    let behaviour =
        VijilBehaviour { after_edit: AfterEdit::Unchanged, ..VijilBehaviour::default() };
    for (kind, approvals) in [(FaultKind::LoseBefore, 2), (FaultKind::LoseAfter, 1)] {
        let team = Team::new(behaviour, Limits::default()).await;
        team.apply(&desired(CHAPTERS[1])).await;
        team.emulator.forget_calls();
        let approve = Calls::Operation(Operation::Vijil(VijilOperation::ApproveRule));
        team.emulator.arm(Fault::new(kind.clone()).on(approve).nth(1));
        let edited = CHAPTERS[1].replace(
            "No PII., review: {approved: seen 1}",
            "Never any PII., review: {approved: seen 2}",
        );
        let (_, outcome) = team.apply(&desired(&edited)).await;
        assert_eq!(outcome.exit(), Exit::Done, "{outcome:?}");
        let sent =
            team.emulator.writes().iter().filter(|call| call.path.ends_with("/approve")).count();
        assert_eq!(sent, approvals, "{kind:?}");
        let vijil = team.emulator.state().vijil;
        let rule = vijil.rules.values().find(|rule| rule.text("rule_id") == "A-1").unwrap();
        assert_eq!(rule.text("review_notes"), "seen 2", "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_active_policy_that_cannot_be_edited_in_place_says_what_to_do() {
    let edited = CHAPTERS[1].replace(
        "No PII., review: {approved: seen 1}",
        "Never any PII., review: {approved: seen 2}",
    );
    for (active_edit, status, told) in [
        (ActiveEdit::Refused, "active", "edit_active: deactivate"),
        (ActiveEdit::BecomesDraft, "draft", "no longer active but `draft`"),
    ] {
        let team = Team::new(
            VijilBehaviour { active_edit, ..VijilBehaviour::default() },
            Limits::default(),
        )
        .await;
        team.apply(&desired(CHAPTERS[1])).await;
        let (plan, outcome) = team.apply(&desired(&edited)).await;
        assert_ne!(outcome.exit(), Exit::Done, "{active_edit:?}");
        let text = seawall::render::outcome::human(&plan, &outcome);
        assert!(text.contains(told), "{text}");
        let state = team.emulator.state();
        assert_eq!(
            state.vijil.policies.values().map(|policy| policy.text("status")).collect::<Vec<_>>(),
            [status]
        );
        // The way that always works ends as the documents ask.
        let team = Team { edit_active: EditActive::Deactivate, ..team };
        assert_eq!(team.apply(&desired(&edited)).await.1.exit(), Exit::Done);
        assert_eq!(shown(&team.emulator.state()), ENDS[1]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_fails_does_not_keep_the_other_rules_of_an_active_policy_from_their_approval() {
    let team = Team::new(VijilBehaviour::default(), Limits::default()).await;
    team.apply(&desired(CHAPTERS[1])).await;
    let edited = CHAPTERS[1]
        .replace("No PII.", "Never any PII.")
        .replace("Log it.", "Log it all.")
        .replace("seen 1", "seen 2");
    let update = Calls::Operation(Operation::Vijil(VijilOperation::UpdateRule));
    team.emulator.arm(
        Fault::new(FaultKind::Refuse(seawall::emulator::Answer::status(403))).on(update).nth(1),
    );
    let (_, outcome) = team.apply(&desired(&edited)).await;
    assert_eq!(outcome.exit(), Exit::Partial, "{outcome:?}");
    let state = team.emulator.state();
    let mut rules: Vec<String> = state
        .vijil
        .rules
        .values()
        .map(|rule| format!("{} {}", rule.text("natural_language"), rule.text("status")))
        .collect();
    rules.sort();
    assert_eq!(rules, ["Log it all. approved", "No PII. approved"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_deletes_at_the_same_moment_is_already_applied() {
    let without_rule: Vec<&str> =
        CHAPTERS[0].lines().filter(|line| !line.contains("A-2")).collect();
    let table = [
        (without_rule.join("\n"), VijilOperation::DeleteRule),
        ("name: Other\ncategory: custom\nrules: []\n".to_owned(), VijilOperation::DeletePolicy),
    ];
    for (documents, operation) in table {
        let team = Team::new(VijilBehaviour::default(), Limits::default()).await;
        team.apply(&desired(CHAPTERS[0])).await;
        let edit = Edit::new(move |state| {
            if operation == VijilOperation::DeletePolicy {
                state.vijil.policies.retain(|_, policy| policy.text("name") != "Data");
                state.vijil.rules.clear();
            } else {
                state.vijil.rules.retain(|_, rule| rule.text("rule_id") != "A-2");
            }
        });
        let delete = Calls::Operation(Operation::Vijil(operation));
        team.emulator.arm(Fault::new(FaultKind::Edit(edit)).on(delete).nth(1));
        let (_, outcome) = team.apply(&desired(&documents)).await;
        assert_eq!(outcome.exit(), Exit::Done, "{outcome:?}");
        let already = StepOutcome::AlreadyApplied { sent: false };
        assert!(outcome.steps.values().any(|ended| *ended == already), "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_somebody_else_approves_at_the_same_moment_keeps_their_note() {
    let team = Team::new(VijilBehaviour::default(), Limits::default()).await;
    team.apply(&desired(CHAPTERS[0])).await;
    let edit = Edit::new(|state| {
        for rule in state.vijil.rules.values_mut().filter(|rule| rule.text("rule_id") == "A-1") {
            let rule = Arc::make_mut(rule);
            rule.object["status"] = "approved".into();
            rule.object["review_notes"] = "theirs".into();
        }
    });
    let look = Calls::Operation(Operation::Vijil(VijilOperation::GetRule));
    team.emulator.arm(Fault::new(FaultKind::Edit(edit)).on(look).nth(1));
    let (_, outcome) = team.apply(&desired(CHAPTERS[1])).await;
    assert_eq!(outcome.exit(), Exit::Done, "{outcome:?}");
    let vijil = team.emulator.state().vijil;
    let rule = vijil.rules.values().find(|rule| rule.text("rule_id") == "A-1").unwrap();
    assert_eq!(rule.text("review_notes"), "theirs");
}
