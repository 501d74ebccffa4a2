//! The line that tells editors the place of the schema of documents.

use std::path::Path;

use crate::diagnostic::Overlay;

/// The start of such a line.
pub(crate) const MODELINE: &str = "# yaml-language-server: $schema=";
/// The default schema of a workspace, in the workspace's own folder.
pub(crate) const SCHEMA: &str = "seawall.schema.json";

/// The line for a file of the workspace in `root`, with a line end: the schema that the workspace's
/// settings name, or the one in its folder, relative to the file's folder. Empty if that schema
/// does not exist, since an editor would report it in every document.
pub(super) fn modeline(root: &Path, overlay: &Overlay, settings: &str, path: &str) -> String {
    let written = settings.lines().find_map(|line| line.strip_prefix(MODELINE)).map(str::trim);
    let schema = written.filter(|schema| !schema.is_empty()).unwrap_or(SCHEMA);
    let schema = schema.strip_prefix("./").unwrap_or(schema);
    if schema.contains("://") {
        return format!("{MODELINE}{schema}\n");
    }
    let exists = match overlay.get(schema) {
        Some(text) => text.is_some(),
        None => root.join(schema).is_file(),
    };
    if !exists {
        return String::new();
    }
    let up = if Path::new(schema).has_root() {
        String::new()
    } else {
        "../".repeat(path.matches('/').count())
    };
    format!("{MODELINE}{up}{schema}\n")
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the test makes the files that the lines name")]
mod tests {
    use std::fs;

    use super::modeline;
    use crate::diagnostic::Overlay;

    #[test]
    fn the_schema_is_named_as_seen_from_the_file_where_there_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("team");
        fs::create_dir_all(root.join("folder.json")).unwrap();
        fs::create_dir(folder.path().join("schemas")).unwrap();
        for file in ["schemas/s.json", "team/seawall.schema.json", "team/s.json"] {
            fs::write(folder.path().join(file), "{}").unwrap();
        }
        let added: Overlay =
            [("new.json".to_owned(), Some("{}".to_owned())), ("s.json".to_owned(), None)].into();
        let absolute = folder.path().join("schemas/s.json");
        let absolute = absolute.to_str().unwrap();
        let none = Overlay::new();
        let table = [
            // No schema is named: the default in the workspace's folder.
            (&none, "kind: Workspace\n".to_owned(), "policies/a.yaml", "../seawall.schema.json"),
            (&none, "kind: Workspace\n".to_owned(), "a.yaml", "seawall.schema.json"),
            (
                &none,
                "# yaml-language-server: $schema=\n".to_owned(),
                "a.yaml",
                "seawall.schema.json",
            ),
            // The settings name one.
            (
                &none,
                "# yaml-language-server: $schema=../schemas/s.json\n".to_owned(),
                "policies/x/a.yaml",
                "../../../schemas/s.json",
            ),
            (
                &none,
                "# yaml-language-server: $schema=./s.json\n".to_owned(),
                "policies/a.yaml",
                "../s.json",
            ),
            (
                &none,
                "# yaml-language-server: $schema=https://example.com/s.json\n".to_owned(),
                "policies/a.yaml",
                "https://example.com/s.json",
            ),
            (
                &none,
                format!("# yaml-language-server: $schema={absolute}\n"),
                "policies/a.yaml",
                absolute,
            ),
            // It is going to be written, or deleted.
            (
                &added,
                "# yaml-language-server: $schema=new.json\n".to_owned(),
                "policies/a.yaml",
                "../new.json",
            ),
            (&added, "# yaml-language-server: $schema=s.json\n".to_owned(), "policies/a.yaml", ""),
            // It does not exist.
            (
                &none,
                "# yaml-language-server: $schema=missing.json\n".to_owned(),
                "policies/a.yaml",
                "",
            ),
            (
                &none,
                "# yaml-language-server: $schema=folder.json\n".to_owned(),
                "policies/a.yaml",
                "",
            ),
        ];
        for (overlay, settings, path, schema) in table {
            let line = if schema.is_empty() {
                String::new()
            } else {
                format!("# yaml-language-server: $schema={schema}\n")
            };
            assert_eq!(modeline(&root, overlay, &settings, path), line, "{settings}{path}");
        }
        assert_eq!(
            modeline(&folder.path().join("schemas"), &none, "kind: Workspace\n", "a.yaml"),
            ""
        );
    }
}
