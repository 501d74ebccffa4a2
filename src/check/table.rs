//! All checks.

use super::{
    Check, address_deny, agent_pairs, agents, broad_allow, covered_rule, denied_allow, expectations, filesystem_path,
    gaps, host, http_allow, http_path, idle_deny, layers, limits, local_host, look_alike, mcp, metadata, mounts, names,
    orgs, ownership, protected, reading, skipped, teams, wildcard,
};

/// All checks in groups, in the order of the documentation.
pub static TABLE: &[&[Check]] = &[
    reading::CHECKS,
    names::CHECKS,
    ownership::CHECKS,
    protected::CHECKS,
    layers::CHECKS,
    limits::CHECKS,
    host::CHECKS,
    http_path::CHECKS,
    filesystem_path::CHECKS,
    look_alike::CHECKS,
    broad_allow::CHECKS,
    local_host::CHECKS,
    metadata::CHECKS,
    denied_allow::CHECKS,
    covered_rule::CHECKS,
    idle_deny::CHECKS,
    http_allow::CHECKS,
    address_deny::CHECKS,
    wildcard::CHECKS,
    gaps::CHECKS,
    mounts::CHECKS,
    mcp::CHECKS,
    expectations::CHECKS,
    teams::CHECKS,
    orgs::CHECKS,
    agents::CHECKS,
    agent_pairs::CHECKS,
    skipped::CHECKS,
];
