//! The line that tells editors where the schema of documents is.

/// What such a line starts with.
const MODELINE: &str = "# yaml-language-server: $schema=";
/// Where the schema is looked for when the settings do not say: the workspace's own folder.
pub(super) const SCHEMA: &str = "seawall.schema.json";

/// The line for a file of the workspace, with a line end: the schema that the workspace's settings name, as seen from the
/// file's folder.
pub(super) fn modeline(settings: &str, path: &str) -> String {
    let written = settings.lines().find_map(|line| line.strip_prefix(MODELINE)).map(str::trim);
    let schema = written.filter(|schema| !schema.is_empty()).unwrap_or(SCHEMA);
    let fixed = schema.starts_with('/') || schema.contains("://");
    let up = if fixed { String::new() } else { "../".repeat(path.matches('/').count()) };
    format!("{MODELINE}{up}{}\n", schema.strip_prefix("./").filter(|_| !fixed).unwrap_or(schema))
}

#[cfg(test)]
mod tests {
    use super::modeline;

    #[test]
    fn the_schema_is_named_as_seen_from_the_file() {
        let table = [
            ("kind: Workspace\n", "policies/a.yaml", "../seawall.schema.json"),
            ("kind: Workspace\n", "a.yaml", "seawall.schema.json"),
            ("# yaml-language-server: $schema=../schemas/s.json\n", "policies/x/a.yaml", "../../../schemas/s.json"),
            ("# yaml-language-server: $schema=./s.json\n", "policies/a.yaml", "../s.json"),
            (
                "# yaml-language-server: $schema=https://example.com/s.json\n",
                "policies/a.yaml",
                "https://example.com/s.json",
            ),
            ("# yaml-language-server: $schema=\n", "a.yaml", "seawall.schema.json"),
        ];
        for (settings, path, schema) in table {
            assert_eq!(modeline(settings, path), format!("# yaml-language-server: $schema={schema}\n"));
        }
    }
}
