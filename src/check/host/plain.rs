//! Recognizes hosts in the form that nearly all have, quickly.
//!
//! Invariant: none of the checks would find a fault in a plain host.

use super::target::check_port;

/// Returns `true` if it consists of labels of plain letters, the last of which is not a number,
/// optionally with a wildcard in front and a port.
pub(super) fn is_plain(text: &str, http: bool) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let host =
        host.strip_prefix("**.").or_else(|| host.strip_prefix("*.")).unwrap_or(host).as_bytes();
    let is_sign = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    let is_label = |label: &[u8]| (1..=63).contains(&label.len()) && label.iter().all(is_sign);
    host.len() <= 250
        && host.split(|byte| *byte == b'.').all(is_label)
        && host
            .rsplit(|byte| *byte == b'.')
            .next()
            .is_some_and(|last| matches!(last, [b'a'..=b'z', ..]))
        && port.is_none_or(|port| !http && check_port(text, port).is_ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::look_closely;
    use super::is_plain;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn nothing_is_wrong_with_a_plain_host(
            text in "(\\*{0,2}\\.)?[a-c1_*A-]{0,3}(\\.[a-c1:-]{1,3}){0,4}(:[0-9]{0,6})?",
            http: bool,
        ) {
            prop_assert!(!is_plain(&text, http) || look_closely(&text, http).is_empty(), "{text}");
        }
    }

    #[test]
    fn nearly_all_hosts_are_plain() {
        for text in [
            "example.com",
            "service-7.team_1.example.com:443",
            "**.cdn.example.com",
            "*.x.example:8080",
        ] {
            assert!(is_plain(text, false), "{text}");
        }
        let long = format!("{}.com", "a".repeat(64));
        let longer = format!("{}com", "a.".repeat(130));
        for text in [
            "10.0.0.1",
            "example.com:0",
            "a..example.com",
            "Example.com",
            "example.com.",
            &long,
            &longer,
            "",
        ] {
            assert!(!is_plain(text, false), "{text}");
        }
        assert!(!is_plain("example.com:443", true));
    }
}
