//! Files of another commit, read by `git`.
//!
//! Invariant: no content of a proposal is executed or obeyed. `git` runs in the folder that holds
//! `.git`, never in a subfolder, where files of the proposal could look like a repository of their
//! own. No hook, filter or pathspec has an effect, and a ref is never read as an option. A
//! submodule's history, which a proposal may choose, is not a base. In nested repositories, the
//! outer one counts if it tracks the files. A name denotes one commit: a branch, a tag or a remote
//! branch. If these differ, it is ambiguous.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use super::{Exit, Failure};
use crate::diagnostic::sanitize::line;
use crate::report::{Blame, Commit};
use crate::source::disk::is_internal;

/// Variables that would direct `git` to another repository than the workspace's, as hooks set them.
const POINTERS: [&str; 8] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
];
/// Settings that override those of every file.
const SETTINGS: [&str; 3] =
    ["safe.bareRepository=explicit", "core.fsmonitor=false", "core.hooksPath=/dev/null"];

/// The entry at a path in a commit.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) kind: Kind,
    pub(crate) hash: String,
    pub(crate) bytes: u64,
}

/// The kinds of entries in a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Link,
    Submodule,
}

/// A repository, identified by the folder that holds its `.git`.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    top: PathBuf,
}

impl Repository {
    /// The repository around a folder, and the folder's path in it. The path is not resolved: a
    /// link of the proposal must not lead to another place of the base. A repository inside another
    /// one that tracks the same files is ignored: somebody put it there, and its history is not
    /// that of the files.
    ///
    /// # Errors
    ///
    /// Returns an error if `git` cannot be run, or the folder is in a submodule.
    pub(crate) fn around(folder: &Path) -> Result<Option<(Self, PathBuf)>, Failure> {
        let tops: Vec<&Path> =
            folder.ancestors().filter(|folder| folder.join(".git").exists()).collect();
        let Some((inner, outer)) = tops.split_first() else { return Ok(None) };
        let mut chosen = *inner;
        for top in outer.iter().rev() {
            if (Self { top: (*top).to_owned() }).holds_files_of(inner)? {
                chosen = top;
                break;
            }
        }
        let Ok(inside) = folder.strip_prefix(chosen) else { return Ok(None) };
        Ok(Some((Self { top: chosen.to_owned() }, inside.to_owned())))
    }

    /// Returns `true` if the repository tracks files in a folder with a `.git` of its own.
    fn holds_files_of(&self, inner: &Path) -> Result<bool, Failure> {
        let Ok(inside) = inner.strip_prefix(&self.top) else { return Ok(false) };
        let inside = inside.to_string_lossy().replace('\\', "/");
        let tracked = self.ask(&["ls-files", "--stage", "-z", "--", &inside])?;
        let mut entries = tracked.split('\0').filter_map(|entry| entry.split_once('\t'));
        let submodule =
            |(about, path): (&str, &str)| about.starts_with("160000 ") && path == inside;
        if entries.clone().any(submodule) {
            return Err(in_a_submodule());
        }
        Ok(entries.next().is_some())
    }

    /// The folder that holds `.git`.
    pub(crate) fn top(&self) -> &Path {
        &self.top
    }

    /// The commit that a name denotes: a branch, a tag, a remote branch, a full ref, a hash, or
    /// `HEAD`, each optionally followed by `~` and `^`; `None` if there is no such commit.
    ///
    /// # Errors
    ///
    /// Returns an error if `git` cannot be run, the repository is a submodule, or the name is
    /// ambiguous.
    pub(crate) fn commit(&self, name: &str) -> Result<Option<String>, Failure> {
        let around = self.ask(&["rev-parse", "--show-superproject-working-tree"])?;
        if !around.is_empty() {
            return Err(in_a_submodule());
        }
        let (name, ancestry) = name.split_at(name.find(['~', '^']).unwrap_or(name.len()));
        let odd = |character: char| character.is_whitespace() || "*?[\\:{".contains(character);
        if name.is_empty()
            || name.contains(odd)
            || !ancestry.chars().all(|one| one.is_ascii_digit() || "~^".contains(one))
        {
            return Ok(None);
        }
        match self.object(name)? {
            Some(object) => self.peeled(&format!("{object}{ancestry}")),
            None => Ok(None),
        }
    }

    /// The object that a name denotes, as a hash or in a form that `git` cannot misinterpret.
    fn object(&self, name: &str) -> Result<Option<String>, Failure> {
        let is_hash = name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hash && matches!(name.len(), 40 | 64) {
            return Ok(Some(name.to_owned()));
        }
        if matches!(name, "HEAD" | "FETCH_HEAD" | "ORIG_HEAD" | "MERGE_HEAD") {
            let file = self.ask(&["rev-parse", "--git-path", name])?;
            return Ok(self.top.join(file).is_file().then(|| name.to_owned()));
        }
        let own = |prefix: &str| format!("{prefix}{name}");
        let head = format!("refs/remotes/{name}/HEAD");
        let wanted = [
            own("refs/heads/"),
            own("refs/tags/"),
            own("refs/remotes/"),
            head,
            own("refs/"),
            name.to_owned(),
        ];
        let elsewhere = format!("refs/remotes/*/{name}");
        let mut arguments = vec!["for-each-ref", "--format=%(objectname) %(refname)", "--"];
        arguments.extend(wanted.iter().chain([&elsewhere]).map(String::as_str));
        let listed = self.ask(&arguments)?;
        let listed: Vec<(&str, &str)> =
            listed.lines().filter_map(|line| line.split_once(' ')).collect();
        let found =
            |reference: &str| listed.iter().find(|(_, listed)| *listed == reference).copied();
        if name.starts_with("refs/") {
            return Ok(found(name).map(|(object, _)| object.to_owned()));
        }
        let [branch, tag, remote, head, bare, _] = &wanted;
        let spelt_out = ["heads/", "tags/", "remotes/"].iter().any(|kind| name.starts_with(kind));
        let mut meant: Vec<(&str, &str)> =
            [branch, remote, head, tag].iter().filter_map(|one| found(one)).collect();
        meant.extend(found(bare).filter(|_| spelt_out));
        if let [(_, only)] = meant.as_slice()
            && *only == tag.as_str()
        {
            // A tag stands for the branch of that name if only the branch of a remote exists.
            let is_remote = |(_, listed): &&(&str, &str)| {
                listed.starts_with("refs/remotes/") && listed.ends_with(&own("/"))
            };
            meant.extend(listed.iter().find(is_remote));
        }
        let mut commits = Vec::new();
        for (object, reference) in meant {
            if let Some(commit) = self.peeled(object)? {
                commits.push((commit, reference));
            }
        }
        match (commits.as_slice(), found(bare)) {
            ([], Some((_, odd))) => {
                let failure = Failure::new(
                    Exit::Usage,
                    format!("`{name}` is neither a branch nor a tag, but `{odd}` is there"),
                );
                Err(failure.hint(format!("write `{odd}` if that is meant")))
            }
            ([], None) if is_hash && name.len() >= 7 => Ok(Some(name.to_owned())),
            ([], None) => Ok(None),
            ([(first, reference), rest @ ..], _) => {
                match rest.iter().find(|(commit, _)| commit != first) {
                    None => Ok(Some(first.clone())),
                    Some((_, other)) => {
                        let message = format!(
                            "`{name}` is ambiguous: `{reference}` and `{other}` are different commits"
                        );
                        Err(Failure::new(Exit::Usage, message)
                            .hint(format!("write `{reference}`, or the hash of a commit")))
                    }
                }
            }
        }
    }

    fn peeled(&self, object: &str) -> Result<Option<String>, Failure> {
        let output =
            self.run(&["rev-parse", "--verify", "--quiet", &format!("{object}^{{commit}}")])?;
        match output.status.code() {
            Some(0) => Ok(Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())),
            Some(1) => Ok(None),
            Some(_) | None => Err(failed(&output)),
        }
    }

    /// The default branch of `origin`; `None` if it is not known.
    pub(crate) fn default_branch(&self) -> Option<String> {
        let branch = self.ask(&["symbolic-ref", "--short", "refs/remotes/origin/HEAD"]).ok()?;
        branch.strip_prefix("origin/").map(str::to_owned)
    }

    /// The text of a file in a commit; `None` if the commit does not have it. `path` is relative to
    /// the top.
    ///
    /// # Errors
    ///
    /// Returns an error if the file is not a regular file, is not UTF-8, or `git` cannot be run.
    pub(crate) fn file(&self, commit: &str, path: &Path) -> Result<Option<String>, Failure> {
        let path = path.to_string_lossy().replace('\\', "/");
        let entry = self.ask(&["ls-tree", "-z", "--full-tree", commit, "--", &path])?;
        let Some(entry) = entry.split('\0').find(|entry| !entry.is_empty()) else {
            return Ok(None);
        };
        let mut words = entry.split(['\t', ' ']);
        match (words.next(), words.next(), words.next()) {
            (Some("100644" | "100755"), Some("blob"), Some(hash)) => {
                self.ask(&["cat-file", "blob", hash]).map(Some)
            }
            _ => Err(Failure::new(
                Exit::Usage,
                format!("`{path}` is not a regular file in the base"),
            )
            .hint("name a commit in which it is a regular file")),
        }
    }

    /// The entries of a folder in a commit and its subfolders, by paths in that folder. `folder` is
    /// relative to the top.
    ///
    /// # Errors
    ///
    /// Returns an error if `git` cannot be run.
    pub(crate) fn entries(&self, commit: &str, folder: &Path) -> Result<Vec<Entry>, Failure> {
        let folder = folder.to_string_lossy().replace('\\', "/");
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let mut arguments = vec!["ls-tree", "-r", "-l", "-z", "--full-tree", commit];
        if !prefix.is_empty() {
            arguments.extend(["--", prefix.as_str()]);
        }
        let listed = self.ask(&arguments)?;
        let entry = |entry: &str| {
            let (about, path) = entry.split_once('\t')?;
            let mut words = about.split_ascii_whitespace();
            let (mode, _, hash, bytes) =
                (words.next()?, words.next()?, words.next()?, words.next()?);
            let kind = match mode {
                "120000" => Kind::Link,
                "160000" => Kind::Submodule,
                _ => Kind::File,
            };
            let path = path.strip_prefix(&prefix)?.to_owned();
            Some(Entry {
                path,
                kind,
                hash: hash.to_owned(),
                bytes: bytes.parse().unwrap_or_default(),
            })
        };
        Ok(listed.split('\0').filter_map(entry).collect())
    }

    /// The contents of these blobs.
    ///
    /// # Errors
    ///
    /// Returns an error if `git` cannot be run.
    pub(crate) fn contents(&self, hashes: &[&str]) -> Result<Vec<Vec<u8>>, Failure> {
        let output = self.run_with(&["cat-file", "--batch"], Some(hashes.join("\n") + "\n"))?;
        if !output.status.success() {
            return Err(failed(&output));
        }
        let mut rest = output.stdout.as_slice();
        let mut contents = Vec::new();
        for _ in hashes {
            // The output is `HASH blob SIZE`, the content, and a line end.
            let content = rest.iter().position(|byte| *byte == b'\n').and_then(|end| {
                let size: usize =
                    std::str::from_utf8(rest.get(..end)?).ok()?.rsplit(' ').next()?.parse().ok()?;
                let content = rest.get(end + 1..end + 1 + size)?;
                rest = rest.get(end + 2 + size..)?;
                Some(content.to_vec())
            });
            contents.push(content.ok_or_else(|| {
                Failure::new(Exit::Failed, "`git` answered less than it was asked")
                    .hint("check the clone with `git fsck`")
            })?);
        }
        Ok(contents)
    }

    /// Returns `true` if the index holds a file of this folder.
    ///
    /// # Errors
    ///
    /// Returns an error if `git` cannot be run.
    pub(crate) fn tracks(&self, folder: &Path) -> Result<bool, Failure> {
        let absolute = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let (top, folder) = (absolute(&self.top), absolute(folder));
        let Ok(inside) = folder.strip_prefix(&top) else { return Ok(false) };
        let inside = if inside.as_os_str().is_empty() { Path::new(".") } else { inside };
        Ok(!self.ask(&["ls-files", "-z", "--", &inside.to_string_lossy()])?.is_empty())
    }

    /// A file that git tracks in the state folder of the workspace at this path of the repository,
    /// in any letter case of the folder's name. `None` without `git`, which then did not check out
    /// anything.
    ///
    /// # Errors
    ///
    /// Returns an error if `git` cannot be run.
    pub(crate) fn tracked_state(&self, inside: &Path) -> Result<Option<String>, Failure> {
        let folder = if inside.as_os_str().is_empty() { Path::new(".") } else { inside };
        let output = match self.run(&["ls-files", "-z", "--", &folder.to_string_lossy()]) {
            Err(_) if !is_installed() => return Ok(None),
            output => output?,
        };
        if !output.status.success() {
            return Err(failed(&output));
        }
        let listed = String::from_utf8_lossy(&output.stdout);
        let in_state = |path: &&str| {
            let path = Path::new(path).strip_prefix(inside).unwrap_or(Path::new(path));
            path.components().next().is_some_and(|first| is_internal(first.as_os_str()))
        };
        Ok(listed.split('\0').find(in_state).map(str::to_owned))
    }

    /// Returns `true` if a file in a folder differs from the last commit, or is not tracked.
    ///
    /// # Errors
    ///
    /// Returns an error if `git` cannot be run, or fails.
    pub(crate) fn is_changed(&self, inside: &Path) -> Result<bool, Failure> {
        let inside = if inside.as_os_str().is_empty() { Path::new(".") } else { inside };
        let status = [
            "status",
            "--porcelain",
            "-z",
            "--untracked-files=all",
            "--",
            &inside.to_string_lossy(),
        ];
        Ok(!self.ask(&status)?.is_empty())
    }

    /// Returns `true` if the history is complete, not a shallow clone.
    pub(crate) fn is_whole(&self) -> bool {
        self.ask(&["rev-parse", "--is-shallow-repository"]).is_ok_and(|answer| answer == "false")
    }

    /// The last change of each line of a file in the work tree; `None` for a file that is not
    /// tracked. In a shallow clone, lines of the oldest commit are [`Blame::Unknown`], since their
    /// real commit is missing.
    ///
    /// # Errors
    ///
    /// Returns an error if `git` cannot be run, or fails.
    pub(crate) fn blame(&self, path: &Path, whole: bool) -> Result<Option<Vec<Blame>>, Failure> {
        let path = path.to_string_lossy().replace('\\', "/");
        if self.ask(&["ls-files", "-z", "--", &path])?.is_empty() {
            return Ok(None);
        }
        let output = self.run(&["blame", "--porcelain", "--no-textconv", "--", &path])?;
        if !output.status.success() {
            return Err(failed(&output));
        }
        Ok(Some(blamed(&String::from_utf8_lossy(&output.stdout), whole)))
    }

    pub(crate) fn ask(&self, arguments: &[&str]) -> Result<String, Failure> {
        let output = self.run(arguments)?;
        if !output.status.success() {
            return Err(failed(&output));
        }
        String::from_utf8(output.stdout).map(|text| text.trim_end_matches('\n').to_owned()).map_err(
            |_| {
                Failure::new(Exit::Usage, "the base's file is not UTF-8")
                    .hint("save it as UTF-8 there first")
            },
        )
    }

    fn run(&self, arguments: &[&str]) -> Result<Output, Failure> {
        self.run_with(arguments, None)
    }

    fn run_with(&self, arguments: &[&str], input: Option<String>) -> Result<Output, Failure> {
        let mut command = Command::new("git");
        command.current_dir(&self.top).stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        });
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        for name in POINTERS {
            command.env_remove(name);
        }
        command
            .env("GIT_LITERAL_PATHSPECS", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_OPTIONAL_LOCKS", "0");
        command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
        let cannot_run = |error| {
            let failure = Failure::new(Exit::Failed, format!("`git` cannot be run: {error}"));
            failure.hint("install git, or name a folder that holds the base")
        };
        let mut child = command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(cannot_run)?;
        let writing = input.zip(child.stdin.take()).map(|(input, mut stdin)| {
            // Written in a thread of its own, since both sides block once a pipe is full.
            std::thread::spawn(move || stdin.write_all(input.as_bytes()))
        });
        let output = child.wait_with_output().map_err(cannot_run)?;
        if let Some(writing) = writing {
            // A failed write to `git` is reported by `git` itself.
            let _ = writing.join();
        }
        Ok(output)
    }
}

/// Parses the output of `git blame --porcelain`: for each line a header with the commit's hash, the
/// data of the commit at its first occurrence, and the line itself after a tab.
fn blamed(text: &str, whole: bool) -> Vec<Blame> {
    let mut commits: BTreeMap<&str, (i64, &str, bool)> = BTreeMap::new();
    let mut hashes: Vec<&str> = Vec::new();
    let mut current = "";
    for line in text.split('\n') {
        if line.starts_with('\t') {
            hashes.push(current);
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let known = commits.entry(current).or_default();
        match word {
            "author" => known.1 = rest,
            "committer-time" => known.0 = rest.parse().unwrap_or_default(),
            "boundary" => known.2 = true,
            hash if matches!(hash.len(), 40 | 64)
                && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
            {
                current = hash
            }
            _ => {}
        }
    }
    let commits: BTreeMap<&str, Blame> = commits
        .into_iter()
        .map(|(hash, (seconds, author, boundary))| {
            let blame = match () {
                () if hash.bytes().all(|byte| byte == b'0') => Blame::Uncommitted,
                () if boundary && !whole => Blame::Unknown,
                () => Blame::Commit(Arc::new(Commit {
                    seconds,
                    hash: hash.to_owned(),
                    author: author.to_owned(),
                })),
            };
            (hash, blame)
        })
        .collect();
    hashes.into_iter().map(|hash| commits.get(hash).cloned().unwrap_or(Blame::Unknown)).collect()
}

fn is_installed() -> bool {
    let asked = Command::new("git").arg("--version").output();
    !asked.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

fn in_a_submodule() -> Failure {
    let failure =
        Failure::new(Exit::Usage, "the workspace is in a submodule, whose history is not a base");
    failure.hint("name a folder that holds the base")
}

fn failed(output: &Output) -> Failure {
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or("no reason was given").trim_start_matches("fatal: ");
    Failure::new(Exit::Failed, format!("`git` cannot read the repository: {}", line(said)))
        .hint("run `git status` in it, and do what git says")
}
