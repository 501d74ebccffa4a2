//! All checks.

use super::{Check, agent_pairs, agents, filesystem_path, host, http_path, layers, limits, mcp, names, reading, teams};

/// All checks in groups, in the order of the documentation.
pub static TABLE: &[&[Check]] = &[
    reading::CHECKS,
    names::CHECKS,
    layers::CHECKS,
    limits::CHECKS,
    host::CHECKS,
    http_path::CHECKS,
    filesystem_path::CHECKS,
    mcp::CHECKS,
    teams::CHECKS,
    agents::CHECKS,
    agent_pairs::CHECKS,
];
