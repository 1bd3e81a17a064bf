//! What a plain scalar means to kubectl: the resolution of `sigs.k8s.io/yaml`, which is that of go-yaml v2 (YAML 1.1).

use std::borrow::Cow;

use super::tree::Content;

/// The value of a scalar that is written without quotes.
pub(super) fn resolve(text: Cow<'_, str>) -> Content<'_> {
    match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" => return Content::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Content::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Content::Bool(false);
        }
        _ => {}
    }
    match number(&text) {
        Some(number) => Content::Number(number),
        None => Content::Text(text),
    }
}

/// The number as JSON, if it is one.
fn number(text: &str) -> Option<String> {
    let first = text.bytes().next()?;
    if !(first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.')) {
        return None;
    }
    let plain = text.replace('_', "");
    if let Some(whole) = whole(&plain) {
        return Some(whole.to_string());
    }
    let float: f64 = plain.parse().ok().filter(|_| is_float(&plain))?;
    // Go writes a float without a fraction like a whole number.
    float.is_finite().then(|| format!("{float}"))
}

/// `strconv.ParseInt` with base 0.
fn whole(plain: &str) -> Option<i128> {
    let (sign, digits) = match plain.as_bytes().first()? {
        b'-' => (-1, plain.get(1..)?),
        b'+' => (1, plain.get(1..)?),
        _ => (1, plain),
    };
    let lower = digits.to_ascii_lowercase();
    let (digits, radix) = match lower.as_str() {
        prefixed if prefixed.starts_with("0x") => (prefixed.get(2..)?, 16),
        prefixed if prefixed.starts_with("0b") => (prefixed.get(2..)?, 2),
        prefixed if prefixed.starts_with("0o") => (prefixed.get(2..)?, 8),
        octal if octal.starts_with('0') && octal.len() > 1 => (octal.get(1..)?, 8),
        decimal => (decimal, 10),
    };
    // A second sign is none of Go's.
    let magnitude = i128::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with(['+', '-']))?;
    let value = sign * magnitude;
    (value >= i128::from(i64::MIN) && value <= i128::from(u64::MAX)).then_some(value)
}

/// `yamlStyleFloat` of go-yaml: Rust reads more than that, as in `inf`.
fn is_float(plain: &str) -> bool {
    let unsigned = plain.strip_prefix(['+', '-']).unwrap_or(plain);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent = exponent.map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_what_kubectl_takes_them_for() {
        let json = |text: &str| match resolve(Cow::Borrowed(text)) {
            Content::Null => "null".to_owned(),
            Content::Bool(is) => is.to_string(),
            Content::Number(number) => number,
            Content::Text(text) => format!("{text:?}"),
            other => format!("{other:?}"),
        };
        // What `kubectl label --local -o json` of 1.37 makes of them; `-` alone begins a list there.
        for (text, expected) in [
            ("yes", "true"),
            ("off", "false"),
            ("~", "null"),
            ("010", "8"),
            ("0o10", "8"),
            ("08", "8"),
            ("0x1F", "31"),
            ("1_000", "1000"),
            ("+3", "3"),
            ("-0b11", "-3"),
            ("1.0", "1"),
            ("1e3", "1000"),
            (".5", "0.5"),
            ("1.5", "1.5"),
            ("25%", "\"25%\""),
            ("1.2.3", "\"1.2.3\""),
            ("2026-01-31T18:00:00Z", "\"2026-01-31T18:00:00Z\""),
            ("nope", "\"nope\""),
            ("-", "\"-\""),
            ("1:30", "\"1:30\""),
            ("0x", "\"0x\""),
            ("infinity", "\"infinity\""),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
    }
}
