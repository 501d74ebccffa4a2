//! Maps a method and a path to an operation, with or without a slash at the end.

use axum::http::Method;

/// The operations, by the names of the API's document if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VijilOperation {
    /// `POST /v1/auth/token`, `POST /v1/auth/jwt/login`.
    Login,
    /// `POST /v1/auth/jwt/refresh`.
    Refresh,
    /// `GET /v1/policies/`.
    ListPolicies,
    /// `POST /v1/policies/`.
    CreatePolicy,
    /// `GET /v1/policies/{id}`.
    GetPolicy,
    /// `PATCH /v1/policies/{id}`.
    UpdatePolicy,
    /// `DELETE /v1/policies/{id}`.
    DeletePolicy,
    /// `POST /v1/policies/{id}/activate`.
    ActivatePolicy,
    /// `GET /v1/policies/presets/`.
    ListPresets,
    /// `POST /v1/policies/presets/{id}/copy`.
    CopyPreset,
    /// `POST /v1/policies/{id}/upload`.
    UploadFile,
    /// `GET /v1/policies/{id}/file`.
    DownloadFile,
    /// `DELETE /v1/policies/{id}/file`.
    DeleteFile,
    /// `GET /v1/policies/{id}/converted`.
    DownloadConverted,
    /// `GET /v1/policies/{id}/rules`.
    ListPolicyRules,
    /// `POST /v1/policies/{id}/rules`.
    CreateRule,
    /// `GET /v1/rules/`.
    ListRules,
    /// `GET /v1/rules/{id}`.
    GetRule,
    /// `PATCH /v1/rules/{id}`.
    UpdateRule,
    /// `DELETE /v1/rules/{id}`.
    DeleteRule,
    /// `POST /v1/rules/{id}/approve`.
    ApproveRule,
    /// `POST /v1/rules/{id}/reject`.
    RejectRule,
}

/// The interpretation of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// An operation, with the id in its path; empty if it names none.
    Operation(VijilOperation, &'a str),
    /// The same path with the missing slash, or without the superfluous one.
    Elsewhere(String),
    /// The path is known but not the method; the known methods.
    Method(String),
    /// An unknown path.
    Unknown,
}

impl VijilOperation {
    /// Every operation.
    pub const ALL: [Self; 22] = [
        Self::Login,
        Self::Refresh,
        Self::ListPolicies,
        Self::CreatePolicy,
        Self::GetPolicy,
        Self::UpdatePolicy,
        Self::DeletePolicy,
        Self::ActivatePolicy,
        Self::ListPresets,
        Self::CopyPreset,
        Self::UploadFile,
        Self::DownloadFile,
        Self::DeleteFile,
        Self::DownloadConverted,
        Self::ListPolicyRules,
        Self::CreateRule,
        Self::ListRules,
        Self::GetRule,
        Self::UpdateRule,
        Self::DeleteRule,
        Self::ApproveRule,
        Self::RejectRule,
    ];

    /// The name that selects it in faults: `agent:` and the name of the API's document.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Login => "agent:login",
            Self::Refresh => "agent:refresh",
            Self::ListPolicies => "agent:listPolicies",
            Self::CreatePolicy => "agent:createPolicy",
            Self::GetPolicy => "agent:getPolicy",
            Self::UpdatePolicy => "agent:updatePolicy",
            Self::DeletePolicy => "agent:deletePolicy",
            Self::ActivatePolicy => "agent:activatePolicy",
            Self::ListPresets => "agent:listPresets",
            Self::CopyPreset => "agent:copyPreset",
            Self::UploadFile => "agent:uploadFile",
            Self::DownloadFile => "agent:downloadFile",
            Self::DeleteFile => "agent:deleteFile",
            Self::DownloadConverted => "agent:downloadConvertedFile",
            Self::ListPolicyRules => "agent:listPolicyRules",
            Self::CreateRule => "agent:createPolicyRule",
            Self::ListRules => "agent:listRules",
            Self::GetRule => "agent:getRule",
            Self::UpdateRule => "agent:updateRule",
            Self::DeleteRule => "agent:deleteRule",
            Self::ApproveRule => "agent:approveRule",
            Self::RejectRule => "agent:rejectRule",
        }
    }

    /// Returns `true` if it is a login.
    #[must_use]
    pub fn is_login(self) -> bool {
        matches!(self, Self::Login | Self::Refresh)
    }

    /// Returns `true` if it changes stored state.
    #[must_use]
    pub fn is_write(self) -> bool {
        match self {
            Self::CreatePolicy
            | Self::UpdatePolicy
            | Self::DeletePolicy
            | Self::ActivatePolicy
            | Self::CopyPreset
            | Self::UploadFile
            | Self::DeleteFile
            | Self::CreateRule
            | Self::UpdateRule
            | Self::DeleteRule
            | Self::ApproveRule
            | Self::RejectRule => true,
            Self::Login
            | Self::Refresh
            | Self::ListPolicies
            | Self::GetPolicy
            | Self::ListPresets
            | Self::DownloadFile
            | Self::DownloadConverted
            | Self::ListPolicyRules
            | Self::ListRules
            | Self::GetRule => false,
        }
    }

    /// The operation of a call, if there is one.
    #[must_use]
    pub fn parse(method: &Method, path: &[String]) -> Option<Self> {
        match find(method, path) {
            Found::Operation(operation, _) => Some(operation),
            Found::Elsewhere(_) | Found::Method(_) | Found::Unknown => None,
        }
    }
}

pub(super) fn find<'a>(method: &Method, path: &'a [String]) -> Found<'a> {
    let segments: Vec<&str> = path.iter().map(String::as_str).collect();
    let known = methods(&segments);
    if let Some((_, operation, id)) = known.iter().find(|(name, ..)| *name == method.as_str()) {
        return Found::Operation(*operation, id);
    }
    if !known.is_empty() {
        return Found::Method(known.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", "));
    }
    let other: Vec<&str> = match segments.split_last() {
        Some((&"", rest)) => rest.to_vec(),
        Some(_) => segments.iter().copied().chain([""]).collect(),
        None => return Found::Unknown,
    };
    if methods(&other).is_empty() {
        Found::Unknown
    } else {
        Found::Elsewhere(format!("/{}", other.join("/")))
    }
}

fn methods<'a>(path: &[&'a str]) -> Vec<(&'static str, VijilOperation, &'a str)> {
    use VijilOperation as O;
    match path {
        ["v1", "auth", "token"] | ["v1", "auth", "jwt", "login"] => vec![("POST", O::Login, "")],
        ["v1", "auth", "jwt", "refresh"] => vec![("POST", O::Refresh, "")],
        ["v1", "policies", ""] => vec![("GET", O::ListPolicies, ""), ("POST", O::CreatePolicy, "")],
        ["v1", "policies", "presets", ""] => vec![("GET", O::ListPresets, "")],
        ["v1", "policies", "presets", id, "copy"] => vec![("POST", O::CopyPreset, id)],
        ["v1", "policies", id] if !id.is_empty() => {
            vec![
                ("GET", O::GetPolicy, id),
                ("PATCH", O::UpdatePolicy, id),
                ("DELETE", O::DeletePolicy, id),
            ]
        }
        ["v1", "policies", id, "upload"] => vec![("POST", O::UploadFile, id)],
        ["v1", "policies", id, "file"] => {
            vec![("GET", O::DownloadFile, id), ("DELETE", O::DeleteFile, id)]
        }
        ["v1", "policies", id, "converted"] => vec![("GET", O::DownloadConverted, id)],
        ["v1", "policies", id, "activate"] => vec![("POST", O::ActivatePolicy, id)],
        ["v1", "policies", id, "rules"] => {
            vec![("GET", O::ListPolicyRules, id), ("POST", O::CreateRule, id)]
        }
        ["v1", "rules", ""] => vec![("GET", O::ListRules, "")],
        ["v1", "rules", id] if !id.is_empty() => {
            vec![
                ("GET", O::GetRule, id),
                ("PATCH", O::UpdateRule, id),
                ("DELETE", O::DeleteRule, id),
            ]
        }
        ["v1", "rules", id, "approve"] => vec![("POST", O::ApproveRule, id)],
        ["v1", "rules", id, "reject"] => vec![("POST", O::RejectRule, id)],
        _ => Vec::new(),
    }
}
