//! The report agrees with the access engine.

use std::collections::BTreeMap;

use seawall::report::Report;
use seawall::report::audience::{Audience, Line};
use seawall::report::matrix::{CellAccess, Row};

use super::{network, report, workspace};
use crate::examples::repository;

fn audience<'a>(report: &'a Report, name: &str) -> &'a Audience {
    let audiences = &report.organizations[0].audiences;
    let found = audiences.iter().find(|audience| audience.name == name);
    found.unwrap_or_else(|| {
        panic!("no {name} among {:?}", audiences.iter().map(|one| &one.name).collect::<Vec<_>>())
    })
}

fn told(lines: &[Line]) -> Vec<String> {
    let line = |line: &Line| {
        let rules: Vec<String> = line
            .rules
            .iter()
            .map(|rule| format!("{} {}", rule.name, rule.text.as_deref().unwrap_or("live")))
            .collect();
        format!("{} {} <- {}", line.action, line.objects.join(" "), rules.join(" + "))
    };
    lines.iter().map(line).collect()
}

fn allowed(audience: &Audience) -> BTreeMap<&str, Vec<String>> {
    audience.groups.iter().map(|group| (group.name.as_str(), told(&group.lines))).collect()
}

fn cells(report: &Report) -> BTreeMap<&str, Vec<CellAccess>> {
    let matrix = &report.organizations[0].matrix;
    let row = |row: &'_ Row| row.cells.iter().map(|cell| cell.access).collect();
    matrix.rows.iter().chain(&matrix.same).map(|own| (own.name.as_str(), row(own))).collect()
}

#[test]
fn access_of_everyone_is_listed_once_and_teams_list_what_they_have_beyond_it() {
    let folder = workspace(
        &[
            network(
                "All",
                "",
                &["allow a.example.com:443", "allow b.example.com:443", "deny b.example.com:443"],
            ),
            network("Own", "research", &["allow cve.mitre.org:443", "allow a.example.com:443"]),
        ]
        .concat(),
    );
    let report = report(folder.path());
    let everyone = audience(&report, "Everyone");
    assert_eq!(
        allowed(everyone),
        BTreeMap::from([(
            "example.com",
            vec![
                "connect:tcp a.example.com:443 <- All › allow a.example.com:443 all.yaml:5"
                    .to_owned()
            ]
        )])
    );
    assert_eq!(
        told(&everyone.denied),
        ["connect:tcp b.example.com:443 <- All › deny b.example.com:443 all.yaml:13"],
        "a deny that bites is told with its rule"
    );
    let research = audience(&report, "research");
    assert_eq!(
        allowed(research),
        BTreeMap::from([(
            "mitre.org",
            vec![
                "connect:tcp cve.mitre.org:443 <- Own › allow cve.mitre.org:443 all.yaml:23"
                    .to_owned()
            ]
        )]),
        "what everyone may is not told again"
    );
    assert_eq!(research.inherits.len(), 1);
    assert!(research.denied.is_empty());
}

#[test]
fn the_deny_of_a_team_is_listed_where_it_removes_access() {
    let folder = workspace(
        &[
            network("All", "", &["allow git.example.com:443"]),
            network("Closed", "interns", &["deny git.example.com:443"]),
            network("Lab", "lab", &["allow lab.example.com:443"]),
            network("Closed lab", "guests", &["deny lab.example.com:443"]),
        ]
        .concat(),
    );
    let report = report(folder.path());
    assert_eq!(audience(&report, "interns").denied.len(), 1);
    assert!(
        audience(&report, "guests").denied.is_empty(),
        "nobody of the guests alone could reach it"
    );
    let pair = audience(&report, "guests and lab together");
    assert!(
        pair.pair && pair.denied.len() == 1,
        "of the two together, one denies what the other allows"
    );
    let cells = cells(&report);
    let at = |name: &str, row: &str| {
        let audiences = &report.organizations[0].audiences;
        cells[row][audiences.iter().position(|audience| audience.name == name).unwrap()]
    };
    assert_eq!(at("Everyone", "git.example.com"), CellAccess::Allowed);
    assert_eq!(at("interns", "git.example.com"), CellAccess::Denied);
    assert_eq!(at("lab", "lab.example.com"), CellAccess::Allowed);
    assert_eq!(at("guests", "lab.example.com"), CellAccess::Denied);
    assert_eq!(at("Everyone", "lab.example.com"), CellAccess::No);
    assert_eq!(at("guests and lab together", "lab.example.com"), CellAccess::Denied);
}

#[test]
fn teams_that_the_same_policies_govern_share_an_audience() {
    let folder = workspace(&network("Own", "red, blue", &["allow a.example.com:443"]));
    let report = report(folder.path());
    let names: Vec<&str> =
        report.organizations[0].audiences.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["Everyone", "blue and red"]);
    assert_eq!(audience(&report, "blue and red").allowed, 1);
}

#[test]
fn a_team_that_no_policy_names_is_an_audience_too() {
    let test = "apiVersion: seawall/v1\nkind: AccessTest\nname: t\nas: {teams: [sales, red]}\nexpect:\n  - deny: connect:tcp a.example.com:443\n---\n";
    let own = network("Own", "red", &["allow a.example.com:443"]);
    let folder = workspace(
        &[network("All", "", &["allow b.example.com:443"]), own, test.to_owned()].concat(),
    );
    let report = report(folder.path());
    let names: Vec<&str> =
        report.organizations[0].audiences.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["Everyone", "red", "sales"]);
    let sales = audience(&report, "sales");
    assert_eq!((sales.allowed, sales.inherits.len()), (0, 1));
    assert_eq!(
        sales.about,
        "Members of the team sales, which no policy names: they may what everyone may."
    );
    assert_eq!(
        cells(&report)["a.example.com"],
        [CellAccess::No, CellAccess::Allowed, CellAccess::No]
    );
    let teams =
        report.organizations[0].figures.iter().find(|figure| figure.label == "audiences").unwrap();
    assert_eq!(teams.note.as_deref(), Some("1 team with policies"));
}

#[test]
fn a_policy_shows_its_description_and_a_rule_all_of_its_hosts() {
    let hosts: Vec<String> = (0..40).map(|host| format!("h{host}.example.com:443")).collect();
    let text = network("All", "", &["allow x.example.com:443"])
        .replace("\"x.example.com:443\"", &hosts.join(", "));
    let folder = workspace(&text.replace("rules:", "description: Mirrors <of> packages.\nrules:"));
    let report = report(folder.path());
    let policy = &report.organizations[0].policies[0];
    assert_eq!(policy.description.as_deref(), Some("Mirrors <of> packages."));
    assert_eq!((policy.rules[0].resources.len(), policy.rules[0].hidden), (40, 0));
    assert!(seawall::render::html::page(&report).contains("Mirrors &lt;of&gt; packages."));
}

#[test]
fn uncertain_access_is_listed_separately_with_its_reason() {
    let folder = workspace(&network("All", "", &["allow **.example.com:443"]));
    let report = report(folder.path());
    let everyone = audience(&report, "Everyone");
    assert_eq!(everyone.uncertain.len(), 1, "{:?}", everyone.uncertain);
    assert_eq!(everyone.uncertain[0].objects, ["example.com:443"]);
    let why = everyone.uncertain[0].why.as_deref().unwrap();
    let doubts = &report.organizations[0].doubts;
    assert!(doubts.iter().any(|doubt| doubt.reason == why && doubt.count == 1), "{doubts:?}");
    assert!(
        doubts.iter().any(|doubt| doubt.reason.contains("folders")),
        "no policy is about folders: {doubts:?}"
    );
    assert_eq!(cells(&report)["example.com"], [CellAccess::Uncertain]);
}

#[test]
fn the_examples_read_as_their_documents() {
    let report = report(&repository("examples/policies"));
    let everyone = audience(&report, "Everyone");
    let groups: Vec<&str> = everyone.groups.iter().map(|group| group.name.as_str()).collect();
    for group in ["corp.example", "github.com", "/data", "~", "any server"] {
        assert!(groups.contains(&group), "{group} is not among {groups:?}");
    }
    assert_eq!(everyone.approvals.len(), 1, "opening a pull request needs a person");
    let cells = cells(&report);
    let find = |name: &str| {
        let found = cells.iter().find(|(row, _)| row.contains(name));
        found.unwrap_or_else(|| panic!("no {name} among {:?}", cells.keys())).1.clone()
    };
    let names: Vec<&str> =
        report.organizations[0].audiences.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["Everyone", "research", "platform"]);
    let [part, no, allowed, denied] =
        [CellAccess::Part, CellAccess::No, CellAccess::Allowed, CellAccess::Denied];
    assert_eq!(find("api.github.com"), [part; 3], "by path and method only");
    assert_eq!(find("cve.mitre.org"), [no, allowed, no]);
    assert_eq!(find("/data/shared"), [part; 3], "reading only");
    assert_eq!(find("~/src"), [allowed; 3]);
    assert_eq!(find("pastebin.com"), [denied; 3]);
    assert_eq!(find("~/.ssh"), [denied; 3]);
    let section = &report.organizations[0];
    assert!(section.tests.iter().all(|test| test.passes) && section.tests.len() == 6);
    let rows: Vec<_> = section.policies.iter().flat_map(|policy| &policy.rules).collect();
    let row = |name: &str| rows.iter().find(|row| row.name == name).unwrap();
    assert!(row("laboratory").untested && !row("vulnerability databases").untested);
    assert_eq!(row("statement 5").decision, "forbid");
}

#[test]
fn a_report_is_the_same_each_time() {
    let folder = repository("examples/policies");
    assert_eq!(report(&folder), report(&folder));
}
