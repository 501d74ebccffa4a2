//! The encodings in which a service may repeat a secret.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// The length of the end of a long secret that is searched for in unusual encodings: without its
/// end, it is useless.
const END: usize = 64;

/// The secret as it is, and in encodings that change only some characters: JSON, HTML,
/// percent-encoding. Each part of a JWT is a long part of it.
pub(super) fn escaped(secret: &str) -> Vec<String> {
    let json = serde_json::Value::from(secret).to_string();
    let json = json.get(1..json.len() - 1).unwrap_or_default().to_owned();
    let html = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('\'', "&#39;")];
    let html = html.iter().fold(secret.to_owned(), |text, (sign, name)| text.replace(*sign, name));
    vec![
        secret.to_owned(),
        json.replace('/', "\\/"),
        json,
        html,
        percent(secret, "-._~", "%20"),               // RFC 3986
        percent(secret, "-._~!'()*", "%20"),          // `encodeURIComponent`
        percent(secret, "-._~!$&'()*+,;=:@/", "%20"), // in a path
        percent(secret, "-._*", "+"),                 // in a form
        percent(secret, "", "%20"),
        percent(&percent(secret, "", "%20"), "", ""), // twice
    ]
}

fn percent(text: &str, kept: &str, blank: &str) -> String {
    let encode = |byte: u8| match byte {
        b' ' => blank.to_owned(),
        _ if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// The letters and digits of the secret in other encodings, each with `true` if it is base64.
pub(super) fn encoded(secret: &str) -> Vec<(String, bool)> {
    let end = secret.as_bytes().get(secret.len().saturating_sub(END)..).unwrap_or_default();
    let each = |spell: fn(&u8) -> String| end.iter().map(spell).collect::<String>();
    let in_base64 = |bytes: &[u8]| [STANDARD_NO_PAD.encode(bytes), URL_SAFE_NO_PAD.encode(bytes)];
    let aligned = |bytes: &[u8]| -> Vec<String> {
        (0..3)
            .flat_map(|before| {
                in_base64(&behind(before, bytes)).map(|text| own_digits(&text, before, 6))
            })
            .collect()
    };
    let base32 = (0..5).map(|before| own_digits(&in_base32(&behind(before, end)), before, 5));
    let numbers = [
        secret.bytes().map(|byte| format!("{byte:02x}")).collect(), // `%64`, `=64`, `64:`
        each(|byte| format!("x{byte:02x}")),                        // `\x64`, `&#x64;`
        each(|byte| format!("0x{byte:02x}")),
        each(|byte| format!("u00{byte:02x}")), // `\u0064`
        each(|byte| format!("{byte:02x}00")),  // as UTF-16
        each(|byte| format!("25{byte:02x}")),  // `%2564`
        each(u8::to_string),                   // `&#100;`
        each(|byte| format!("{byte:03o}")),    // `\144`
    ];
    let backwards = letters(&secret.chars().rev().collect::<String>());
    let once = aligned(secret.as_bytes());
    let twice: Vec<String> =
        aligned(end).iter().flat_map(|text| aligned(text.as_bytes())).collect();
    let plain = numbers.into_iter().chain([backwards]).map(|text| (text, false));
    let digits = once.into_iter().chain(twice).chain(base32).map(|text| (letters(&text), true));
    plain.chain(digits).collect()
}

/// The bytes with other ones before them.
fn behind(before: usize, bytes: &[u8]) -> Vec<u8> {
    [vec![0; before], bytes.to_vec()].concat()
}

/// The digits that hold no bit of the surrounding text; each digit holds `bits`, and `before` bytes
/// precede the secret.
fn own_digits(text: &str, before: usize, bits: usize) -> String {
    let first = (8 * before).div_ceil(bits);
    let last = text.len() - usize::from(!(text.len() * bits).is_multiple_of(8));
    text.get(first..last).unwrap_or_default().to_owned()
}

/// Base32 of RFC 4648, section 6, in lower case and without padding.
fn in_base32(bytes: &[u8]) -> String {
    let digit = |chunk: &[u8], at: usize| {
        let bit = |number: usize| {
            chunk.get(number / 8).is_some_and(|byte| byte >> (7 - number % 8) & 1 == 1)
        };
        let value = (5 * at..5 * at + 5).fold(0, |value, number| 2 * value + u8::from(bit(number)));
        char::from(if value < 26 { b'a' + value } else { b'2' + value - 26 })
    };
    bytes
        .chunks(5)
        .flat_map(|chunk| (0..(8 * chunk.len()).div_ceil(5)).map(move |at| digit(chunk, at)))
        .collect()
}

/// The letters and digits of a text.
pub(super) fn letters(text: &str) -> String {
    text.chars().filter_map(letter).collect()
}

/// The byte ranges of these in the text.
pub(super) fn positions(text: &str) -> Vec<Range<usize>> {
    let position = |(start, character): (usize, char)| {
        letter(character).map(|_| start..start + character.len_utf8())
    };
    text.char_indices().filter_map(position).collect()
}

/// The ASCII letter or digit that a character is, or is a fullwidth form of.
fn letter(character: char) -> Option<char> {
    let narrow = match character {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - 0xfee0)?,
        _ => character,
    };
    narrow.is_ascii_alphanumeric().then_some(narrow)
}

#[cfg(test)]
mod tests {
    use super::{encoded, in_base32, letters, positions};

    #[test]
    fn base32_is_that_of_the_standard() {
        let table = [
            ("", ""),
            ("f", "my"),
            ("fo", "mzxq"),
            ("foo", "mzxw6"),
            ("foob", "mzxw6yq"),
            ("fooba", "mzxw6ytb"),
        ];
        for (text, digits) in table {
            assert_eq!(in_base32(text.as_bytes()), digits);
        }
    }

    #[test]
    fn letters_have_positions() {
        let text = "a-é\u{200b}Ｂ\n9";
        assert_eq!(letters(text), "aB9");
        let shown: Vec<&str> = positions(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(shown, ["a", "Ｂ", "9"]);
    }

    #[test]
    fn digits_that_depend_on_the_surrounding_text_are_left_out() {
        let forms: Vec<String> = encoded("0123456789").into_iter().map(|(form, _)| form).collect();
        // Encoded alone, behind one character and behind two, each before another one.
        for form in ["MDEyMzQ1Njc4O", "AxMjM0NTY3OD", "wMTIzNDU2Nzg5", "gaytemzugu3doobz"] {
            assert!(forms.iter().any(|own| own == form), "{form}: {forms:?}");
        }
    }
}
