//! Traps: what they find, what they leave alone, and that who follows them changes no access.

use std::fmt::Write as _;
use std::fs;

use proptest::prelude::*;
use seawall::access::{Request, State, Verdict, compare};
use seawall::check;
use seawall::diagnostic::{Findings, Severity};
use seawall::model::{
    Action, Body, Decision, HttpResource, Policy, Resources, Rule, Scope, TeamDirectory,
};
use seawall::workspace::{self, EmptyWorkspace};
use tempfile::TempDir;

use crate::examples::seawall;

/// `org: allow connect:tcp a b` and `red,blue: deny request:get host[:port]/path`, a rule of its
/// own policy a line. The rules of one policy stand on lines in a row that say the same in front;
/// `folders` makes another kind of policy.
fn documents(text: &str) -> String {
    let mut out = String::new();
    let mut last = String::new();
    for (number, line) in text.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let (scope, rule) = line.split_once(": ").unwrap();
        let mut words = rule.split_whitespace();
        let (decision, actions) = (words.next().unwrap(), words.next().unwrap());
        let kind = if actions.starts_with("read") || actions.starts_with("write") {
            "Filesystem"
        } else {
            "Network"
        };
        if last != format!("{scope}{kind}") {
            last = format!("{scope}{kind}");
            let teams = if scope.starts_with("org") { "" } else { scope };
            write!(out, "---\napiVersion: seawall/v1\nkind: {kind}Policy\nname: p{number}\nscope: {{teams: [{teams}]}}\nrules:\n")
                .unwrap();
        }
        let http = |target: &str| {
            let (host, path) = target.split_once('/').unwrap();
            let (host, port) = host
                .split_once(':')
                .map_or((host, String::new()), |(host, port)| (host, format!("port: {port}, ")));
            format!("{{host: \"{host}\", {port}path: \"/{path}\"}}")
        };
        let requests = actions.starts_with("request");
        let targets: Vec<String> = words
            .map(|target| if requests { http(target) } else { format!("'{target}'") })
            .collect();
        let key = if requests { "http_resources" } else { "resources" };
        writeln!(
            out,
            "- {{name: r{number}, decision: {decision}, actions: [{actions}], {key}: [{}]}}",
            targets.join(", ")
        )
        .unwrap();
    }
    out
}

const SETTINGS: &str = "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme}\n";

fn workspace(documents: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("seawall.yaml"), SETTINGS).unwrap();
    fs::write(folder.path().join("a.yaml"), documents).unwrap();
    folder
}

fn findings(documents: &str) -> Findings {
    let mut findings = Findings::default();
    workspace::load_into(workspace(documents).path(), None, EmptyWorkspace::Refused, &mut findings);
    findings
}

/// The codes, each with the text that it is about.
fn found(text: &str) -> Vec<String> {
    let findings = findings(&documents(text));
    let found = findings.diagnostics.iter().map(|finding| {
        let label = finding.primary.as_ref().unwrap();
        let about = &findings.files.get(label.file).text[label.span.clone()];
        format!("{} {}", finding.code, about.trim_matches(['\'', '"']))
    });
    found.collect()
}

#[test]
fn checks_find_their_examples_and_nothing_else() {
    let metadata =
        "100.100.100.200 168.63.129.16 metadata.google.internal instance-data.ec2.internal";
    let table: &[(&str, &str, &[&str])] = &[
        // An allow that a deny covers wholly.
        (
            "a wider deny",
            "org: allow connect:tcp a.x.com:443\norg: deny connect:tcp **.x.com",
            &["shadowed-allow a.x.com:443"],
        ),
        (
            "a deny of the same",
            "org: allow connect:tcp x.com\norg: deny connect:tcp x.com",
            &["shadowed-allow x.com"],
        ),
        (
            "a deny of another port",
            "org: allow connect:tcp x.com\norg: deny connect:tcp x.com:22",
            &[],
        ),
        (
            "a deny of another protocol",
            "org: allow connect:tcp,connect:udp x.com\norg: deny connect:udp x.com",
            &[],
        ),
        (
            "two denies together",
            "org: allow connect:tcp,connect:udp x.com\norg: deny connect:udp x.com\norg: deny connect:tcp x.com",
            &["shadowed-allow x.com"],
        ),
        (
            "the apex may be left",
            "org: allow connect:tcp x.com\norg: deny connect:tcp **.x.com",
            &["wildcard-misses-apex **.x.com"],
        ),
        ("a deny for others", "red: allow connect:tcp x.com\nblue: deny connect:tcp x.com", &[]),
        (
            "a deny for some of them",
            "red,blue: allow connect:tcp x.com\nblue: deny connect:tcp x.com",
            &[],
        ),
        (
            "a deny for more",
            "red: allow connect:tcp x.com\nred,blue: deny connect:tcp x.com",
            &["shadowed-allow x.com"],
        ),
        (
            "connections deny requests",
            "org: allow request:get x.com/a\norg: deny connect:tcp x.com",
            &["shadowed-allow {host: \"x.com\", path: \"/a\"}"],
        ),
        (
            "requests by requests",
            "org: allow request:get x.com:443/a/b\norg: deny request:get,request:put x.com/a/**",
            &["shadowed-allow {host: \"x.com\", port: 443, path: \"/a/b\"}"],
        ),
        (
            "some methods only",
            "org: allow request:get,request:put x.com/a\norg: deny request:put x.com/a",
            &[],
        ),
        (
            "a block inside of one",
            "org: allow connect:tcp 203.0.113.0/25\norg: deny connect:tcp 203.0.113.0/24",
            &["shadowed-allow 203.0.113.0/25"],
        ),
        (
            "an address is a name",
            "org: allow connect:tcp 203.0.113.1\norg: deny connect:tcp 203.0.113.0/24",
            &[],
        ),
        (
            "folders",
            "org: allow read /data/x\norg: deny read /data/**",
            &["shadowed-allow /data/x"],
        ),
        // A rule that another covers.
        (
            "a wider allow",
            "org: allow connect:tcp a.x.com:443\norg: allow connect:tcp a.x.com",
            &["redundant-rule a.x.com:443"],
        ),
        (
            "twice the same: the later",
            "org: allow connect:tcp x.com\nred: allow connect:tcp x.com",
            &["redundant-rule x.com"],
        ),
        (
            "of two teams, neither",
            "red: allow connect:tcp x.com\nblue: allow connect:tcp x.com",
            &[],
        ),
        ("twice in a list", "org: allow connect:tcp x.com y.com x.com", &["redundant-rule x.com"]),
        (
            "targets twice in a list",
            "org: allow request:get x.com/a x.com/b x.com/a",
            &["redundant-rule {host: \"x.com\", path: \"/a\"}"],
        ),
        (
            "behind what stands twice",
            "org: allow connect:tcp x.com x.com 10.1.2.3/8\norg: allow request:get y.com/a y.com/a Y.com/b",
            &[
                "redundant-rule x.com",
                "redundant-rule {host: \"y.com\", path: \"/a\"}",
                "cidr-host-bits 10.1.2.3/8",
                "host-spelling Y.com",
            ],
        ),
        ("both forms of a host", "org: allow connect:tcp x.com **.x.com", &[]),
        ("both forms of a folder", "org: allow read /x /x/**", &[]),
        (
            "one of three is enough",
            "org: allow connect:tcp x.com\norg: allow connect:udp x.com\norg: allow connect:tcp,connect:udp x.com",
            &["redundant-rule x.com"],
        ),
        (
            "a path",
            "org: allow request:get x.com/a\norg: allow request:get x.com/**",
            &["redundant-rule {host: \"x.com\", path: \"/a\"}"],
        ),
        (
            "another case may be another path",
            "org: allow request:get x.com/A\norg: allow request:get x.com/a",
            &[],
        ),
        // A deny that no allow meets; an HTTP deny alone.
        (
            "beside the pattern",
            "org: allow connect:tcp *.x.com x.com\norg: deny connect:tcp old.y.com",
            &["ineffective-deny r1"],
        ),
        (
            "an exception",
            "org: allow connect:tcp *.x.com x.com\norg: deny connect:tcp old.x.com",
            &[],
        ),
        ("guardrails", "org: deny connect:tcp old.y.com\nred: allow connect:tcp x.com", &[]),
        (
            "a name behind an allowed block",
            "org: allow connect:tcp 203.0.113.0/24\norg: deny connect:tcp y.com",
            &[],
        ),
        (
            "a block behind an allowed request",
            "org: allow request:get x.com/a\norg: deny connect:tcp 10.0.0.0/8",
            &[],
        ),
        (
            "requests of an open host",
            "org: allow connect:tcp x.com\norg: deny request:delete x.com/**",
            &[],
        ),
        (
            "a host with HTTP denies alone",
            "org: deny request:delete x.com/**",
            &["http-deny-only r0"],
        ),
        (
            "and so for another host",
            "org: allow connect:tcp x.com\norg: deny request:delete y.com/**",
            &["http-deny-only r1"],
        ),
        (
            "on a port that nothing is allowed on",
            "org: allow connect:tcp x.com:443\norg: deny request:post x.com:80/**",
            &["http-deny-other-port r1"],
        ),
        (
            "other requests are allowed",
            "org: allow request:get x.com/**\norg: deny request:delete x.com/**",
            &["ineffective-deny r1"],
        ),
        ("below somebody's home", "org: allow read ~/x\norg: deny read /home/u/x", &[]),
        // `*.x` without `x`, `/dir/**` without `/dir`.
        ("one label", "org: allow connect:tcp *.x.com", &["wildcard-without-apex *.x.com"]),
        (
            "any depth",
            "org: allow connect:tcp **.x.com:443",
            &["wildcard-without-apex **.x.com:443"],
        ),
        ("with the host", "org: allow connect:tcp *.x.com\norg: allow connect:tcp x.com", &[]),
        (
            "with a deny of the host",
            "org: allow connect:tcp *.x.com\norg: deny connect:tcp x.com",
            &["ineffective-deny r1"],
        ),
        (
            "requests",
            "org: allow request:get *.x.com/a",
            &["wildcard-without-apex {host: \"*.x.com\", path: \"/a\"}"],
        ),
        (
            "a deny that nothing meets at the host",
            "org: allow connect:tcp a.x.com\norg: deny connect:tcp *.x.com b.com",
            &["shadowed-allow a.x.com"],
        ),
        (
            "a deny that leaves the host",
            "org: allow connect:tcp **.com:443\nred: deny connect:tcp *.x.com",
            &[
                "broad-allow **.com:443",
                "deny-misses-subdomains *.x.com",
                "wildcard-misses-apex *.x.com",
            ],
        ),
        ("folders below", "org: allow read,write /data/**", &["missing-base-folder /data/**"]),
        ("a folder and below", "org: allow read /data /data/**", &[]),
        ("the home folder, which nobody mounts", "org: allow read ~/**", &[]),
        ("what lies in a folder", "org: allow read /data/*", &[]),
        (
            "another one's folder",
            "red: allow read /data/**\nblue: allow read /data",
            &["missing-base-folder /data/**"],
        ),
        (
            "a deny of what is below",
            "org: allow read /data/x\norg: deny read /data/x/**",
            &["missing-base-folder /data/x/**"],
        ),
        (
            "folders of one rule are one finding",
            "org: allow read /a/** /b/** /c/**",
            &["missing-base-folder r0"],
        ),
        (
            "hosts of one rule are one finding",
            "org: allow connect:tcp *.x.com *.y.com *.z.com",
            &["wildcard-without-apex r0"],
        ),
        (
            "denied hosts of one rule are one finding",
            "org: allow connect:tcp **.com:443\norg: deny connect:tcp *.x.com *.y.com *.z.com",
            &["broad-allow **.com:443", "deny-misses-subdomains r1", "wildcard-misses-apex r1"],
        ),
        // Write without read, and mounts around what is denied.
        ("write alone", "org: allow write /data", &["write-without-read /data"]),
        ("read elsewhere", "org: allow write /data\norg: allow read /data /data/**", &[]),
        (
            "read for others",
            "org: allow write /data\nred: allow read /data",
            &["write-without-read /data"],
        ),
        ("no writing", "org: allow read,write /data\norg: deny write /data", &[]),
        (
            "a denied folder inside",
            "org: allow read /data\norg: deny read /data/secret",
            &["mount-around-deny /data/secret", "ineffective-deny r1"],
        ),
        (
            "a denied folder beside",
            "org: allow read /data/open\norg: deny read /data/secret",
            &["ineffective-deny r1"],
        ),
        // What a deny leaves open of what its readers take for closed: names below a host.
        (
            "a host under an allow of all",
            "org: allow connect:tcp **.com:443\norg: deny connect:tcp x.com",
            &["broad-allow **.com:443", "deny-misses-subdomains x.com"],
        ),
        (
            "with the names below it",
            "org: allow connect:tcp **.com:443\norg: deny connect:tcp x.com **.x.com",
            &["broad-allow **.com:443"],
        ),
        (
            "closed by another policy, for whom the deny is",
            "org1: allow connect:tcp **.com:443\nred: deny connect:tcp x.com\norg2: deny connect:tcp **.x.com",
            &["broad-allow **.com:443", "wildcard-misses-apex **.x.com"],
        ),
        (
            "closed for others only",
            "org1: allow connect:tcp **.com:443\nred: deny connect:tcp x.com\nblue: deny connect:tcp **.x.com",
            &[
                "broad-allow **.com:443",
                "deny-misses-subdomains x.com",
                "wildcard-misses-apex **.x.com",
            ],
        ),
        (
            "opened for a team only",
            "org: deny connect:tcp x.com\nred: allow connect:tcp **.com:443",
            &["broad-allow **.com:443", "deny-misses-subdomains x.com"],
        ),
        (
            "an allow of the names below",
            "org: allow connect:tcp **.x.com:443\norg: deny connect:tcp x.com",
            &[],
        ),
        (
            "an allow of one of the names below",
            "org: allow connect:tcp a.x.com\norg: deny connect:tcp x.com",
            &["ineffective-deny r1"],
        ),
        (
            "many of a rule are one finding",
            "org: allow connect:tcp **.com:443\norg: deny connect:tcp a.com b.com c.com d.com e.com",
            &["broad-allow **.com:443", "deny-misses-subdomains r1"],
        ),
        (
            "by address",
            "org: allow connect:tcp 0.0.0.0/0\norg: deny connect:tcp x.com",
            &[
                "broad-allow 0.0.0.0/0",
                "metadata-reachable 0.0.0.0/0",
                "deny-misses-subdomains x.com",
            ],
        ),
        // The other protocol.
        (
            "TCP alone",
            "org: allow connect:tcp,connect:udp **.com:443\norg: deny connect:tcp x.com **.x.com",
            &[
                "broad-allow **.com:443",
                "deny-misses-protocol x.com",
                "deny-misses-protocol **.x.com",
            ],
        ),
        (
            "UDP alone",
            "org: allow connect:tcp,connect:udp **.com:443\norg: deny connect:udp **.x.com x.com",
            &[
                "broad-allow **.com:443",
                "deny-misses-protocol x.com",
                "deny-misses-protocol **.x.com",
            ],
        ),
        (
            "both in two rules",
            "org: allow connect:tcp,connect:udp **.com:443\norg: deny connect:tcp x.com **.x.com\norg: deny connect:udp x.com **.x.com",
            &["broad-allow **.com:443"],
        ),
        (
            "no UDP at all",
            "org: allow connect:tcp,connect:udp **.com:443\norg: deny connect:udp **",
            &["broad-allow **.com:443"],
        ),
        // Paths below one.
        (
            "a path of an open host",
            "org: allow connect:tcp x.com:443\norg: deny request:get x.com/a",
            &["deny-misses-paths {host: \"x.com\", path: \"/a\"}"],
        ),
        (
            "one segment",
            "org: allow connect:tcp x.com:443\norg: deny request:delete x.com/*",
            &["deny-misses-paths {host: \"x.com\", path: \"/*\"}"],
        ),
        ("all of it", "org: allow connect:tcp x.com:443\norg: deny request:delete x.com/a/**", &[]),
        (
            "another rule has the rest",
            "org: allow connect:tcp x.com:443\norg: deny request:get x.com/a\norg: deny request:get x.com/a/*/**",
            &[],
        ),
        (
            "a parameter of other tools",
            "org: allow connect:tcp x.com:443\norg: deny request:get x.com/a/:id/**",
            &["http-path-wildcard /a/:id/**"],
        ),
        // Folders below one, and mounts around one.
        (
            "a folder under an allow of all around",
            "org: allow read /data/* /data/*/**\norg: deny read /data/x",
            &["deny-misses-folders /data/x"],
        ),
        (
            "what lies in a denied folder",
            "org: allow read /data/** /data\norg: deny read /data/x/*",
            &["deny-misses-folders /data/x/*", "mount-around-deny /data/x/*"],
        ),
        (
            "a folder and below it, denied",
            "org: allow read /data/* /data/*/**\norg: deny read /data/x /data/x/**",
            &[],
        ),
        (
            "below a home folder, wherever that is",
            "org: allow read /home/**\norg: deny read ~/.ssh ~/.ssh/**",
            &[
                "missing-base-folder /home/**",
                "mount-around-deny ~/.ssh",
                "mount-around-deny ~/.ssh/**",
            ],
        ),
        (
            "below a home folder of macOS",
            "org: allow read /Users/**\norg: deny read ~/.ssh",
            &["missing-base-folder /Users/**", "mount-around-deny ~/.ssh"],
        ),
        (
            "below every folder",
            "org: allow read /**\norg: deny read ~/.ssh ~/.ssh/**",
            &["broad-allow /**", "mount-around-deny ~/.ssh", "mount-around-deny ~/.ssh/**"],
        ),
        (
            "a home folder that is spelled out",
            "org: allow read ~\norg: deny read /home/u/.ssh /home/u/.ssh/**",
            &[
                "ineffective-deny r1",
                "mount-around-deny /home/u/.ssh",
                "mount-around-deny /home/u/.ssh/**",
            ],
        ),
        (
            "a home folder in a pattern of home folders",
            "org: allow read /home/bob\norg1: deny read /home/*/.ssh /home/*/.ssh/**",
            &["mount-around-deny /home/*/.ssh", "mount-around-deny /home/*/.ssh/**"],
        ),
        (
            "folders in a pattern of all folders",
            "org: allow read ~ ~/**\norg1: deny read /**/.ssh /**/.ssh/**",
            &["mount-around-deny /**/.ssh", "mount-around-deny /**/.ssh/**"],
        ),
        (
            "folders beside a pattern",
            "org: allow read /home/bob/src\norg1: deny read /home/*/.ssh /home/*/.ssh/**",
            &[],
        ),
        // The developer's own machine.
        (
            "every service of the machine",
            "org: allow connect:tcp localhost 127.0.0.1 127.0.0.0/8 ::1/128",
            &[
                "loopback-allow localhost",
                "loopback-allow 127.0.0.1",
                "loopback-allow 127.0.0.0/8",
                "loopback-allow ::1/128",
            ],
        ),
        ("one of them", "org: allow connect:tcp localhost:11434 127.0.0.1:11434", &[]),
        (
            "the machine by another block",
            "org: allow connect:tcp 0.0.0.0/8",
            &["loopback-allow 0.0.0.0/8"],
        ),
        (
            "the name that is rewritten",
            "org: allow connect:tcp host.docker.internal:11434",
            &["rewritten-host host.docker.internal:11434"],
        ),
        (
            "and denied",
            "org: deny connect:tcp host.docker.internal\nred: allow connect:tcp localhost:80",
            &["rewritten-host host.docker.internal"],
        ),
        (
            "the home folder of one person",
            "org: allow read /home/bob\norg: deny read ~/.ssh",
            &["ineffective-deny r1", "mount-around-deny ~/.ssh"],
        ),
        (
            "home folders of another system",
            "org: allow read C:\\Users\\*\norg: deny read ~/.ssh",
            &["ineffective-deny r1", "mount-around-deny ~/.ssh"],
        ),
        (
            "a file",
            "org: allow read ~/x/** ~/x\norg: deny read ~/x/.netrc",
            &["mount-around-deny ~/x/.netrc"],
        ),
        (
            "a placeholder",
            "org: allow connect:tcp x.com\norg: deny request:get x.com/users/{id}",
            &["http-path-wildcard /users/{id}"],
        ),
        (
            "regular expressions",
            "org: allow connect:tcp x.com\norg: deny request:get x.com/a/.* x.com/b/[0-9]+ x.com/c/(d|e)",
            &[
                "http-path-wildcard /a/.*",
                "http-path-wildcard /b/[0-9]+",
                "http-path-wildcard /c/(d|e)",
            ],
        ),
        (
            "parentheses of a path",
            "org: allow connect:tcp x.com\norg: deny request:get x.com/users(1)/**",
            &[],
        ),
        // An HTTP allow beside a network allow.
        (
            "both on a host",
            "org: allow connect:tcp *.x.com x.com\norg: allow request:get a.x.com/b",
            &["http-allow-without-effect {host: \"a.x.com\", path: \"/b\"}"],
        ),
        (
            "on another port",
            "org: allow connect:tcp x.com:22\norg: allow request:get x.com:443/b",
            &[],
        ),
        ("for some only", "red: allow connect:tcp x.com\norg: allow request:get x.com/b", &[]),
        // A host allow that a CIDR deny seems to stop.
        (
            "a private name",
            "org: allow connect:tcp db.corp.example\norg: deny connect:tcp 10.0.0.0/8",
            &["address-deny-misses-names 10.0.0.0/8", "ineffective-deny r1"],
        ),
        (
            "a public name",
            "org: allow connect:tcp cve.mitre.org\norg: deny connect:tcp 10.0.0.0/8",
            &["ineffective-deny r1"],
        ),
        (
            "a public block",
            "org: allow connect:tcp cve.mitre.org\norg: deny connect:tcp 203.0.113.0/24",
            &["address-deny-misses-names 203.0.113.0/24", "ineffective-deny r1"],
        ),
        (
            "a guardrail on metadata",
            "org1: deny connect:tcp 169.254.0.0/16\nred: allow connect:tcp cve.mitre.org db.corp.example",
            &[],
        ),
        (
            "many private blocks",
            "org: allow connect:tcp db.corp.example\norg: deny connect:tcp 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16",
            &["address-deny-misses-names 10.0.0.0/8", "ineffective-deny r1"],
        ),
        (
            "another protocol",
            "red: allow connect:udp db.corp.example\norg: deny connect:tcp 10.0.0.0/8",
            &[],
        ),
        // Over-broad allows, and what they open.
        ("everything", "org: allow connect:tcp **", &["broad-allow **", "metadata-reachable **"]),
        (
            "every web host",
            "org: allow connect:tcp **:443",
            &["broad-allow **:443", "metadata-reachable **:443"],
        ),
        ("a top-level domain", "org: allow connect:tcp *.com", &["broad-allow *.com"]),
        ("a public suffix", "org: allow connect:tcp **.github.io", &["broad-allow **.github.io"]),
        (
            "requests to every host",
            "org: allow request:get **/a",
            &["broad-allow {host: \"**\", path: \"/a\"}"],
        ),
        (
            "every address",
            "org: allow connect:tcp 0.0.0.0/0 ::/0",
            &[
                "broad-allow 0.0.0.0/0",
                "metadata-reachable 0.0.0.0/0",
                "broad-allow ::/0",
                "metadata-reachable ::/0",
            ],
        ),
        ("a private network", "org: allow connect:tcp 10.0.0.0/8", &[]),
        ("every folder", "org: allow read **", &["broad-allow **"]),
        ("a denial of all", "org: deny connect:tcp **", &[]),
        // Metadata services.
        (
            "by address",
            "org: allow connect:tcp 169.254.169.254:80",
            &["metadata-reachable 169.254.169.254:80"],
        ),
        (
            "by name",
            "red: allow connect:tcp metadata.google.internal",
            &["metadata-reachable metadata.google.internal"],
        ),
        (
            "by request",
            "org: allow request:get 169.254.169.254/latest/meta-data",
            &["undocumented-host 169.254.169.254"],
        ),
        (
            "a deny that `**` passes",
            "org: allow connect:tcp **:80\norg1: deny connect:tcp 169.254.0.0/16",
            &[
                "broad-allow **:80",
                "metadata-reachable **:80",
                "address-deny-misses-names 169.254.0.0/16",
            ],
        ),
        (
            "a block behind a deny",
            "org: allow connect:tcp 100.0.0.0/8\norg1: deny connect:tcp 100.64.0.0/10",
            &[],
        ),
        // Spelling.
        ("upper case", "org: allow connect:tcp Example.com", &["host-spelling Example.com"]),
        (
            "a dot at the end",
            "org: allow connect:tcp example.com.",
            &["host-spelling example.com."],
        ),
        (
            "letters of another script",
            "org: allow connect:tcp \u{430}pple.com",
            &["host-spelling \u{430}pple.com", "confusable-host \u{430}pple.com"],
        ),
        (
            "the same in ASCII",
            "org: allow connect:tcp xn--pple-43d.com",
            &["confusable-host xn--pple-43d.com"],
        ),
        ("letters that no other name has", "org: allow connect:tcp xn--bcher-kva.example", &[]),
        (
            "two hosts that look alike",
            "org: allow connect:tcp paypal.com\nred: allow connect:tcp paypa1.com",
            &["confusable-host paypa1.com"],
        ),
        ("hosts with numbers", "org: allow connect:tcp a1.x.com a2.x.com", &[]),
        (
            "a list of fraudulent hosts",
            "org: deny connect:tcp xn--pple-43d.com paypa1.com paypal.com",
            &[],
        ),
        (
            "a denied host in letters of another script",
            "org: deny connect:tcp \u{430}pple.com",
            &["host-spelling \u{430}pple.com", "confusable-host \u{430}pple.com"],
        ),
        (
            "a denied host that looks like an allowed one",
            "org1: deny connect:tcp paypa1.com\nred: allow connect:tcp paypal.com",
            &["confusable-host paypal.com"],
        ),
        ("host bits", "org: allow connect:tcp 10.1.2.3/8", &["cidr-host-bits 10.1.2.3/8"]),
        (
            "addresses of one rule are one finding",
            "org: deny connect:tcp 2001:db8::1 2001:db8::2 [2001:db8::3]:443 x.com",
            &["undocumented-host r0"],
        ),
        ("a variable", "org: allow read $HOME/x", &["environment-variable $HOME/x"]),
    ];
    let mut wrong = Vec::new();
    for (what, text, expected) in table {
        let (mut found, mut expected) =
            (found(text), expected.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
        found.sort();
        expected.sort();
        if found != expected {
            wrong.push(format!("{what}:\n{text}\nfound    {found:?}\nexpected {expected:?}\n"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    // All of them denied by name and by address, nothing is reachable.
    let all = format!("org: allow connect:tcp **:443\norg1: deny connect:tcp {metadata}");
    assert!(
        found(&all).iter().any(|one| one.starts_with("metadata-reachable")),
        "a link-local neighbour is left"
    );
}

/// What a finding calls undocumented, the engine does not know either; what a rule is called void
/// for, nobody relies on.
#[test]
fn patterns_that_checks_call_undocumented_are_uncertain() {
    for (pattern, code, request) in [
        ("Evil.Example", "host-spelling", "connect:tcp evil.example:443"),
        ("evil.example.", "host-spelling", "connect:tcp evil.example:443"),
        ("b\u{fc}cher.example", "host-spelling", "connect:tcp xn--bcher-kva.example:443"),
        ("api?.example.com", "undocumented-host", "connect:tcp api1.example.com:443"),
        ("api[12].example.com", "undocumented-host", "connect:tcp api1.example.com:443"),
        ("api-*.example.com", "undocumented-host", "connect:tcp api-x.example.com:443"),
        ("a.*.example.com", "undocumented-host", "connect:tcp a.b.example.com:443"),
        ("*", "undocumented-host", "connect:tcp a.example.com:443"),
        ("*.*", "undocumented-host", "connect:tcp a.b:443"),
        ("[2001:db8::1]:443", "undocumented-host", "connect:tcp [2001:db8::1]:443"),
        ("2001:db8::1", "undocumented-host", "connect:tcp [2001:db8::1]:443"),
        ("10.1.2.3/8", "cidr-host-bits", "connect:tcp 10.9.9.9:443"),
        ("host.docker.internal:80", "rewritten-host", "connect:tcp host.docker.internal:80"),
        ("**", "broad-allow", "connect:tcp 10.1.1.1:5432"),
        ("**:5432", "broad-allow", "connect:tcp 10.1.1.1:5432"),
        ("C:/data/**", "undocumented-path", "read C:\\data\\x"),
        ("~\\work", "undocumented-path", "read ~/work"),
        ("\\\\server\\share\\x", "undocumented-path", "read \\\\server\\share\\x"),
        ("/data/a?c", "undocumented-path", "read /data/abc"),
        ("/data/**.txt", "undocumented-path", "read /data/a.txt"),
        ("/data/{a,b}", "undocumented-path", "read /data/{a,b}"),
        ("~/**", "", "mount ro /var/home/bob/src"),
        ("~/**", "", "mount ro /export/home/bob/src"),
        ("~/**", "", "mount ro /net/server/home/bob/src"),
        ("~/**", "", "read \\\\server\\homes\\bob"),
        ("~/**", "", "mount ro D:\\Users\\bob\\src"),
    ] {
        let action = if request.starts_with("connect") { "connect:tcp" } else { "read" };
        let found = found(&format!("org: allow {action} {pattern}"));
        assert!(
            code.is_empty() || found.contains(&format!("{code} {pattern}")),
            "{pattern}: {found:?}"
        );
        let rule = Rule {
            name: "r".to_owned(),
            decision: Decision::Allow,
            actions: vec![Action::parse(action)],
            resources: Resources::Plain(vec![pattern.to_owned()].into()),
        };
        let policies = [Policy {
            name: "p".to_owned(),
            scope: Scope::Organization,
            body: Body::Allowlist(vec![rule]),
        }];
        let answer = State::new(&policies)
            .ask(&Default::default(), &Request::parse(request).expect(request));
        assert_eq!(answer.verdict, Verdict::Uncertain, "{pattern}: {request}: {answer:?}");
        // The pattern is shown as it is written.
        assert!(
            answer.because.iter().all(|reason| action != "connect:tcp"
                || reason.pattern.as_deref() == Some(pattern)
                || !pattern.ends_with("Example")),
            "{answer:?}"
        );
    }
}

#[test]
fn of_two_spellings_of_a_team_the_later_is_reported() {
    let text = "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: p\nscope: {teams: [red, Red]}\nrules: []\n";
    let findings = findings(text);
    let finding =
        findings.diagnostics.iter().find(|finding| finding.code == "ambiguous-team").unwrap();
    let label = finding.primary.as_ref().unwrap();
    assert_eq!(&findings.files.get(label.file).text[label.span.clone()], "Red");
}

#[test]
fn an_invalid_host_is_not_called_broad() {
    let line = "- {name: r, decision: allow, actions: [request:get], http_resources: [{host: 10.0.0.0/8, path: /a}]}";
    let text = format!("apiVersion: seawall/v1\nkind: NetworkPolicy\nname: p\nrules:\n{line}\n");
    let codes: Vec<&str> = findings(&text).diagnostics.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["invalid-host"]);
}

#[test]
fn files_given_one_by_one_show_what_holds_whatever_others_say() {
    let folder = workspace(&documents(
        "org: allow connect:tcp *.x.com **.github.io\norg: deny connect:tcp **.x.com\norg: deny connect:tcp old.y.com",
    ));
    let (code, stdout, _) = seawall(folder.path(), &["validate", "a.yaml"]);
    let codes: Vec<&str> = stdout
        .lines()
        .filter_map(|line| line.split(['[', ']']).nth(1).filter(|_| line.contains("]: ")))
        .collect();
    assert_eq!((code, codes), (Some(0), vec!["shadowed-allow", "broad-allow"]), "{stdout}");
}

#[test]
fn notes_are_counted_and_shown_on_request() {
    let folder = workspace(&documents(
        "org: allow connect:tcp *.x.com\norg: allow connect:tcp **.github.io",
    ));
    fs::write(
        folder.path().join("seawall.yaml"),
        SETTINGS.replace("acme}", "acme, endpoint: embedded}"),
    )
    .unwrap();
    let (code, _, stderr) = seawall(folder.path(), &["plan"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stderr.contains("warning[broad-allow]") && !stderr.contains("wildcard-without-apex"),
        "{stderr}"
    );
    let (_, stdout, stderr) = seawall(folder.path(), &["validate"]);
    assert!(!stdout.contains("note["), "{stdout}");
    assert!(stderr.contains("1 warning, 1 note: `-v` shows it\n"), "{stderr}");
    let (_, stdout, stderr) = seawall(folder.path(), &["validate", "-v"]);
    assert!(
        stdout.contains("note[wildcard-without-apex]") && stderr.ends_with("1 warning, 1 note\n"),
        "{stdout}{stderr}"
    );
}

#[test]
fn every_finding_is_suppressed_at_its_place_and_nowhere_else() {
    let line =
        "- {name: r, decision: allow, actions: [connect:tcp], resources: [\"**.github.io\"]}";
    let text = |silence: &str| {
        format!(
            "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: p\nrules:\n{silence}{line}\n- {}\n",
            &line[2..].replace(": r,", ": s,").replace("github", "gitlab")
        )
    };
    let codes = |text: &str| -> Vec<&'static str> {
        findings(text).diagnostics.iter().map(|one| one.code).collect()
    };
    assert_eq!(codes(&text("")), ["broad-allow", "broad-allow"]);
    assert_eq!(codes(&text("# seawall: allow[broad-allow] pages of ours\n")), ["broad-allow"]);
    assert_eq!(
        codes(&text("# seawall: allow[broad-allow]\n")),
        ["malformed-suppression", "broad-allow", "broad-allow"]
    );
    assert_eq!(
        codes(&text("# seawall: allow[ineffective-deny] why\n")),
        ["unused-suppression", "broad-allow", "broad-allow"]
    );
    // In a file with errors a finding may be missing, but not a code.
    let broken = |silence: &str| text(silence).replace("gitlab", "git lab");
    assert_eq!(
        codes(&broken("# seawall: allow[ineffective-deny] why\n")),
        ["broad-allow", "invalid-host"]
    );
    for (code, help) in [
        ("broad-alow", "there is no such code; did you mean `broad-allow`?"),
        ("invalid-host", "errors cannot be suppressed"),
    ] {
        let findings = findings(&broken(&format!("# seawall: allow[{code}] why\n")));
        let unused = findings
            .diagnostics
            .iter()
            .find(|finding| finding.code == "unused-suppression")
            .unwrap();
        assert!(unused.help.as_ref().unwrap().starts_with(help), "{unused:?}");
    }
}

fn rule() -> impl Strategy<Value = (Decision, Vec<Action>, Resources)> {
    let host = prop::sample::select(vec![
        "x.com",
        "a.x.com",
        "b.a.x.com",
        "*.x.com",
        "**.x.com",
        "**",
        "10.0.0.0/8",
        "10.1.0.0/16",
        "10.1.0.1",
    ]);
    let port = prop::option::weighted(0.3, Just(443_u16));
    let actions = |names: &[&str]| {
        prop::sample::subsequence(
            names.iter().map(|name| Action::parse(name)).collect::<Vec<_>>(),
            1..=names.len(),
        )
    };
    let network = (actions(&["connect:tcp", "connect:udp"]), host, port.clone()).prop_map(
        |(actions, host, port)| {
            let text = port
                .filter(|_| !host.contains('/'))
                .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
            (actions, Resources::Plain(vec![text].into()))
        },
    );
    let path = prop::sample::select(vec!["/", "/x", "/x/**", "/*", "/**", "/x/y"]);
    let named = prop::sample::select(vec!["x.com", "a.x.com", "*.x.com", "**.x.com", "**"]);
    let http = (actions(&["request:get", "request:put"]), named, port, path).prop_map(
        |(actions, host, port, path)| {
            (
                actions,
                Resources::Http(vec![HttpResource {
                    host: host.to_owned(),
                    port,
                    path: path.to_owned(),
                }]),
            )
        },
    );
    let folder =
        prop::sample::select(vec!["/d", "/d/**", "/d/*", "/d/x", "~/**", "~/x", "**", "/home/u/x"]);
    let folders = (actions(&["read", "write"]), folder)
        .prop_map(|(actions, path)| (actions, Resources::Plain(vec![path.to_owned()].into())));
    let decision = prop::sample::select(vec![Decision::Allow, Decision::Deny]);
    (decision, prop_oneof![3 => network, 2 => http, 2 => folders])
        .prop_map(|(decision, (actions, resources))| (decision, actions, resources))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 2, ..ProptestConfig::default() })]

    /// What is called without effect has none: taking all of it away together changes no access.
    #[test]
    fn rules_that_checks_call_useless_change_nothing(
        rules in prop::collection::vec((prop::sample::subsequence(vec!["red", "blue"], 0..=2), rule()), 1..8),
    ) {
        // A policy and a line for each rule, in a form that YAML and the model share.
        let mut text = String::new();
        let mut policies = Vec::new();
        for (number, (teams, (decision, actions, resources))) in rules.into_iter().enumerate() {
            let kind = if actions.iter().any(|action| matches!(action, Action::Read | Action::Write)) { "Filesystem" } else { "Network" };
            let shown: Vec<String> = actions.iter().map(ToString::to_string).collect();
            let (key, list) = match &resources {
                Resources::Plain(list) => ("resources", serde_json::json!(list)),
                Resources::Http(list) => ("http_resources", serde_json::json!(list)),
            };
            let document = serde_json::json!({
                "apiVersion": "seawall/v1", "kind": format!("{kind}Policy"), "name": format!("p{number}"), "scope": {"teams": teams},
                "rules": [{"name": "r", "decision": decision, "actions": shown, key: list}],
            });
            writeln!(text, "{}{document}", if number == 0 { "" } else { "---\n" }).unwrap();
            let rule = Rule { name: "r".to_owned(), decision, actions, resources };
            let scope = Scope::from_teams(teams.into_iter().map(str::to_owned));
            policies.push(Policy { name: format!("p{number}"), scope, body: Body::Allowlist(vec![rule]) });
        }
        let findings = findings(&text);
        prop_assert!(!findings.diagnostics.iter().any(|finding| finding.severity == Severity::Error), "{text}{findings:?}");
        let vain: Vec<usize> = findings
            .diagnostics
            .iter()
            .filter(|finding| ["shadowed-allow", "redundant-rule", "http-allow-without-effect", "ineffective-deny"].contains(&finding.code))
            .map(|finding| {
                let label = finding.primary.as_ref().unwrap();
                (findings.files.get(label.file).place(&label.span).line - 1) / 2
            })
            .collect();
        // A policy stays, so that its domain has one.
        let mut left = policies.clone();
        for at in &vain {
            left[*at].body = Body::Allowlist(vec![]);
        }
        let keep = |kind: &str| Policy { name: kind.to_owned(), scope: Scope::from_teams(["nobody".to_owned()]), body: Body::Allowlist(vec![Rule {
            name: "keep".to_owned(),
            decision: Decision::Deny,
            actions: vec![Action::parse(kind)],
            resources: Resources::Plain(vec!["/keep".to_owned()].into()),
        }]) };
        for kind in ["read", "connect:udp"] {
            policies.push(keep(kind));
            left.push(keep(kind));
        }
        // Whether a host with HTTP rules takes connections that are not HTTP is not documented, and
        // no request.
        let requests = findings.diagnostics.iter().any(|finding| finding.code == "http-allow-without-effect");
        let uninspected = |entry: &seawall::access::Entry| requests && entry.access.text().starts_with("connect:tcp");
        let comparison = compare(&policies, &left, &TeamDirectory::default());
        let seawall::access::Comparison::Complete(changes) = comparison else { panic!("{comparison:?}") };
        prop_assert!(
            changes.widened.is_empty() && changes.narrowed.is_empty() && changes.uncertain.iter().all(uninspected),
            "{text}\n{vain:?}\n{changes:#?}"
        );
    }
}

#[test]
fn every_kind_of_finding_explains_itself() {
    let folder = TempDir::new().unwrap();
    for code in check::codes() {
        let (exit, stdout, stderr) = seawall(folder.path(), &["validate", "--explain", code]);
        assert_eq!((exit, stderr.as_str()), (Some(0), ""), "{code}");
        let check = check::find(code).unwrap();
        // Whether lines are broken anew is not looked at.
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown = words(&stdout);
        for part in [check.code, check.explanation, check.bad, check.fix] {
            // Some findings are about documents that are not there.
            assert!(!part.trim().is_empty() || part == check.bad, "{code}\n{stdout}");
            assert!(shown.contains(&words(part)), "{code}: {part}\n{stdout}");
        }
    }
    let (exit, stdout, stderr) = seawall(folder.path(), &["validate", "--explain", "broad-alow"]);
    assert_eq!((exit, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("there is no kind of finding `broad-alow`"), "{stderr}");
    assert!(stderr.contains("did you mean `broad-allow`?"), "{stderr}");
}
