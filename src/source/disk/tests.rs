#![expect(clippy::disallowed_methods, reason = "a test makes the files that it looks at")]
#![cfg(unix)]

use std::fs::{self, OpenOptions};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;

use tempfile::TempDir;

use super::open::{content, opened, size_on_disk};
use super::{
    FileError, Root, Written, bytes_opened, check_named_folder, open_named, open_state, read_named,
    read_own, write_named,
};

/// A checkout of an untrusted commit: a workspace in a repository, beside secrets of the checkout
/// itself.
struct Checkout {
    folder: TempDir,
}

impl Checkout {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let make = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        make("outside/secret", "hunter2");
        make("repository/.git/config", "hunter2");
        make("repository/beside.yaml", "hunter2");
        make("repository/w/seawall.yaml", "settings");
        make("repository/w/a.yaml", "a");
        make("repository/w/sub/b.yaml", "b");
        make("repository/w/.seawall/emulator.redb", "hunter2");
        make("repository/w/nested/.git/config", "hunter2");
        make("repository/w/large.yaml", &"x".repeat(101));
        Self { folder }
    }

    fn workspace(&self) -> PathBuf {
        self.folder.path().join("repository/w")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.workspace().join(path)
    }

    fn link(&self, path: &str, target: impl AsRef<Path>) {
        symlink(target, self.at(path)).unwrap();
    }
}

/// The kind of an error, as one word.
fn word(error: &FileError) -> &'static str {
    match error {
        FileError::Outside => "outside",
        FileError::Internal(_) => "internal",
        FileError::Link(_) => "link",
        FileError::NotRegular => "not regular",
        FileError::NotFolder => "not a folder",
        FileError::TooLarge(_) => "too large",
        FileError::Replaced => "replaced",
        FileError::ReadOnly => "read-only",
        FileError::NotText => "not text",
        FileError::System(_) if error.is_missing() => "missing",
        FileError::System(_) => "system",
    }
}

#[test]
fn what_a_repository_names_is_a_regular_file_of_the_workspace() {
    let checkout = Checkout::new();
    checkout.link("inside.yaml", "sub/b.yaml");
    checkout.link("chain.yaml", "inside.yaml");
    checkout.link("linked", "sub");
    checkout.link("out.yaml", "../beside.yaml");
    checkout.link("absolute.yaml", checkout.folder.path().join("outside/secret"));
    checkout.link("token.yaml", "../.git/config");
    checkout.link("own-token.yaml", "nested/.git/config");
    checkout.link("state.yaml", ".seawall/emulator.redb");
    checkout.link("up", "..");
    checkout.link("device.yaml", "/dev/zero");
    checkout.link("input.yaml", "/dev/stdin");
    checkout.link("gone.yaml", "nowhere");
    checkout.link("loop.yaml", "loop.yaml");
    rustix::fs::mkfifoat(rustix::fs::CWD, checkout.at("pipe.yaml"), rustix::fs::Mode::RUSR)
        .unwrap();
    checkout.link("piped.yaml", "pipe.yaml");
    let _socket = UnixListener::bind(checkout.at("socket.yaml")).unwrap();
    let table = [
        ("a.yaml", Ok("a")),
        ("sub/../a.yaml", Ok("a")),
        ("inside.yaml", Ok("b")), // a link that stays inside
        ("chain.yaml", Ok("b")),
        ("linked/b.yaml", Ok("b")),
        ("out.yaml", Err("outside")),
        ("absolute.yaml", Err("outside")),
        ("../beside.yaml", Err("outside")),
        ("up/beside.yaml", Err("outside")),
        ("up/w/a.yaml", Ok("a")),
        ("token.yaml", Err("outside")),
        ("../.git/config", Err("outside")),
        ("own-token.yaml", Err("internal")),
        ("nested/.git/config", Err("internal")),
        ("state.yaml", Err("internal")),
        (".seawall/emulator.redb", Err("internal")),
        ("device.yaml", Err("outside")),
        ("input.yaml", Err("outside")),
        ("gone.yaml", Err("missing")),
        ("loop.yaml", Err("system")),
        ("pipe.yaml", Err("not regular")), // and nobody waits for a writer
        ("piped.yaml", Err("not regular")),
        ("socket.yaml", Err("not regular")),
        ("sub", Err("not regular")),
        ("large.yaml", Err("too large")),
    ];
    let root = Root::new(&checkout.workspace()).unwrap();
    for (path, expected) in table {
        let read =
            root.read(&checkout.at(path), 100).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(read.as_deref().map_err(word), expected, "{path}");
    }
    // If the workspace is the repository, its token is below it.
    let root = Root::new(&checkout.folder.path().join("repository")).unwrap();
    assert_eq!(
        root.read(&checkout.at("token.yaml"), 100).map_err(|error| word(&error)),
        Err("internal")
    );
}

#[test]
fn what_takes_the_place_of_a_file_while_it_is_opened_is_not_read() {
    use rustix::fs::{CWD, Mode, mkfifoat};
    let table = [
        ("a.yaml", Ok("a")),
        ("sub/b.yaml", Err("replaced")),
        ("../../outside/secret", Err("replaced")),
        ("out.yaml", Err("system")), // a link is not followed
        ("own.yaml", Err("system")),
        ("pipe", Err("replaced")),
        ("sub", Err("replaced")),
        ("none", Err("missing")),
    ];
    for (other, expected) in table {
        let checkout = Checkout::new();
        checkout.link("out.yaml", "../../outside/secret");
        checkout.link("own.yaml", "sub/b.yaml");
        mkfifoat(CWD, checkout.at("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
        let (place, other_place) = (checkout.at("a.yaml"), checkout.at(other));
        let (told, ended) = channel();
        let opening = std::thread::spawn({
            let place = place.clone();
            move || {
                let exchange = || {
                    if other != "a.yaml" {
                        fs::remove_file(&place).unwrap();
                        let _ = fs::rename(other_place, &place);
                    }
                };
                let file = opened(&place, 100, OpenOptions::new().read(true), exchange);
                told.send(file.and_then(|file| content(file, 100))).unwrap();
            }
        });
        let read = ended.recv_timeout(Duration::from_secs(30)).expect("nobody waits for a writer");
        opening.join().unwrap();
        let read = read.map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(read.as_deref().map_err(word), expected, "{other}");
    }
}

#[test]
fn sizes_are_limited_before_a_file_is_read_and_while_it_is() {
    let checkout = Checkout::new();
    let large = checkout.at("large.yaml");
    let open = |path: &Path, between: &dyn Fn()| {
        let file = opened(path, 100, OpenOptions::new().read(true), between);
        file.and_then(|file| content(file, 100)).map_err(|error| word(&error))
    };
    assert_eq!(open(&large, &|| panic!("it is opened")), Err("too large"));
    let grows = checkout.at("a.yaml");
    assert_eq!(open(&grows, &|| fs::write(&grows, "x".repeat(101)).unwrap()), Err("too large"));
    // The size of a stream, and of what the system makes while it is read, is not known before.
    let file = fs::File::open(&large).unwrap();
    let stream = PathBuf::from(format!("/dev/fd/{}", file.as_raw_fd()));
    assert_eq!(read_named(&stream, 100).map_err(|error| word(&error)), Err("too large"));
    if cfg!(target_os = "linux") {
        assert_eq!(fs::metadata("/proc/self/status").unwrap().len(), 0);
        assert_eq!(
            read_own(Path::new("/proc/self/status"), 100).map_err(|error| word(&error)),
            Err("too large")
        );
    }
}

#[test]
fn files_of_the_command_line_do_not_follow_links_out_of_a_repository() {
    let checkout = Checkout::new();
    checkout.link("inside.json", "../beside.yaml"); // in the repository
    checkout.link("out.json", "../../outside/secret");
    checkout.link("token.json", "../.git/config");
    checkout.link("folder", "../../outside");
    symlink("secret", checkout.folder.path().join("outside/link")).unwrap();
    let table = [
        ("a.yaml", Ok("a")),
        ("inside.json", Ok("hunter2")),
        ("out.json", Err("outside")),
        ("token.json", Err("internal")),
        ("folder/secret", Err("outside")),
        ("../.git/config", Ok("hunter2")), // as a person wrote it
        ("../../outside/link", Ok("hunter2")), // in no repository
        ("large.yaml", Err("too large")),
    ];
    for (path, expected) in table {
        let read = read_named(&checkout.at(path), 100);
        assert_eq!(read.as_deref().map_err(word), expected, "{path}");
        // However large it is.
        let opened = open_named(&checkout.at(path)).map(|_| ()).map_err(|error| word(&error));
        assert_eq!(
            opened,
            expected.map(|_| ()).or_else(|word| if word == "too large" {
                Ok(())
            } else {
                Err(word)
            }),
            "{path}"
        );
    }
    // A workspace in no repository.
    let alone = checkout.folder.path().join("outside/alone");
    fs::create_dir(&alone).unwrap();
    fs::write(alone.join("seawall.yaml"), "settings").unwrap();
    symlink("../secret", alone.join("out.json")).unwrap();
    assert_eq!(
        read_named(&alone.join("out.json"), 100).map_err(|error| word(&error)),
        Err("outside")
    );
    let folder = |path: &str| check_named_folder(&checkout.at(path)).map_err(|error| word(&error));
    assert_eq!(
        (folder("sub"), folder("../../outside"), folder("folder")),
        (Ok(()), Ok(()), Err("outside"))
    );
    assert_eq!(read_own(&checkout.at("out.json"), 100).unwrap(), "hunter2"); // links of the person's own
    assert_eq!(
        read_own(Path::new("/dev/zero"), 100).map_err(|error| word(&error)),
        Err("not regular")
    );
}

#[test]
fn a_hole_in_a_file_and_a_stream_count_as_nothing_to_read() {
    let folder = TempDir::new().unwrap();
    let size = |name: &str| {
        size_on_disk(&open_named(&folder.path().join(name)).unwrap().metadata().unwrap())
    };
    fs::write(folder.path().join("whole"), vec![b'x'; 3 << 20]).unwrap();
    let hole = fs::File::create(folder.path().join("hole")).unwrap();
    hole.set_len(1 << 38).unwrap();
    let before = bytes_opened();
    assert_eq!(size("whole"), 3 << 20);
    assert!(bytes_opened() - before >= 3 << 20);
    assert!(size("hole") < 1 << 20);
    assert_eq!(size_on_disk(&fs::metadata("/dev/null").unwrap()), 0);
}

#[test]
fn documents_of_the_command_line_stay_in_the_workspace_around_them() {
    let checkout = Checkout::new();
    checkout.link("out.yaml", "../beside.yaml");
    symlink(".git/config", checkout.folder.path().join("repository/token.yaml")).unwrap();
    symlink("secret", checkout.folder.path().join("outside/link.yaml")).unwrap();
    symlink("../repository/beside.yaml", checkout.folder.path().join("outside/out.yaml")).unwrap();
    let table = [
        ("a.yaml", Ok(())),
        ("out.yaml", Err("outside")),
        ("../token.yaml", Err("internal")),
        ("../.git/config", Err("internal")),
        ("../beside.yaml", Ok(())),
        ("../../outside/link.yaml", Ok(())), // without a workspace or repository: its own folder
        ("../../outside/out.yaml", Err("outside")),
    ];
    for (path, expected) in table {
        let path = checkout.at(path);
        let read = Root::around(&path).and_then(|root| root.read(&path, 100));
        assert_eq!(read.as_ref().map(|_| ()).map_err(word), expected, "{}", path.display());
    }
}

#[test]
fn nothing_is_written_through_a_link_or_into_a_pipe() {
    let checkout = Checkout::new();
    checkout.link("out.json", "../../outside/secret");
    checkout.link("inside.json", "a.yaml");
    checkout.link("gone.json", "../../outside/new");
    checkout.link("folder", "../../outside");
    checkout.link("linked", "sub");
    rustix::fs::mkfifoat(rustix::fs::CWD, checkout.at("pipe.json"), rustix::fs::Mode::RUSR)
        .unwrap();
    fs::write(checkout.at("locked.json"), "locked").unwrap();
    let set_mode = |path: &str, mode| {
        fs::set_permissions(checkout.at(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    set_mode("locked.json", 0o444);
    set_mode("a.yaml", 0o600);
    let table = [
        ("out.json", Err("link")),
        ("inside.json", Err("link")),
        ("gone.json", Err("link")),
        ("folder/new", Err("outside")),
        ("folder/secret", Err("outside")),
        ("linked/new", Ok(())), // a folder of the repository
        ("pipe.json", Err("not regular")),
        ("sub", Err("not regular")),
        ("locked.json", Err("read-only")),
        ("none/new", Err("missing")),
        ("new.json", Ok(())),
        ("a.yaml", Ok(())),
    ];
    for (path, expected) in &table {
        let written = write_named(&checkout.at(path), "new");
        assert_eq!(written.map_err(|error| word(&error)), *expected, "{path}");
        if *expected != Err("read-only") {
            let state = open_state(&checkout.at(path));
            assert_eq!(state.as_ref().map(|_| ()).map_err(word), *expected, "{path}");
        }
    }
    assert_eq!(
        fs::read_to_string(checkout.folder.path().join("outside/secret")).unwrap(),
        "hunter2"
    );
    assert_eq!(fs::read_dir(checkout.folder.path().join("outside")).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(checkout.at("a.yaml")).unwrap(), "new");
    let mode = |path: &str| fs::metadata(checkout.at(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("new.json"), mode("seawall.yaml")); // as any new file
    assert_eq!(mode("a.yaml"), 0o600); // as before
}

#[test]
fn workspace_files_are_written_all_or_none_and_never_through_links() {
    let checkout = Checkout::new();
    checkout.link("policies", "../../outside");
    checkout.link("linked", "sub");
    checkout.link("out.yaml", "../../outside/secret");
    checkout.link("inside.yaml", "sub/b.yaml");
    let root = Root::new(&checkout.workspace()).unwrap();
    let table = [
        ("policies/new.yaml", false, "link"),
        ("policies/secret", true, "link"),
        ("linked/new.yaml", false, "link"),
        ("out.yaml", true, "link"),
        ("inside.yaml", true, "link"),
        ("../new.yaml", false, "outside"),
        (".git/hooks/x", false, "internal"),
        (".SEAWALL/x", false, "internal"),
        ("a.yaml", false, "system"), // there, which nobody knew
    ];
    for (path, overwrites, expected) in table {
        let files = [
            Written { path: "deep/new.yaml", text: Some("new"), overwrites: false },
            Written { path: "sub/b.yaml", text: Some("changed"), overwrites: true },
            Written { path, text: Some("new"), overwrites },
        ];
        let error = root.write_all(&files).unwrap_err();
        assert_eq!((word(&error.error), error.stuck.len()), (expected, 0), "{path}: {error}");
        assert!(!checkout.at("deep").exists(), "{path}");
        assert_eq!(fs::read_to_string(checkout.at("sub/b.yaml")).unwrap(), "b", "{path}");
    }
    assert_eq!(
        root.replace(&checkout.at("inside.yaml"), "x").map_err(|error| word(&error)),
        Err("link")
    );
    assert_eq!(
        root.replace(&checkout.at("policies/secret"), "x").map_err(|error| word(&error)),
        Err("outside")
    );
    assert_eq!(
        fs::read_to_string(checkout.folder.path().join("outside/secret")).unwrap(),
        "hunter2"
    );
}

#[test]
fn the_state_folder_is_the_workspaces_own() {
    type Make = fn(&Path);
    let table: [(&str, Make, Result<(), &str>); 5] = [
        ("nothing", |_| {}, Ok(())),
        ("a folder", |place| fs::create_dir(place).unwrap(), Ok(())),
        ("a link out", |place| symlink("../../outside", place).unwrap(), Err("link")),
        ("a link inside", |place| symlink("sub", place).unwrap(), Err("link")),
        ("a file", |place| fs::write(place, "").unwrap(), Err("not a folder")),
    ];
    for (what, make, expected) in table {
        let checkout = Checkout::new();
        fs::remove_dir_all(checkout.at(".seawall")).unwrap();
        make(&checkout.at(".seawall"));
        let folder = Root::new(&checkout.workspace()).unwrap().state_folder(".seawall");
        assert_eq!(folder.as_ref().map(|_| ()).map_err(word), expected, "{what}");
        assert_eq!(
            fs::read_dir(checkout.folder.path().join("outside")).unwrap().count(),
            1,
            "{what}"
        );
        let ignored = fs::read_to_string(checkout.at(".seawall/.gitignore")).ok();
        assert_eq!(ignored.as_deref(), expected.is_ok().then_some("*\n"), "{what}");
    }
}
