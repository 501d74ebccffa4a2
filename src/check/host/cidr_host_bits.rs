//! CIDR blocks that name an address inside of the block.

use ipnet::IpNet;

use super::{Check, Run, Severity, Verdict};

pub(super) const CODE: &str = "cidr-host-bits";

pub(super) const CHECK: Check = Check {
    code: CODE,
    severity: Severity::Warning,
    title: "a CIDR block has host bits set",
    explanation: "`10.1.2.3/8` covers all of `10.0.0.0/8`. Whether the service takes such a block is not documented, \
        and its reader may think of one address.",
    bad: "- {name: web, decision: allow, actions: [connect:tcp], resources: [10.1.2.3/8]}\n",
    fix: "Write the block's own address, or `/32` for one address.",
    run: Run::Elsewhere,
};

pub(super) fn judge(text: &str, block: IpNet) -> Option<Verdict> {
    if block.addr() == block.network() {
        return None;
    }
    let message = format!("`{text}` covers all of `{}`", block.trunc());
    let help = format!(
        "write `{}`, or `{}/{}` for the one address",
        block.trunc(),
        block.addr(),
        block.max_prefix_len()
    );
    Some(Verdict::open(CODE, message, help))
}
