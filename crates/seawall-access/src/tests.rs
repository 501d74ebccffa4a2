//! Decisions on single requests according to the documentation, in tables.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::compare::tests::policies;
use super::{Answer, Atom, Match, Point, Request, State, Universe, Verdict};

/// Asks for a member of exactly these teams.
fn ask_as(state: &str, teams: &[&str], request: &str) -> Answer {
    let teams: BTreeSet<String> = teams.iter().map(|team| (*team).to_owned()).collect();
    State::new(&policies(state)).ask(&teams, &Request::parse(request).expect(request))
}

fn ask(state: &str, request: &str) -> Answer {
    ask_as(state, &[], request)
}

const ALLOW: Verdict = Verdict::Allow;
const DENY: Verdict = Verdict::Deny;
const OPEN: Verdict = Verdict::Uncertain;

#[test]
fn rules_match_what_the_manuals_say() {
    for (rules, request, expected) in [
        // Hosts: a name on any port, without its subdomains.
        ("allow connect:tcp example.com", "connect:tcp example.com:8443", ALLOW),
        ("allow connect:tcp example.com", "connect:tcp api.example.com", DENY),
        ("allow connect:tcp example.com:443", "connect:tcp example.com:80", DENY),
        ("allow connect:tcp *.example.com", "connect:tcp api.example.com:22", ALLOW),
        ("allow connect:tcp *.example.com", "connect:tcp a.b.example.com", DENY),
        ("allow connect:tcp *.example.com", "connect:tcp example.com", DENY),
        ("allow connect:tcp **.example.com", "connect:tcp a.b.example.com", ALLOW),
        ("allow connect:tcp **.example.com", "connect:tcp example.com", OPEN),
        ("allow connect:tcp **.example.com", "connect:tcp badexample.com", DENY),
        ("allow connect:tcp **.example.com:443", "connect:tcp a.example.com:22", DENY),
        ("allow connect:tcp **", "connect:tcp anything.example", ALLOW),
        ("allow connect:tcp **", "connect:tcp 192.0.2.7:22", OPEN),
        ("allow connect:tcp **; deny connect:tcp 10.0.0.0/8", "connect:tcp 10.1.1.1:5432", OPEN),
        (
            "allow connect:tcp **; deny connect:tcp 10.0.0.0/8",
            "connect:tcp a.example at 10.1.1.1",
            ALLOW,
        ),
        // A name that may be decided as another one.
        (
            "allow connect:tcp localhost:80; deny connect:tcp host.docker.internal",
            "connect:tcp host.docker.internal:80",
            OPEN,
        ),
        ("allow connect:tcp host.docker.internal:80", "connect:tcp host.docker.internal:80", OPEN),
        (
            "allow connect:tcp localhost:80 host.docker.internal:80",
            "connect:tcp host.docker.internal:80",
            ALLOW,
        ),
        ("allow connect:tcp **", "connect:tcp host.docker.internal:80", ALLOW),
        ("allow connect:tcp **.docker.internal", "connect:tcp host.docker.internal:80", OPEN),
        ("allow connect:tcp **.docker.internal", "connect:tcp gateway.docker.internal:80", ALLOW),
        ("allow connect:tcp localhost:80", "connect:tcp localhost:80", ALLOW),
        ("allow connect:tcp Evil.example", "connect:tcp evil.example:80", OPEN),
        ("allow connect:tcp *", "connect:tcp anything.example", OPEN),
        ("allow connect:tcp,connect:udp example.com", "connect:udp example.com:53", ALLOW),
        ("allow connect:tcp example.com", "connect:udp example.com:53", DENY),
        // Hosts in another than their canonical spelling.
        ("allow connect:tcp Example.COM.", "connect:tcp example.com", OPEN),
        ("allow connect:tcp bücher.example", "connect:tcp xn--bcher-kva.example", OPEN),
        // Wildcards that only some sources describe.
        ("allow connect:tcp api?.example.com", "connect:tcp api1.example.com", OPEN),
        ("allow connect:tcp api?.example.com", "connect:tcp api12.example.com", DENY),
        ("allow connect:tcp api[12].example.com", "connect:tcp api2.example.com", OPEN),
        ("allow connect:tcp api[!1].example.com", "connect:tcp api1.example.com", DENY),
        ("allow connect:tcp bedrock.*.example.com", "connect:tcp bedrock.eu.example.com", OPEN),
        // Addresses and blocks.
        ("allow connect:tcp 10.0.0.0/8", "connect:tcp 10.2.3.4:22", ALLOW),
        ("allow connect:tcp 10.0.0.0/8", "connect:tcp 11.2.3.4:22", DENY),
        ("allow connect:tcp 10.0.0.0/8", "connect:tcp db.example.com", OPEN),
        ("allow connect:tcp 10.0.0.0/8", "connect:tcp db.example.com at 10.1.1.1", ALLOW),
        ("allow connect:tcp 2001:db8::/32", "connect:tcp [2001:db8::1]:22", ALLOW),
        ("allow connect:tcp 2001:db8::1/128", "connect:tcp 2001:db8::1", ALLOW),
        ("allow connect:tcp 2001:db8::1", "connect:tcp 2001:db8::1", OPEN),
        ("allow connect:tcp [2001:db8::1]:22", "connect:tcp [2001:db8::1]:22", OPEN),
        ("allow connect:tcp 10.1.2.3", "connect:tcp 10.1.2.3:22", ALLOW),
        ("allow connect:tcp 10.1.2.3", "connect:tcp db.example.com at 10.1.2.3", DENY),
        ("allow connect:tcp 10.1.2.3/8", "connect:tcp 10.9.9.9", OPEN),
        ("allow connect:tcp 10.0.0.0/8:443", "connect:tcp 10.9.9.9", OPEN),
        // A name that decides makes the address irrelevant.
        (
            "allow connect:tcp db.corp.example; deny connect:tcp 10.0.0.0/8",
            "connect:tcp db.corp.example at 10.1.1.1",
            ALLOW,
        ),
        (
            "deny connect:tcp **.corp.example; allow connect:tcp 10.0.0.0/8",
            "connect:tcp db.corp.example at 10.1.1.1",
            DENY,
        ),
        // A deny beats every allow; for each way to settle the apex, it is denied.
        (
            "allow connect:tcp **.x.example; deny connect:tcp **.x.example",
            "connect:tcp x.example",
            DENY,
        ),
        (
            "deny connect:tcp **.x.example; allow connect:tcp x.example",
            "connect:tcp x.example",
            OPEN,
        ),
        // A text without a valid syntax could mean anything.
        ("allow connect:tcp x.example:80-443", "connect:tcp x.example:443", OPEN),
        ("allow connect:tcp x.example:80-443", "connect:tcp y.example:443", DENY),
        ("allow connect:quic x.example", "connect:tcp x.example:443", OPEN),
        // Requests.
        (
            "allow request:get h.example/repos/docker/**",
            "GET https://h.example/repos/docker",
            ALLOW,
        ),
        (
            "allow request:get h.example/repos/docker/**",
            "GET https://h.example/repos/docker/cli/pulls",
            ALLOW,
        ),
        (
            "allow request:get h.example/repos/docker/**",
            "POST https://h.example/repos/docker/cli",
            DENY,
        ),
        ("allow request:get h.example/repos", "GET https://h.example/repos/x", DENY),
        ("allow request:get h.example/a/*", "GET https://h.example/a/b", ALLOW),
        ("allow request:get h.example/a/*", "GET https://h.example/a/b/c", DENY),
        ("allow request:get h.example/*", "GET https://h.example/", OPEN),
        ("allow request:get h.example/v*/x", "GET https://h.example/v1/x", OPEN),
        ("allow request:get h.example/a", "GET https://h.example/a?q=1", ALLOW),
        ("allow request:get h.example/Repos", "GET https://h.example/repos", OPEN),
        ("allow request:get h.example:443/a", "GET http://h.example/a", DENY),
        ("allow request:get h.example:443/a", "GET http://h.example:443/a", ALLOW),
        ("allow request:get 192.0.2.7/a", "GET https://192.0.2.7/a", OPEN),
        // A path that is not canonical: an allow may not match it, a deny must.
        ("allow request:get h.example/a/**", "GET https://h.example/a//b", OPEN),
        (
            "allow connect:tcp h.example; deny request:get h.example/a/**",
            "GET https://h.example/x/../a/b",
            DENY,
        ),
        // Connections and requests together.
        ("allow connect:tcp h.example", "DELETE https://h.example/any", ALLOW),
        (
            "allow connect:tcp h.example; deny request:delete h.example/**",
            "DELETE https://h.example/any",
            DENY,
        ),
        (
            "allow connect:tcp h.example; deny request:delete h.example/**",
            "GET https://h.example/any",
            ALLOW,
        ),
        (
            "deny connect:tcp h.example; allow request:get h.example/**",
            "GET https://h.example/any",
            DENY,
        ),
        ("allow request:get h.example/**", "connect:tcp h.example:443", DENY),
        (
            "allow connect:tcp h.example; allow request:get h.example/**",
            "POST https://h.example/any",
            ALLOW,
        ),
        (
            "allow connect:tcp h.example; allow request:get h.example/**",
            "connect:tcp h.example:443",
            OPEN,
        ),
        ("deny request:get h.example/**", "GET https://h.example/any", DENY),
        (
            "allow request:get h.example/**; deny connect:tcp 10.0.0.0/8",
            "GET https://h.example/a at 10.1.1.1",
            DENY,
        ),
        // Folders.
        ("allow read /data", "read /data/x", DENY),
        ("allow read /data/*", "read /data/x", ALLOW),
        ("allow read /data/*", "read /data/x/y", DENY),
        ("allow read /data/**", "read /data/x/y", ALLOW),
        ("allow read /data/**", "read /data", OPEN),
        ("allow read **", "read C:\\anything", ALLOW),
        ("allow read ~/**", "read ~/p", ALLOW),
        // It is unknown whose home folder that is.
        ("allow read ~/**", "read C:\\Users\\u\\p", OPEN),
        ("allow read ~/**", "read /home/u/p", OPEN),
        ("allow read /home/**", "read ~/p", OPEN),
        ("allow read ~/.ssh", "read /net/server/export/home/u/.ssh", OPEN),
        ("allow read ~/.ssh", "read /Network/Servers/s/Users/u/.ssh", OPEN),
        ("allow read **; deny read ~/.ssh/**", "read /mnt/nfs/home/u/.ssh/id", OPEN),
        ("allow read **; deny read ~/.ssh/**", "read /net/home/u/.ssh/id", OPEN),
        ("allow read **; deny read ~/.ssh/**", "read /home2/u/.ssh/id", OPEN),
        ("allow read /net/home/**", "read ~/p", OPEN),
        ("allow read **; deny read ~/.ssh/**", "read /home/corp/u/.ssh/id", OPEN),
        ("allow read **; deny read ~/.ssh/**", "read /var/home/corp/u/.ssh/id", OPEN),
        ("allow read **; deny read ~/.ssh/**", "read /home/local/corp/u/.ssh/id", OPEN),
        ("allow read ~/**", "mount ro /home/local/CORP/u/src", OPEN),
        ("allow read ~/src", "mount ro /home/local/CORP/u/src", OPEN),
        ("allow read /home/local/**; deny read /home/corp/**", "read ~/p", OPEN),
        ("allow read **; deny read ~/.ssh/**", "read /mnt/c/Users/u/.ssh/id", OPEN),
        (
            "allow read **; deny read ~/.ssh/**",
            "read \\\\wsl.localhost\\Ubuntu\\home\\u\\.ssh\\id",
            OPEN,
        ),
        ("allow read **; deny read ~/.ssh/**", "read \\\\files\\home\\u\\.ssh\\id", OPEN),
        // It is in one place.
        ("allow read /Users/**; deny read /home/**", "read ~/p", OPEN),
        ("allow read /Users/**; deny read /Users/**", "read ~/p", DENY),
        ("allow read ~/p; deny read ~/*/p", "read /home/corp/u/p", OPEN),
        ("allow read ~/p; deny read ~/u/p", "read /home/corp/u/p", DENY),
        ("allow read ~/**; deny read ~/p", "read /home/u/p", DENY),
        ("allow read /data/**", "read ~/p", DENY),
        ("allow read $HOME/**", "read ~/p", DENY),
        ("allow read %USERPROFILE%\\**", "read ~/p", DENY),
        ("allow read /data/**", "read C:\\data\\x", DENY),
        ("allow read *:\\data\\**", "read D:\\data\\x", ALLOW),
        ("allow read c:\\data\\**", "read C:\\data\\x", ALLOW),
        (
            "allow read \\\\wsl.localhost\\ubuntu\\data\\**",
            "read \\\\wsl.localhost\\ubuntu\\data\\x",
            ALLOW,
        ),
        (
            "allow read \\\\wsl.localhost\\ubuntu\\data\\**",
            "read \\\\wsl.localhost\\debian\\data\\x",
            DENY,
        ),
        ("allow read /Data", "read /data", OPEN),
        ("allow read /data/x*", "read /data/xy", OPEN),
        ("allow read /data", "mount rw /data", DENY),
        ("allow read /data", "mount ro /data", ALLOW),
        ("allow read,write /data", "mount rw /data", ALLOW),
        ("allow write /data", "write /data", ALLOW),
        // A domain without a policy.
        ("allow read /data", "connect:tcp x.example", OPEN),
        ("allow connect:tcp x.example", "read /data", OPEN),
    ] {
        let answer = ask(&format!("org: {rules}"), request);
        assert_eq!(answer.verdict, expected, "{rules}: {request}: {answer:?}");
    }
}

#[test]
fn the_address_of_a_name_matters_where_it_may_have_such_an_address() {
    let metadata = "deny connect:tcp 169.254.0.0/16 fd00:ec2::/32";
    for (rules, request, expected, because, note) in [
        // A guardrail on metadata addresses: a remark that the answer does not depend on.
        (
            "allow request:get api.github.com/repos/**",
            "GET https://api.github.com/repos/x",
            ALLOW,
            "allow",
            true,
        ),
        (
            "allow request:get h.corp.example/**",
            "GET https://h.corp.example/x",
            ALLOW,
            "allow",
            true,
        ),
        (
            "allow request:get api.github.com/repos/**",
            "GET https://api.github.com/x",
            DENY,
            "",
            false,
        ),
        (
            "allow request:get api.github.com/**",
            "GET https://api.github.com/x at 169.254.169.254",
            DENY,
            "deny",
            false,
        ),
        (
            "allow request:get api.github.com/**",
            "GET https://api.github.com/x at 192.0.2.1",
            ALLOW,
            "allow",
            false,
        ),
        (
            "allow request:get api.github.com/**",
            "GET https://169.254.169.254/x",
            DENY,
            "deny",
            false,
        ),
        // Names that may have such an address.
        (
            "allow request:get metadata.google.internal/**",
            "GET http://metadata.google.internal/x",
            OPEN,
            "",
            false,
        ),
        (
            "allow request:get localhost/**; deny connect:tcp 127.0.0.0/8",
            "GET http://localhost/x",
            OPEN,
            "",
            false,
        ),
        // Nothing allows it, so that the guardrail is not the reason.
        ("allow connect:tcp a.example.com", "connect:tcp b.example.com", DENY, "", false),
        ("allow connect:tcp a.example.com", "connect:tcp 169.254.169.254:80", DENY, "deny", false),
        // Private addresses: a name of the public DNS has none, one of the organization may.
        (
            "allow request:get h.example.com/**; deny connect:tcp 10.0.0.0/8",
            "GET https://h.example.com/x",
            ALLOW,
            "",
            true,
        ),
        (
            "allow request:get h.corp.example/**; deny connect:tcp 10.0.0.0/8",
            "GET https://h.corp.example/x",
            OPEN,
            "",
            false,
        ),
        // Ordinary addresses.
        (
            "allow request:get h.example.com/**; deny connect:tcp 0.0.0.0/0",
            "GET https://h.example.com/x",
            OPEN,
            "",
            false,
        ),
        (
            "allow request:get h.example.com/**; deny connect:tcp 203.0.113.0/24",
            "GET https://h.example.com/x",
            OPEN,
            "",
            false,
        ),
        // A request that some address allows is never denied.
        ("allow connect:tcp 10.0.0.0/8", "connect:tcp db.example.com", OPEN, "", false),
        ("allow connect:tcp 127.0.0.0/8", "connect:tcp db.example.com", OPEN, "", false),
        // A name that decides makes the address irrelevant.
        (
            "deny connect:tcp h.example.com; allow connect:tcp 10.0.0.0/8",
            "connect:tcp h.example.com",
            DENY,
            "deny",
            false,
        ),
        // Rules on other protocols do not affect it.
        (
            "allow request:get h.example.com/**; deny connect:udp 0.0.0.0/0 ::/0",
            "GET https://h.example.com/x",
            ALLOW,
            "",
            true,
        ),
    ] {
        let answer = ask(&format!("org: {metadata}; {rules}"), request);
        assert_eq!(answer.verdict, expected, "{rules}: {request}: {answer:?}");
        let decisions = answer.because.iter().filter_map(|reason| reason.decision);
        let all = match because {
            "allow" => Some(crate::model::Decision::Allow),
            "deny" => Some(crate::model::Decision::Deny),
            _ => None,
        };
        if let Some(all) = all {
            assert!(
                answer.because.len() == 1 && decisions.clone().all(|own| own == all),
                "{request}: {answer:?}"
            );
        }
        if expected == DENY && because.is_empty() {
            assert_eq!(
                (answer.because.as_slice(), answer.reason.as_str()),
                (&[][..], "no rule allows it"),
                "{request}"
            );
        }
        let noted = answer
            .remarks
            .iter()
            .any(|remark| remark.starts_with("not where the name resolves to"));
        assert_eq!(noted, note, "{rules}: {request}: {answer:?}");
    }
    let remarks =
        ask(&format!("org: {metadata}; allow request:get h.example/**"), "GET https://h.example/")
            .remarks;
    let note = "not where the name resolves to an address in 169.254.0.0/16, fd00:ec2::/32; ask with ` at ADDRESS` for that";
    assert!(remarks.iter().any(|remark| remark == note), "{remarks:?}");
}

/// Rules of every form.
pub(super) const RULES: [&str; 38] = [
    "allow connect:tcp a.example.com",
    "deny connect:tcp *.example.com:443",
    "allow connect:tcp,connect:udp **.example.com",
    "deny connect:udp **",
    "allow connect:tcp *",
    "allow connect:tcp api-*.example.com",
    "deny connect:tcp api?.example.com:22",
    "allow connect:tcp x.*.example.com",
    "allow connect:tcp x.example.com:80-443",
    "allow connect:tcp 10.0.0.0/8",
    "deny connect:tcp,connect:udp 10.1.0.0/16",
    "deny connect:tcp 10.1.0.1",
    "allow connect:tcp 10.1.0.1:443",
    "allow connect:tcp 2001:db8::/32",
    "deny connect:tcp 0.0.0.0/0",
    "allow request:get a.example.com/x/**",
    "allow request:get,request:put *.example.com:443/x/*",
    "deny request:put a.example.com/x/y",
    "deny request:get **/*",
    "allow request:delete a.example.com/v*/x",
    "allow read /data/**",
    "deny read,write /data/*/x",
    "allow write /data",
    "allow read ~/**",
    "deny read C:\\data\\**",
    "allow read **",
    // In several letter cases, with wildcards that depend on case, on every system, in home folders
    // and beside them.
    "deny read /Data/x",
    "allow read,write /dATA/**",
    "allow read /data/X*",
    "deny request:get a.example.com/X/Y",
    "allow request:put a.example.com/x/[Y-Z]",
    "allow read *:\\Data\\**",
    "deny write D:\\data\\x",
    "allow read,write \\\\wsl.localhost\\Ubuntu\\home\\**",
    "deny read /home/Bob/x/**",
    "allow read /home/*/x",
    "deny write ~/x",
    "allow read $HOME/**",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every request has the same matches as a point of the universe.
    #[test]
    fn a_universe_is_complete(
        rules in prop::sample::subsequence(RULES.to_vec(), 1..9),
        hosts in prop::collection::vec("(a|x|api|api1|api-b|c)(\\.(a|x|api-b)){0,1}\\.example\\.(com|org)|example\\.com|com|z", 6),
        paths in prop::collection::vec("(/(x|y|v1|z|X|Y|V1|xy|Xy)){0,3}", 8),
        folders in prop::collection::vec(
            "(/data|/Data|/DATA|~|C:\\\\data|d:\\\\DATA|/srv|/|C:|C:\\\\Users\\\\u|E:\\\\users\\\\Bob|/root|/Root|\
             /home/u|/HOME/u|/home/Bob|/home/bob|/Users/u|\\\\\\\\wsl\\.localhost\\\\(Ubuntu|ubuntu|debian)(\\\\Home)?)",
            8,
        ),
    ) {
        let policies = policies(&format!("org: {}", rules.join("; ")));
        let universe = Universe::build(policies[0].rules().iter().zip(0..)).unwrap();
        let kind = |point: &Point| match point.atom() {
            Atom::Http(_) => Atom::Http("get"),
            atom @ (Atom::Tcp | Atom::Udp | Atom::Read | Atom::Write) => atom,
        };
        let known: BTreeSet<(Atom, Vec<Match>)> =
            universe.points().keys().map(|point| (kind(point), point.matches().to_vec())).collect();
        let state = State::new(&policies);
        let addresses = ["203.0.113.9", "10.9.9.9", "10.1.0.1", "10.1.7.7", "2001:db8::7", "2001:db9::1"];
        let mut requests = Vec::new();
        for host in hosts.iter().map(String::as_str).chain(addresses) {
            for (port, address) in [22, 443, 80, 9].into_iter().zip(addresses.iter().cycle().skip(host.len())) {
                let literal = addresses.contains(&host);
                let at = if literal { String::new() } else { format!(" at {address}") };
                let name = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
                requests.push(format!("connect:tcp {name}:{port}{at}"));
                requests.push(format!("connect:udp {name}:{port}{at}"));
                for (path, method) in paths.iter().zip(["GET", "PUT", "DELETE", "PATCH"]) {
                    requests.push(format!("{method} https://{name}:{port}{path}{at}"));
                }
            }
        }
        for (folder, path) in folders.iter().zip(&paths) {
            let separator = if folder.contains(['\\', ':']) { "\\" } else { "/" };
            requests.push(format!("mount rw {folder}{}", path.replace('/', separator)));
        }
        for request in requests {
            let question = state.question(&Request::parse(&request).expect(&request));
            for point in question.points() {
                // A host without HTTP rules treats requests like connections.
                let as_connection = || known.contains(&(Atom::Tcp, point.matches().to_vec()));
                let is_known = known.contains(&(kind(point), point.matches().to_vec()));
                let nothing = point.matches().is_empty();
                prop_assert!(nothing || is_known || matches!(point.atom(), Atom::Http(_)) && as_connection(), "{request}: {point:?}");
            }
        }
        // A class is defined by its matches, and no two classes have the same.
        let index = super::universe::Index::new(&universe.clauses);
        let mut seen = BTreeSet::new();
        for class in &universe.folders {
            prop_assert_eq!(&index.hits_of_folder(&class.labels), &class.hits, "{:?}", &class.labels);
            prop_assert!(seen.insert(&class.hits), "{:?}", &class.labels);
        }
    }
}

#[test]
fn scopes_say_whom_rules_are_in_force_for() {
    let state = "org: deny connect:tcp bad.example\nred: allow connect:tcp **\nblue,green: deny connect:tcp x.example";
    for (teams, request, expected) in [
        (&[][..], "connect:tcp x.example", DENY), // nothing allows it
        (&["red"], "connect:tcp x.example", ALLOW), // a team's allow
        (&["red", "green"], "connect:tcp x.example", DENY), // another team's deny beats it
        (&["red"], "connect:tcp bad.example", DENY), // and so does the organization's
        (&["elsewhere"], "connect:tcp x.example", DENY), // a team that no policy is for
    ] {
        assert_eq!(ask_as(state, teams, request).verdict, expected, "{teams:?} {request}");
    }
}

#[test]
fn answers_name_the_rules_that_decide() {
    let state = "org: allow connect:tcp **.x.example; deny connect:tcp bad.x.example; deny connect:tcp 10.0.0.0/8";
    for (request, reason, because) in [
        (
            "connect:tcp a.x.example",
            "a rule allows it, and none denies it",
            &["allow **.x.example"][..],
        ),
        ("connect:tcp bad.x.example", "a rule denies it", &["deny bad.x.example"]),
        ("connect:tcp 10.1.1.1", "a rule denies it", &["deny 10.0.0.0/8"]),
        ("connect:tcp y.example at 192.0.2.1", "no rule allows it", &[]),
        (
            "connect:tcp x.example at 192.0.2.1",
            "it is not documented whether `**.example.com` matches `example.com` itself",
            &["allow **.x.example"],
        ),
    ] {
        let answer = ask(state, request);
        let shown: Vec<String> = answer
            .because
            .iter()
            .map(|reason| {
                let decision = if reason.decision == Some(crate::model::Decision::Allow) {
                    "allow"
                } else {
                    "deny"
                };
                format!("{decision} {}", reason.pattern.clone().unwrap())
            })
            .collect();
        assert_eq!(
            (answer.reason.as_str(), shown),
            (reason, because.iter().map(|text| (*text).to_owned()).collect()),
            "{request}"
        );
    }
    let by_address = ask("org: allow connect:tcp 10.0.0.0/8", "connect:tcp y.example").reason;
    assert_eq!(
        by_address,
        "it hangs on the address that the name resolves to: allowed at 10.0.0.0/8, \
         denied at any other address; ask with ` at ADDRESS`"
    );
    let read_only = ask("org: allow read /data", "mount rw /data").reason;
    assert_eq!(read_only, "reading is allowed, but no rule allows writing");
}

#[test]
fn the_nearest_miss_says_what_one_change_would_do() {
    for (state, request, expected) in [
        (
            "org: allow connect:tcp *.docker.com",
            "connect:tcp a.b.docker.com",
            "has `*.docker.com`, which does not match `a.b.docker.com`; `**.docker.com` would",
        ),
        (
            "org: allow connect:tcp *.x.example",
            "connect:tcp x.example",
            "has `*.x.example`, which does not match `x.example`; `x.example` would",
        ),
        (
            "org: allow connect:tcp x.example",
            "connect:tcp a.x.example",
            "has `x.example`, which does not match `a.x.example`; `*.x.example` would",
        ),
        (
            "org: allow connect:tcp x.example:443",
            "connect:tcp x.example:22",
            "allows port 443 only, not 22",
        ),
        ("org: allow connect:tcp x.example", "connect:udp x.example", "allows only connect:tcp"),
        (
            "org: allow request:get x.example/a/**",
            "connect:tcp x.example",
            "allows only some HTTP requests to it",
        ),
        ("org: allow request:get x.example/a/**", "POST https://x.example/a/b", "allows only GET"),
        (
            "org: allow request:get x.example/a/*",
            "GET https://x.example/a/b/c",
            "has `x.example/a/*`, which does not match `/a/b/c`; `x.example/a/**` would",
        ),
        (
            "org: allow read /data",
            "read /data/x",
            "has `/data`, which does not match `/data/x`; `/data/*` would",
        ),
        ("org: allow read /data", "mount rw /data", "allows only read"),
        (
            "red,blue: allow connect:tcp x.example\norg: deny connect:tcp y.example",
            "connect:tcp x.example",
            "allows it for members of `blue`, `red`",
        ),
    ] {
        let rule = policies(state)[0].rules()[0].name.clone();
        assert_eq!(
            ask(state, request).nearest,
            [format!("`p0 › {rule}` {expected}")],
            "{state}: {request}"
        );
    }
    // Two changes away is not a suggestion.
    assert_eq!(
        ask("org: allow connect:tcp *.x.example:22", "connect:udp a.b.x.example").nearest,
        [""; 0]
    );
}
