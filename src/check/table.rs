//! All checks.

use super::{
    Check, address_deny, broad_allow, confusable_host, expectations, filesystem_path, gaps, host,
    http_allow, http_path, ineffective_deny, layers, limits, local_host, mcp, metadata, mounts,
    names, orgs, ownership, protected, reading, redundant_rule, services, shadowed_allow, skipped,
    teams, vijil, vijil_pairs, vijil_words, wildcard,
};

/// All checks in groups, in the order of the documentation.
pub static TABLE: &[&[Check]] = &[
    reading::CHECKS,
    names::CHECKS,
    ownership::CHECKS,
    protected::CHECKS,
    services::CHECKS,
    layers::CHECKS,
    limits::CHECKS,
    host::CHECKS,
    http_path::CHECKS,
    filesystem_path::CHECKS,
    confusable_host::CHECKS,
    broad_allow::CHECKS,
    local_host::CHECKS,
    metadata::CHECKS,
    shadowed_allow::CHECKS,
    redundant_rule::CHECKS,
    ineffective_deny::CHECKS,
    http_allow::CHECKS,
    address_deny::CHECKS,
    wildcard::CHECKS,
    gaps::CHECKS,
    mounts::CHECKS,
    mcp::CHECKS,
    expectations::CHECKS,
    teams::CHECKS,
    orgs::CHECKS,
    vijil::CHECKS,
    vijil_pairs::CHECKS,
    vijil_words::CHECKS,
    skipped::CHECKS,
];
