//! Maps a method and a path to an operation.

use axum::http::Method;

/// The operations, by the names of the OpenAPI document if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DockerOperation {
    /// `POST /v2/auth/token`.
    Authenticate,
    /// `GET …/governance/policies`.
    ListPolicies,
    /// `POST …/governance/policies`.
    CreatePolicy,
    /// `GET …/policies/{policy_id}`.
    GetPolicy,
    /// `PATCH …/policies/{policy_id}`.
    UpdatePolicy,
    /// `DELETE …/policies/{policy_id}`.
    DeletePolicy,
    /// `POST …/policies/{policy_id}/rules`.
    CreateRule,
    /// `PATCH …/rules/{rule_id}`.
    UpdateRule,
    /// `DELETE …/rules/{rule_id}`.
    DeleteRule,
    /// `GET …/groups`.
    ListGroups,
    /// `POST …/groups`.
    CreateGroup,
    /// `GET …/groups/{group_name}`.
    GetGroup,
    /// `DELETE …/groups/{group_name}`.
    DeleteGroup,
    /// `GET …/groups/{group_name}/members`.
    ListMembers,
    /// `POST …/groups/{group_name}/members`.
    AddMember,
    /// `GET /v2/auditlogs/governance/{org}`.
    ListAuditLogs,
}

/// An operation and the objects in its path; empty if it names none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route<'a> {
    pub(super) operation: DockerOperation,
    pub(super) org: &'a str,
    /// The policy's id, or the group's name.
    pub(super) object: &'a str,
    pub(super) rule: &'a str,
}

impl DockerOperation {
    /// Every operation of this service.
    pub const ALL: [Self; 16] = [
        Self::Authenticate,
        Self::ListPolicies,
        Self::CreatePolicy,
        Self::GetPolicy,
        Self::UpdatePolicy,
        Self::DeletePolicy,
        Self::CreateRule,
        Self::UpdateRule,
        Self::DeleteRule,
        Self::ListGroups,
        Self::CreateGroup,
        Self::GetGroup,
        Self::DeleteGroup,
        Self::ListMembers,
        Self::AddMember,
        Self::ListAuditLogs,
    ];

    /// The name that selects it in faults, in the spelling of the OpenAPI document.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Authenticate => "authenticate",
            Self::ListPolicies => "listPolicies",
            Self::CreatePolicy => "createPolicy",
            Self::GetPolicy => "getPolicy",
            Self::UpdatePolicy => "updatePolicy",
            Self::DeletePolicy => "deletePolicy",
            Self::CreateRule => "createRule",
            Self::UpdateRule => "updateRule",
            Self::DeleteRule => "deleteRule",
            Self::ListGroups => "listGroups",
            Self::CreateGroup => "createGroup",
            Self::GetGroup => "getGroup",
            Self::DeleteGroup => "deleteGroup",
            Self::ListMembers => "listMembers",
            Self::AddMember => "addMember",
            Self::ListAuditLogs => "listAuditLogs",
        }
    }

    /// Returns `true` if it belongs to the governance API, with its own error envelope, and not to
    /// the Hub.
    #[must_use]
    pub fn is_governance(self) -> bool {
        match self {
            Self::ListPolicies
            | Self::CreatePolicy
            | Self::GetPolicy
            | Self::UpdatePolicy
            | Self::DeletePolicy
            | Self::CreateRule
            | Self::UpdateRule
            | Self::DeleteRule => true,
            Self::Authenticate
            | Self::ListGroups
            | Self::CreateGroup
            | Self::GetGroup
            | Self::DeleteGroup
            | Self::ListMembers
            | Self::AddMember
            | Self::ListAuditLogs => false,
        }
    }

    /// Returns `true` if it only authenticates the caller.
    #[must_use]
    pub fn is_login(self) -> bool {
        match self {
            Self::Authenticate => true,
            Self::ListPolicies
            | Self::CreatePolicy
            | Self::GetPolicy
            | Self::UpdatePolicy
            | Self::DeletePolicy
            | Self::CreateRule
            | Self::UpdateRule
            | Self::DeleteRule
            | Self::ListGroups
            | Self::CreateGroup
            | Self::GetGroup
            | Self::DeleteGroup
            | Self::ListMembers
            | Self::AddMember
            | Self::ListAuditLogs => false,
        }
    }

    /// Returns `true` if it changes an organization. Logging in does not.
    #[must_use]
    pub fn is_write(self) -> bool {
        match self {
            Self::CreatePolicy
            | Self::UpdatePolicy
            | Self::DeletePolicy
            | Self::CreateRule
            | Self::UpdateRule
            | Self::DeleteRule
            | Self::CreateGroup
            | Self::DeleteGroup
            | Self::AddMember => true,
            Self::Authenticate
            | Self::ListPolicies
            | Self::GetPolicy
            | Self::ListGroups
            | Self::GetGroup
            | Self::ListMembers
            | Self::ListAuditLogs => false,
        }
    }
}

/// Finds the operation of a call.
pub(super) fn find<'a>(method: &Method, path: &'a [String]) -> Option<Route<'a>> {
    use DockerOperation as O;
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let (operation, org, object, rule) = match (method.as_str(), path.as_slice()) {
        ("POST", ["v2", "auth", "token"]) => (O::Authenticate, "", "", ""),
        ("GET", ["v2", "orgs", org, "governance", "policies"]) => (O::ListPolicies, *org, "", ""),
        ("POST", ["v2", "orgs", org, "governance", "policies"]) => (O::CreatePolicy, *org, "", ""),
        ("GET", ["v2", "orgs", org, "governance", "policies", id]) => (O::GetPolicy, *org, *id, ""),
        ("PATCH", ["v2", "orgs", org, "governance", "policies", id]) => {
            (O::UpdatePolicy, *org, *id, "")
        }
        ("DELETE", ["v2", "orgs", org, "governance", "policies", id]) => {
            (O::DeletePolicy, *org, *id, "")
        }
        ("POST", ["v2", "orgs", org, "governance", "policies", id, "rules"]) => {
            (O::CreateRule, *org, *id, "")
        }
        ("PATCH", ["v2", "orgs", org, "governance", "policies", id, "rules", rule]) => {
            (O::UpdateRule, *org, *id, *rule)
        }
        ("DELETE", ["v2", "orgs", org, "governance", "policies", id, "rules", rule]) => {
            (O::DeleteRule, *org, *id, *rule)
        }
        ("GET", ["v2", "orgs", org, "groups"]) => (O::ListGroups, *org, "", ""),
        ("POST", ["v2", "orgs", org, "groups"]) => (O::CreateGroup, *org, "", ""),
        ("GET", ["v2", "orgs", org, "groups", name]) => (O::GetGroup, *org, *name, ""),
        ("DELETE", ["v2", "orgs", org, "groups", name]) => (O::DeleteGroup, *org, *name, ""),
        ("GET", ["v2", "orgs", org, "groups", name, "members"]) => {
            (O::ListMembers, *org, *name, "")
        }
        ("POST", ["v2", "orgs", org, "groups", name, "members"]) => (O::AddMember, *org, *name, ""),
        ("GET", ["v2", "auditlogs", "governance", org]) => (O::ListAuditLogs, *org, "", ""),
        _ => return None,
    };
    Some(Route { operation, org, object, rule })
}
