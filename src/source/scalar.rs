//! The meaning of an unquoted scalar: the core schema of YAML 1.2 (section 10.3.2), without YAML
//! 1.1.
//!
//! Invariant: `no`, `on`, `yes`, `12:30` and dates are text.

use serde_json::{Number, Value};

/// The value of a plain scalar; `None` for `.inf` and `.nan`, which JSON cannot represent.
#[must_use]
pub fn resolve(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        "true" | "True" | "TRUE" => return Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Value::Bool(false)),
        _ => {}
    }
    // Nearly all scalars of a document are names, which the first character shows.
    match text.bytes().next() {
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') => number(text),
        _ => Some(Value::String(text.to_owned())),
    }
}

fn number(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return None;
    }
    if let Some(digits) =
        text.strip_prefix("0o").filter(|digits| all(digits, |byte| matches!(byte, b'0'..=b'7')))
    {
        return Some(radix(digits, 8, text));
    }
    if let Some(digits) =
        text.strip_prefix("0x").filter(|digits| all(digits, |byte| byte.is_ascii_hexdigit()))
    {
        return Some(radix(digits, 16, text));
    }
    if all(unsigned, |byte| byte.is_ascii_digit()) {
        let parsed = text.strip_prefix('+').unwrap_or(text);
        return Some(match (parsed.parse::<i64>(), parsed.parse::<u64>()) {
            (Ok(number), _) => number.into(),
            (Err(_), Ok(number)) => number.into(),
            (Err(_), Err(_)) => return float(text),
        });
    }
    if is_float(unsigned) { float(text) } else { Some(Value::String(text.to_owned())) }
}

fn all(text: &str, test: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(test)
}

fn radix(digits: &str, base: u32, text: &str) -> Value {
    // No field takes a number over 64 bits; as text, the schema reports it with the expected type.
    u64::from_str_radix(digits, base).map_or_else(|_| Value::String(text.to_owned()), Value::from)
}

/// `(\. [0-9]+ | [0-9]+ (\. [0-9]*)?) ([eE] [-+]? [0-9]+)?`
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| all(text, |byte| byte.is_ascii_digit());
    let mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    mantissa
        && exponent
            .is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

/// A float. One without a fraction becomes an integer, since JSON Schema does not distinguish
/// `443.0` from `443`.
fn float(text: &str) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number: f64 = text.parse().ok()?;
    if number.fract() == 0.0 && number.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        return Some(Value::from(number as i64));
    }
    Number::from_f64(number).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn core_schema() {
        let cases = [
            ("", json!(null)),
            ("~", json!(null)),
            ("true", json!(true)),
            ("False", json!(false)),
            // Words that YAML 1.1 reads as booleans are text, so that a team called `no` stays one.
            ("no", json!("no")),
            ("on", json!("on")),
            ("yes", json!("yes")),
            ("Y", json!("Y")),
            ("443", json!(443)),
            ("-1", json!(-1)),
            ("+7", json!(7)),
            // A leading zero is decimal, not octal as in YAML 1.1.
            ("010", json!(10)),
            ("0o10", json!(8)),
            ("0x1F", json!(31)),
            ("0b1", json!("0b1")),
            ("443.0", json!(443)),
            ("1e2", json!(100)),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            // Addresses, times, dates and versions are text.
            ("10.0.0.1", json!("10.0.0.1")),
            ("12:30", json!("12:30")),
            ("2026-01-01", json!("2026-01-01")),
            ("1_000", json!("1_000")),
            ("-", json!("-")),
            (".", json!(".")),
            ("1e", json!("1e")),
            ("25%", json!("25%")),
        ];
        for (text, expected) in cases {
            assert_eq!(resolve(text), Some(expected), "{text}");
        }
        for text in [".inf", "-.INF", ".nan", "1e999"] {
            assert_eq!(resolve(text), None, "{text}");
        }
    }
}
