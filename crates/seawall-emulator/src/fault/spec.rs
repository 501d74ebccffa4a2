//! Faults as text: `KIND[=ARGUMENT][@CALLS][#NTH[xTIMES]]`.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::{Answer, Calls, Edit, FalseAnswer, Fault, FaultKind, Form, Wait, WaitForm};
use crate::operation::Operation;
use crate::state::{Policy, State};
use seawall_access::model::Decision;

/// The syntax of faults, for the help of the command line.
pub const SYNTAX: &str = "\
KIND[=ARGUMENT][@CALLS][#NTH[xTIMES]]

KIND is one of
  refuse=STATUS[:CODE][:FORM]        no effect; FORM is governance, hub, detail, text, html or empty
  refuse-after=STATUS[:CODE][:FORM]  the effect, then the refusal
  delay=MILLISECONDS                 wait, then go on
  cut                                the effect, then half of the answer
  lose-before                        no effect, no answer
  lose-after                         the effect, no answer
  rate-limit[=SECONDS[:FORM]]        429; FORM is seconds, date, unix, reset, older or silent
  expire-tokens                      every token given so far is worthless
  lie=WHAT                           a success that is not true: empty (page), missing (entry), bare (policy without its
                                     rules), stale, short (JSON), envelope (of an error, under 200)
  edit=delete:POLICY                 somebody else deletes a policy
  edit=rename:POLICY:NAME            … renames it
  edit=delete-rule:POLICY:RULE       … deletes a rule
  edit=flip-rule:POLICY:RULE         … turns an allow into a deny, or back
CALLS is any (the default), reads, writes, or an operation such as createRule, listGroups, authenticate,
agent:createPolicyRule, agent:approveRule.
NTH counts the calls among CALLS from 1; without it all of them are met. TIMES is how many in a row.";

/// A fault that cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{spec}` is not a fault: {reason}")]
pub struct FaultSpecError {
    spec: String,
    reason: String,
}

impl FromStr for Fault {
    type Err = FaultSpecError;

    fn from_str(spec: &str) -> Result<Self, Self::Err> {
        parse(spec).map_err(|reason| FaultSpecError { spec: spec.to_owned(), reason })
    }
}

fn parse(spec: &str) -> Result<Fault, String> {
    // Names of policies may contain `@` and `#`: both are searched from the end, and count only if
    // their part is valid.
    let (rest, counted) = match spec.rsplit_once('#') {
        Some((rest, count))
            if !count.is_empty() && count.chars().all(|c| c.is_ascii_digit() || c == 'x') =>
        {
            (rest, Some(count))
        }
        _ => (spec, None),
    };
    let (rest, calls) = match rest.rsplit_once('@') {
        Some((rest, name)) if !name.contains(':') || calls(name).is_ok() => (rest, calls(name)?),
        _ => (rest, Calls::Any),
    };
    let (kind, argument) = match rest.split_once('=') {
        Some((kind, argument)) => (kind, Some(argument)),
        None => (rest, None),
    };
    let fault = Fault::new(parse_kind(kind, argument)?).on(calls);
    match counted {
        None => Ok(fault),
        Some(count) => {
            let (first, times) = count.split_once('x').unwrap_or((count, "1"));
            Ok(fault.nth(from_one(first)?).times(from_one(times)?))
        }
    }
}

fn from_one(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| format!("`{text}` is not a count from 1"))
}

fn calls(name: &str) -> Result<Calls, String> {
    match name {
        "any" => Ok(Calls::Any),
        "reads" => Ok(Calls::Reads),
        "writes" => Ok(Calls::Writes),
        _ => Operation::all()
            .find(|operation| operation.name() == name)
            .map(Calls::Operation)
            .ok_or_else(|| format!("no calls are named `{name}`")),
    }
}

/// The kinds of faults by their names.
const KINDS: [&str; 10] = [
    "refuse",
    "refuse-after",
    "delay",
    "cut",
    "lose-before",
    "lose-after",
    "expire-tokens",
    "rate-limit",
    "lie",
    "edit",
];

fn parse_kind(kind: &str, argument: Option<&str>) -> Result<FaultKind, String> {
    let required = || argument.ok_or_else(|| format!("`{kind}` needs an argument"));
    let none = |kind: FaultKind| match argument {
        None => Ok(kind),
        Some(argument) => Err(format!("nothing may follow the kind, and `{argument}` does")),
    };
    match kind {
        "refuse" => Ok(FaultKind::Refuse(answer(required()?)?)),
        "refuse-after" => Ok(FaultKind::RefuseAfter(answer(required()?)?)),
        "delay" => {
            let text = required()?;
            let milliseconds =
                text.parse().map_err(|_| format!("`{text}` is not a number of milliseconds"))?;
            Ok(FaultKind::Delay(Duration::from_millis(milliseconds)))
        }
        "cut" => none(FaultKind::Cut),
        "lose-before" => none(FaultKind::LoseBefore),
        "lose-after" => none(FaultKind::LoseAfter),
        "expire-tokens" => none(FaultKind::ExpireTokens),
        "rate-limit" => Ok(FaultKind::RateLimit(wait(argument.unwrap_or("1"))?)),
        "lie" => {
            let name = required()?;
            let false_answer = FalseAnswer::ALL
                .into_iter()
                .find(|(known, _)| *known == name)
                .map(|(_, false_answer)| FaultKind::FalseAnswer(false_answer));
            false_answer.ok_or_else(|| format!("no lie is named `{name}`"))
        }
        "edit" => Ok(FaultKind::Edit(edit(required()?)?)),
        _ => Err(match seawall_access::suggestion::nearest(kind, KINDS) {
            Some(near) => format!("no kind is named `{kind}`: did you mean `{near}`?"),
            None => format!("no kind is named `{kind}`: there are {}", KINDS.join(", ")),
        }),
    }
}

fn answer(text: &str) -> Result<Answer, String> {
    let mut parts = text.split(':');
    let status = parts.next().unwrap_or_default();
    let number = status.parse().ok().filter(|number| (400..600).contains(number));
    let mut answer = Answer::status(
        number.ok_or_else(|| format!("`{status}` is not a status from 400 to 599"))?,
    );
    for part in parts {
        match form(part) {
            Some(form) => answer.form = form,
            None => part.clone_into(&mut answer.code),
        }
    }
    Ok(answer)
}

fn form(text: &str) -> Option<Form> {
    match text {
        "governance" => Some(Form::Governance),
        "hub" => Some(Form::Hub),
        "text" => Some(Form::Text),
        "html" => Some(Form::Html),
        "empty" => Some(Form::Empty),
        "detail" => Some(Form::Detail),
        _ => None,
    }
}

fn wait(text: &str) -> Result<Wait, String> {
    let (seconds, form) = text.split_once(':').unwrap_or((text, "seconds"));
    let form = match form {
        "seconds" => WaitForm::Seconds,
        "date" => WaitForm::Date,
        "unix" => WaitForm::Unix,
        "reset" => WaitForm::Reset,
        "older" => WaitForm::Older,
        "silent" => WaitForm::Silent,
        _ => return Err(format!("no form is named `{form}`")),
    };
    let seconds = seconds.parse().map_err(|_| format!("`{seconds}` is not a number of seconds"))?;
    Ok(Wait { seconds, form })
}

fn edit(text: &str) -> Result<Edit, String> {
    let parts: Vec<String> = text.split(':').map(str::to_owned).collect();
    match parts.as_slice() {
        [verb, policy] if verb == "delete" => {
            let policy = policy.clone();
            Ok(Edit::new(move |state| {
                for org in state.orgs.values_mut() {
                    org.policies.retain(|_, live| live.name != policy);
                }
            }))
        }
        [verb, policy, name] if verb == "rename" => {
            let name = name.clone();
            Ok(edit_policy(policy, move |policy| policy.name.clone_from(&name)))
        }
        [verb, policy, rule] if verb == "delete-rule" => {
            let rule = rule.clone();
            Ok(edit_policy(policy, move |policy| {
                if let Some(allowlist) = &mut policy.allowlist_v0 {
                    allowlist.rules.retain(|live| live.name != rule);
                    allowlist.derive_domain();
                }
            }))
        }
        [verb, policy, rule] if verb == "flip-rule" => {
            let rule = rule.clone();
            Ok(edit_policy(policy, move |policy| {
                for live in
                    policy.allowlist_v0.iter_mut().flat_map(|allowlist| &mut allowlist.rules)
                {
                    if live.name == rule {
                        live.decision = match live.decision {
                            Decision::Allow => Decision::Deny,
                            Decision::Deny => Decision::Allow,
                        };
                    }
                }
            }))
        }
        _ => Err(format!("`{text}` is not an edit")),
    }
}

fn edit_policy(name: &str, edit: impl Fn(&mut Policy) + Send + Sync + 'static) -> Edit {
    let name = name.to_owned();
    Edit::new(move |state: &mut State| {
        for policy in state.orgs.values_mut().flat_map(|org| org.policies.values_mut()) {
            if policy.name == name {
                edit(Arc::make_mut(policy));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_syntax_is_read() {
        let read = |spec: &str| spec.parse::<Fault>().map(|fault| format!("{fault:?}"));
        // A status alone gets the matching code, at every call.
        let fault = read("refuse=409").unwrap();
        assert!(
            fault.contains("conflict") && fault.contains("Any") && fault.contains("times: None"),
            "{fault}"
        );
        // A code and a form in either order, at one operation, at its third call.
        let fault = read("refuse=403:html:limit_exceeded@createRule#3").unwrap();
        assert!(
            fault.contains("limit_exceeded")
                && fault.contains("Html")
                && fault.contains("CreateRule"),
            "{fault}"
        );
        assert!(fault.contains("first: 3, times: Some(1)"), "{fault}");
        // Several consecutive calls.
        assert!(read("lose-after@writes#2x5").unwrap().contains("first: 2, times: Some(5)"));
        // A name with the marks of the syntax.
        assert!(read("edit=rename:a@b#c:d@writes#1").unwrap().contains("Writes"));
        assert!(read("rate-limit=30:date@reads").unwrap().contains("Date"));
        assert!(read("delay=20").unwrap().contains("20ms"));
        // An operation of the other service.
        assert!(read("refuse=404@agent:deleteRule#1").unwrap().contains("Vijil(DeleteRule)"));
        assert!(read("lie=stale@reads#2").unwrap().contains("FalseAnswer(Stale)"));
    }

    #[test]
    fn what_is_no_fault_is_refused_with_its_reason() {
        for (spec, reason) in [
            ("explode", "no kind is named `explode`"),
            ("cut=1", "nothing may follow"),
            ("refuse", "needs an argument"),
            ("refuse=200", "not a status"),
            ("cut@everything", "no calls are named"),
            ("cut#0", "not a count from 1"),
            ("rate-limit=1:soon", "no form is named"),
            ("edit=paint:a", "not an edit"),
            ("lie=white", "no lie is named `white`"),
        ] {
            let error = spec.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains(reason), "{spec}: {error}");
        }
    }
}
