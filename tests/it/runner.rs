//! What GitHub's runner makes of what is printed: it reads both streams of a job line by line, in
//! any order, and takes some lines for commands.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Texts that are commands where they stand alone, and where they stand anywhere.
const HOSTILE: [&str; 4] = [
    "::error file=x::pwned",
    "##[add-mask]pwned",
    "#\u{200d}#[error]pwned",
    "\u{feff}::stop-commands::pwned",
];

/// The commands that the runner finds. Its comparison of texts passes over characters that show
/// nothing.
fn commands(text: &str) -> Vec<String> {
    let shown = |line: &str| -> String {
        line.chars().filter(|sign| !"\u{200b}\u{200d}\u{feff}\u{ad}".contains(*sign)).collect()
    };
    let is_command = |line: &&str| {
        let line = shown(line);
        let new = line.trim_start().strip_prefix("::").is_some_and(|rest| rest.contains("::"));
        new || line.split_once("##[").is_some_and(|(_, rest)| rest.contains(']'))
    };
    text.split(['\n', '\r']).filter(is_command).map(str::to_owned).collect()
}

/// A workspace whose names, comments, keys and paths are commands.
fn workspace() -> TempDir {
    let folder = TempDir::new().unwrap();
    let json = |text: &str| serde_json::Value::from(text).to_string();
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    write(
        "seawall.yaml",
        "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme, endpoint: embedded}\n"
            .to_owned(),
    );
    for (number, text) in HOSTILE.iter().enumerate() {
        let name = json(&format!("{text} {number}"));
        write(
            &format!("policy{number} ##[error]x.yaml"),
            format!(
                "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: {name}\ndescription: {name}\nrules:\n  - name: {name} # {text}\n    \
                 decision:   allow\n    actions: [connect:tcp]\n    resources: [\"*.example.com\"] # {text}\n"
            ),
        );
        write(
            &format!("test{number}.yaml"),
            format!(
                "apiVersion: seawall/v1\nkind: AccessTest\nname: {name}\nexpect: # {text}\n  - deny: connect:tcp a.example.com:443 # {text}\n"
            ),
        );
        write(
            &format!("agent{number}.yaml"),
            format!(
                "apiVersion: seawall/v1\nkind: AgentPolicy\nname: {name}\ncategory: [{name}] # {text}\n{name}: x\n"
            ),
        );
    }
    folder
}

/// Both streams of a run, as one text each.
fn run(
    folder: &Path,
    arguments: &[&str],
    input: &str,
    actions: bool,
) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
    command.args(arguments).current_dir(folder).env_remove("GITHUB_ACTIONS");
    if actions {
        command.env("GITHUB_ACTIONS", "true");
    }
    let mut run = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = run.stdin.take().unwrap().write_all(input.as_bytes());
    let output = run.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn nothing_that_is_printed_is_a_command_to_the_runner() {
    let folder = workspace();
    let vijil: Vec<_> = (0..HOSTILE.len())
        .map(|number| folder.path().join(format!("agent{number}.yaml")))
        .collect();
    let table: [&[&str]; 15] = [
        &["validate"],
        &["validate", "--color", "always"],
        &["validate", "--format", "json"],
        &["validate", "--format", "sarif"],
        &["test"],
        &["test", "--format", "json"],
        &["test", "--format", "junit"],
        &["plan", "-vvv"],
        &["plan", "--format", "json"],
        &["plan", "--format", "markdown"],
        &["fmt", "--check"],
        &["can", "connect:tcp", "a.example.com:443"],
        &["who-can", "connect:tcp", "a.example.com:443"],
        &["who-can", "connect:tcp", "a.example.com:443", "--format", "json"],
        &["drift", "--format", "json"],
    ];
    for wrong in [true, false] {
        if !wrong {
            vijil.iter().for_each(|file| fs::remove_file(file).unwrap());
        }
        for arguments in table {
            let (_, stdout, stderr) = run(folder.path(), arguments, "", true);
            assert_eq!(commands(&stdout), [""; 0], "{arguments:?} on standard output");
            assert_eq!(commands(&stderr), [""; 0], "{arguments:?} on standard error");
            assert!(
                wrong || (stdout + &stderr).contains("example.com"),
                "{arguments:?} says nothing"
            );
        }
    }
    // What is wrong with the command line, and JSON is the same value.
    for hostile in HOSTILE {
        for arguments in [
            &["-C", hostile, "plan"][..],
            &[hostile],
            &["plan", &format!("\n{hostile}")],
            &["can", hostile, hostile],
        ] {
            let (_, stdout, stderr) = run(folder.path(), arguments, "", true);
            assert_eq!(commands(&(stdout + "\n" + &stderr)), [""; 0], "{arguments:?}");
        }
    }
    // A result for a file that is a stream of the job.
    #[cfg(unix)]
    for file in ["/dev/stdout", "/dev/stderr", "/dev/fd/1", "/proc/self/fd/1"] {
        let (code, stdout, stderr) = run(folder.path(), &["plan", "--out", file], "", true);
        assert!(
            code == Some(4) && (stdout.clone() + &stderr).contains("\\u0023#[add-mask]pwned"),
            "{file}: {stderr}"
        );
        assert_eq!(commands(&(stdout + "\n" + &stderr)), [""; 0], "{file}");
    }
    let (_, plan, _) = run(folder.path(), &["plan", "--format", "json"], "", true);
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let names: Vec<&str> = plan["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|step| step["policy"].as_str())
        .collect();
    assert!(names.contains(&"##[add-mask]pwned 1"), "{names:?}");
}

#[test]
fn annotations_are_the_commands_that_are_meant() {
    let (code, stdout, stderr) =
        run(workspace().path(), &["validate", "--format", "github"], "", true);
    assert_eq!((code, commands(&stderr)), (Some(1), Vec::new()));
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(!lines.is_empty());
    for line in lines {
        assert!(
            ["::error ", "::warning ", "::notice "].iter().any(|command| line.starts_with(command)),
            "{line}"
        );
        assert!(line.contains("title=seawall ") && !line.contains("##["), "{line}");
    }
}

#[test]
fn a_document_is_printed_as_it_is_or_not_at_all() {
    let folder = TempDir::new().unwrap();
    let text = "apiVersion: seawall/v1\nkind: McpPolicy\nname: a # ##[error]x\ncedar: |\n  forbid (principal, action, resource);\n";
    let (code, stdout, _) = run(folder.path(), &["fmt", "-"], text, false);
    assert_eq!((code, stdout.as_str()), (Some(0), text));
    let (code, stdout, stderr) = run(folder.path(), &["fmt", "-"], text, true);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("what GitHub Actions takes for a command"), "{stderr}");
    assert_eq!(commands(&stderr), [""; 0]);
}
