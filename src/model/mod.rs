//! The model of policies, with the same types for both sides: the state that the documents declare
//! (*desired*) and the state that the service returned (*live*).
//!
//! Invariant: [`Policy`] and [`Rule`] hold neither a place in a file nor a service id, so that a
//! desired and a live object are equal exactly when they mean the same. Places ([`Origin`]) and ids
//! are stored beside them.

mod desired;
mod guards;
mod limits;
mod live;
mod method;
mod organization;
mod ownership;
mod protected;
mod test;
mod vijil;

pub use desired::{Desired, DesiredPolicy, DesiredRule, Origin};
pub(crate) use guards::present;
pub use guards::{Guards, Limit, NOT_REFUSED, SHARE, SettingChange, refused_if};
pub use limits::{MAX_POLICIES, MAX_RULES};
pub use live::{Live, LiveBody, LivePolicy, LiveRule, PolicyId, RuleId};
pub use method::Method;
pub use organization::{is_for, variable_suffix};
pub use ownership::{Names, Ownership};
pub use protected::{Protected, Weakening};
pub use seawall_access::model::{
    Action, Body, Cedar, Decision, Domain, HttpResource, Layer, Policy, Resources, Rule, Scope,
    Team, TeamDirectory, TeamLookup,
};
pub use test::{Expected, ExpectedAccess, Test};
pub use vijil::{
    CONSEQUENCE_ACTIONS, DesiredVijilPolicy, DesiredVijilRule, EditActive, Fields, LiveVijil,
    LiveVijilPolicy, LiveVijilRule, Review, SEVERITIES, VIJIL_POLICY_FIELDS, VIJIL_RULE_FIELDS,
    VijilStatus, confidence, has_value, merged, same_value,
};
