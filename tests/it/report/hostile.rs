//! Text that others wrote stays text: no markup, no script, no character that reorders or hides.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seawall::render::html::page;
use sha2::{Digest as _, Sha256};

use super::{report, workspace};
use crate::examples::repository;

/// Names that break out where a place forgets to escape.
const NAMES: [&str; 6] = [
    "</script><script>alert(1)</script>",
    "\\\"><img src=x onerror=alert(1)>",
    "' onfocus=alert(1) autofocus x='",
    "\\u202Egnp.exe\\u2066",
    "a\\u0000b\\u001b[31mred\\u200b",
    "{{ style }}{% raw %}</style>",
];

fn hostile() -> String {
    let mut text = String::new();
    for (number, name) in NAMES.iter().enumerate() {
        text += &format!(
            "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: \"{name}\"\nscope: {{teams: [\"t{number}{name}\"]}}\nrules:\n  \
             - name: \"{name}\"\n    decision: allow\n    actions: [connect:tcp]\n    # seawall: allow[x] {}\n    \
             resources: [\"**.host{number}.example.com\"]\n---\n",
            name.replace('\\', "")
        );
        text += &format!(
            "apiVersion: seawall/v1\nkind: AccessTest\nname: \"{name}\"\nas: {{teams: [\"t{number}{name}\"]}}\nexpect:\n  \
             - deny: \"connect:tcp a.host{number}.example.com:443\"\n---\n"
        );
        text += &format!(
            "apiVersion: seawall/v1\nkind: AgentPolicy\nname: \"agents {name}\"\ncategory: privacy\nsource_text: \"Do not {name}.\"\nrules:\n  \
             - rule_id: \"R-{number}{name}\"\n    rule_type: prohibition\n    action: \"{name}\"\n    consequence: {{action: block}}\n    natural_language: \"Do not {name}.\"\n    \
             review: {{approved: \"{name}\"}}\n---\n"
        );
    }
    text
}

/// The tags of a page, as a browser finds them: a sign, a name, and attributes up to the end
/// outside of quotes.
fn tags(page: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if !rest
            .starts_with(|first: char| first.is_ascii_alphabetic() || first == '/' || first == '!')
        {
            continue;
        }
        let mut quote = None;
        let end = rest.find(|character| {
            match (quote, character) {
                (None, '"' | '\'') => quote = Some(character),
                (Some(open), close) if open == close => quote = None,
                _ => {}
            }
            quote.is_none() && character == '>'
        });
        let (tag, behind) = rest.split_at(end.unwrap());
        tags.push(tag.to_owned());
        rest = behind;
        // What stands in these is no markup.
        for raw in ["style", "script"] {
            if tag == raw {
                rest = &rest[rest.find(&format!("</{raw}>")).unwrap()..];
            }
        }
    }
    tags
}

#[test]
fn names_are_escaped_in_markup() {
    let folder = workspace(&hostile());
    let settings = "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme}\nvijil: {}\n";
    std::fs::write(folder.path().join("seawall.yaml"), settings).unwrap();
    let page = page(&report(folder.path()));
    let tags = tags(&page);
    let named =
        |name: &str| tags.iter().filter(|tag| tag.split([' ', '\n']).next() == Some(name)).count();
    assert_eq!(
        (named("script"), named("style"), named("img"), named("link"), named("iframe")),
        (1, 1, 0, 0, 0)
    );
    for tag in &tags {
        let attributes = tag.split_once(' ').map(|(_, attributes)| attributes).unwrap_or_default();
        // What stands in quotes is a value.
        let bare: String = attributes.split('"').step_by(2).collect();
        assert!(!bare.contains("on") || !bare.contains("alert"), "{tag}");
        for handler in ["onerror=", "onfocus=", "onclick=", "style=", "src=", "srcdoc="] {
            assert!(!bare.contains(handler), "{tag}");
        }
        for link in attributes.split("href=").skip(1) {
            let link = link.trim_start_matches('"');
            assert!(link.starts_with('#'), "{tag}");
        }
    }
    for hidden in ['\u{202e}', '\u{2066}', '\u{0}', '\u{1b}', '\u{200b}'] {
        assert!(!page.contains(hidden), "{hidden:?} stands in the page");
    }
    for shown in ["\\u{202e}", "&lt;img src=x onerror=alert(1)&gt;", "{{ style }}"] {
        assert!(page.contains(shown), "{shown} is not shown");
    }
}

#[test]
fn the_policy_of_the_page_allows_its_own_style_and_script_and_nothing_else() {
    let page = page(&report(&repository("examples/policies")));
    let policy = page.split("http-equiv=\"Content-Security-Policy\" content=\"").nth(1).unwrap();
    let policy = policy.split('"').next().unwrap();
    let inside = |tag: &str| {
        let text = page.split(&format!("<{tag}>")).nth(1).unwrap();
        text.split(&format!("</{tag}>")).next().unwrap()
    };
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let expected = format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash(inside("style")),
        hash(inside("script"))
    );
    assert_eq!(policy, expected);
    let before = page.split("<style>").next().unwrap();
    assert!(before.contains("Content-Security-Policy"), "it holds for the style too");
    assert!(!page.contains(" style="), "an inline style would be refused");
    for request in
        ["url(", "@import", "http-equiv=refresh", "<link", "fetch(", "XMLHttpRequest", "import("]
    {
        assert!(!page.contains(request), "{request}");
    }
}
