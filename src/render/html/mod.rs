//! The report as one file of HTML that opens nothing.
//!
//! Invariant: every text passes one formatter, which shows control and bidirectional characters as
//! escapes and then escapes markup, so that no text of others is markup, script or style. The
//! Content-Security-Policy allows the page's own style and script by their hashes and nothing else.
//! No value stands in the page unescaped but these two, which are files of this folder, and that
//! policy.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Output, State, Value, escape_formatter};
use sha2::{Digest as _, Sha256};

use crate::diagnostic::sanitize::block;
use crate::report::Report;

const TEMPLATE: &str = include_str!("report.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The whole file.
#[must_use]
pub fn page(report: &Report) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(format);
    let blanks = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(blanks.expect("the delimiters are those of always"));
    environment.add_global("style", Value::from_safe_string(STYLE.to_owned()));
    environment.add_global("script", Value::from_safe_string(SCRIPT.to_owned()));
    environment.add_global("csp", Value::from_safe_string(policy()));
    environment.add_global("version", env!("CARGO_PKG_VERSION"));
    environment.add_template("report.html", TEMPLATE).expect("the template is part of the program");
    let template = environment.get_template("report.html").expect("it was added");
    template.render(Value::from(Serde(report))).expect("the template fits the report")
}

/// Content security policy of the page: only its own style and script.
fn policy() -> String {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

/// Makes every text safe, wherever in the page it stands. What macros return is markup already.
fn format(
    output: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    match value.as_str() {
        Some(text) if !value.is_safe() => {
            output.write_str(&escaped(&block(text))).map_err(minijinja::Error::from)
        }
        Some(_) | None => escape_formatter(output, state, value),
    }
}

/// Text in which nothing is markup, in the content of an element and in a quoted attribute. A slash
/// stays, so that people who read the source find paths as they are.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(character),
        }
    }
    safe
}
