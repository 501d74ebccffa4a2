//! Adds to changes of access the answers that `can` would give: why the uncertain ones are
//! uncertain, whether their exceptions stay allowed or stay denied, whether a person is asked for
//! approval afterwards, and which teams do not share a change of the whole organization.
//!
//! Invariant: every answer is that of the engine, before and after the change; none is guessed. So
//! that a plan with very many changes takes no longer, only the first ones are asked about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::meaning::{AccessChange, Audience, Changes, Kept};
use crate::access::{AccessLevel, Request, State, Verdict, policies_about};
use crate::model::{Policy, TeamDirectory, TeamLookup};

/// The number of uncertain changes, and of certain ones, that are asked about.
const ASKED: usize = 128;
/// The number of sets of teams that are asked about each of the first changes, and of these.
const TEAMS: usize = 16;
const ASKED_OF_TEAMS: usize = 32;
/// The word before exceptions; see [`crate::access::compare`].
const EXCEPT: &str = " except ";

/// Adds the answers to the changes between two states.
pub(super) fn add(
    changes: &mut Changes,
    (old, new): (&[Policy], &[Policy]),
    teams: &TeamDirectory,
) {
    let Changes { widened, narrowed, uncertain } = changes;
    let governed = governed_alike(old, new);
    let is_asked = |change: &&mut AccessChange| {
        change.access.text().contains(EXCEPT)
            || change.access.parts().0 == "mcp"
            || (change.audience.teams.is_empty() && !governed.is_empty())
    };
    let certain: Vec<&mut AccessChange> =
        widened.iter_mut().chain(narrowed).filter(is_asked).take(ASKED).collect();
    if uncertain.is_empty() && certain.is_empty() {
        return;
    }
    let mut doubts: BTreeMap<(Arc<Audience>, String), Option<String>> = BTreeMap::new();
    for change in &*uncertain {
        if doubts.len() == ASKED {
            break;
        }
        doubts.insert((Arc::clone(&change.audience), change.witness.clone()), None);
    }
    let texts = certain.iter().flat_map(|change| {
        exceptions(change).unwrap_or_default().into_iter().chain([change.witness.clone()])
    });
    let texts = texts.chain(doubts.keys().map(|(_, witness)| witness.clone()));
    let requests: Vec<Request> = texts.filter_map(|text| Request::parse(&text).ok()).collect();
    // The new state comes first: what stays open matters more than what was.
    let states = [new, old].map(|state| policies_about(state, &requests));
    let asked = Asked { states: states.each_ref().map(|state| State::new(state)), teams };
    for (number, change) in certain.into_iter().enumerate() {
        change.except = asked.kept(change);
        change.approval = asked.is_approval(change);
        if number < ASKED_OF_TEAMS && change.audience.teams.is_empty() {
            change.unaffected = asked.unaffected(change, &governed);
        }
    }
    for ((audience, witness), doubt) in &mut doubts {
        *doubt = asked.doubt(audience, witness);
    }
    for change in uncertain {
        let key = (Arc::clone(&change.audience), change.witness.clone());
        if let Some(doubt) = doubts.get(&key) {
            change.doubt.clone_from(doubt);
        }
    }
}

/// The teams in scopes, those together that the same policies govern; the first few sets.
fn governed_alike(old: &[Policy], new: &[Policy]) -> Vec<Vec<String>> {
    let mut policies: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, policy) in old.iter().chain(new).enumerate() {
        for team in policy.scope.teams() {
            policies.entry(team).or_default().push(number);
        }
    }
    let mut alike: BTreeMap<Vec<usize>, Vec<String>> = BTreeMap::new();
    for (team, policies) in policies {
        alike.entry(policies).or_default().push(team.to_owned());
    }
    alike.into_values().take(TEAMS).collect()
}

struct Asked<'a> {
    states: [State<'a>; 2],
    teams: &'a TeamDirectory,
}

impl Asked<'_> {
    /// The teams of an audience as scopes name them; `None` if a name is ambiguous.
    fn keys(&self, audience: &Audience) -> Option<BTreeSet<String>> {
        let key = |name: &String| match self.teams.resolve(name) {
            TeamLookup::Found(id) => Some(id),
            TeamLookup::Unknown => Some(name.clone()),
            TeamLookup::Ambiguous(_) => None,
        };
        audience.teams.iter().map(key).collect()
    }

    /// The reason why the answer to a request is uncertain.
    fn doubt(&self, audience: &Audience, witness: &str) -> Option<String> {
        let (keys, request) = (self.keys(audience)?, Request::parse(witness).ok()?);
        self.states.iter().find_map(|state| state.doubt(&keys, &request))
    }

    /// Returns `true` if a person is asked for approval of the example after the change.
    fn is_approval(&self, change: &AccessChange) -> bool {
        let (Some(keys), Ok(request)) =
            (self.keys(&change.audience), Request::parse(&change.witness))
        else {
            return false;
        };
        let [after, _] = &self.states;
        matches!(request, Request::Mcp(_))
            && after.ask(&keys, &request).level() == AccessLevel::Approval
    }

    /// The names of the teams whose members keep the example that others lose, or are still denied
    /// what others gain.
    fn unaffected(&self, change: &AccessChange, governed: &[Vec<String>]) -> Vec<String> {
        let Ok(request) = Request::parse(&change.witness) else { return Vec::new() };
        let stays = if change.widens { AccessLevel::Deny } else { AccessLevel::Allow };
        // Only the levels are needed, and one question of each state serves all teams.
        let asked = self.states.each_ref().map(|state| (state, state.question(&request)));
        let is_unaffected = |teams: &&Vec<String>| {
            let first: BTreeSet<String> = teams.iter().take(1).cloned().collect();
            let level =
                |(state, question): &(&State<'_>, _)| state.level(question, &first, &request);
            asked.iter().all(|asked| level(asked) == stays)
        };
        let teams = governed.iter().filter(is_unaffected).flatten();
        let mut names: Vec<String> = teams.map(|team| self.teams.name(team).to_owned()).collect();
        names.sort();
        names
    }

    /// The decision on all exceptions of a change, if it is the same before and after; `None` if it
    /// is not, or if an exception is a pattern.
    fn kept(&self, change: &AccessChange) -> Option<Kept> {
        let keys = self.keys(&change.audience)?;
        let mut verdicts = BTreeSet::new();
        for request in exceptions(change)? {
            let request = Request::parse(&request).ok()?;
            verdicts.extend(self.states.iter().map(|state| state.ask(&keys, &request).verdict));
        }
        match verdicts.into_iter().collect::<Vec<_>>().as_slice() {
            [Verdict::Allow] => Some(Kept::Allowed),
            [Verdict::Deny] => Some(Kept::Denied),
            _ => None,
        }
    }
}

/// The exceptions of a change as requests; `None` if one of them is not a single target.
fn exceptions(change: &AccessChange) -> Option<Vec<String>> {
    let text = change.access.text();
    let (access, exceptions) = text.split_once(EXCEPT)?;
    let (action, _) = access.split_once(' ')?;
    let request = |target: &str| match action {
        "connect:tcp" | "connect:udp" if !target.contains(':') => {
            let (_, port) = change.witness.rsplit_once(':')?;
            Some(format!("{action} {target}:{port}"))
        }
        "connect:tcp" | "connect:udp" | "read" | "write" => Some(format!("{action} {target}")),
        _ => None,
    };
    // A block of addresses is not a single target either.
    let is_one = |target: &&str| {
        let is_path = target.starts_with(['/', '~']);
        !target.contains(['*', '?', '{', ' ']) && (is_path || !target.contains('/'))
    };
    exceptions.split(", ").map(|target| request(Some(target).filter(is_one)?)).collect()
}
