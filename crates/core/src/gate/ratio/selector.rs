use std::fmt;

/// A selector of series, as `http_requests_total{code=~"5.."}`: a name and matchers, no expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    name: String,
    matchers: Vec<Matcher>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Matcher {
    label: String,
    operator: &'static str,
    /// With its quotes.
    value: String,
}

/// Why a text is no [`Selector`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no selector: {problem}; write a name and matchers, for example \
     http_requests_total{{code=~\"5..\"}}, without rate() or sum()"
)]
pub struct SelectorError {
    text: String,
    problem: String,
}

impl Selector {
    /// Reads a selector.
    ///
    /// # Errors
    /// [`SelectorError`] says what is in its way.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        read(text.trim())
            .map_err(|problem| SelectorError { text: super::super::look::bounded(text, 128), problem })
    }

    /// The same for these pods only, named by a regular expression. A matcher that the user wrote for
    /// `namespace` or `pod` stays beside ours, so both must fit.
    pub fn of_pods(&self, namespace: &str, pods: &str) -> String {
        let mut own = self.clone();
        let mut add = |label: &str, operator, value: &str| {
            let value = format!("\"{value}\"");
            own.matchers.push(Matcher { label: label.into(), operator, value });
        };
        if !self.matchers.iter().any(|matcher| matcher.label == "namespace") {
            add("namespace", "=", namespace);
        }
        add("pod", "=~", pods);
        own.to_string()
    }
}

/// `name{label="value",...}`
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.matchers.is_empty() {
            return Ok(());
        }
        f.write_str("{")?;
        for (index, matcher) in self.matchers.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}{}{}", matcher.label, matcher.operator, matcher.value)?;
        }
        f.write_str("}")
    }
}

/// A regular expression that fits exactly these pods. Names of pods have letters, digits, dashes and dots.
pub fn pods_regex<'a>(pods: impl IntoIterator<Item = &'a str>) -> String {
    pods.into_iter().map(|pod| pod.replace('.', "[.]")).collect::<Vec<_>>().join("|")
}

fn read(text: &str) -> Result<Selector, String> {
    let (name, mut rest) = word(text, |c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("it does not begin with the name of a metric".into());
    }
    let mut matchers = Vec::new();
    if let Some(inside) = rest.trim_start().strip_prefix('{') {
        rest = inside;
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            let (matcher, after) = matcher(rest)?;
            matchers.push(matcher);
            rest = after.trim_start();
            match rest.strip_prefix(',') {
                Some(after) => rest = after,
                None if rest.starts_with('}') => {}
                None => return Err("a comma or } is missing".into()),
            }
        }
    }
    match rest.trim() {
        "" => Ok(Selector { name: name.to_owned(), matchers }),
        _ => Err(format!("there is more behind {name}")),
    }
}

fn matcher(text: &str) -> Result<(Matcher, &str), String> {
    let (label, rest) = word(text, |c| c.is_ascii_alphanumeric() || c == '_');
    if label.is_empty() || label.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("a label is missing between { and }".into());
    }
    let rest = rest.trim_start();
    let operator = ["=~", "!~", "!=", "="].into_iter().find(|operator| rest.starts_with(operator));
    let operator = operator.ok_or_else(|| format!("label {label} has no =, !=, =~ or !~"))?;
    let rest = rest.get(operator.len()..).unwrap_or_default().trim_start();
    let end = string(rest).ok_or_else(|| format!("label {label} has no value in quotes"))?;
    let (value, rest) = rest.split_at(end);
    Ok((Matcher { label: label.to_owned(), operator, value: value.to_owned() }, rest))
}

/// Where the quoted text ends that `text` begins with.
fn string(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote != '`' => escaped = true,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn word(text: &str, part: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !part(c)).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("http_requests_total", r#"http_requests_total{namespace="shop",pod=~"a|b[.]c"}"#)]
    #[case(" up { } ", r#"up{namespace="shop",pod=~"a|b[.]c"}"#)]
    #[case(
        r#"m{code=~"5..", path!='/a/{id}' ,}"#,
        r#"m{code=~"5..",path!='/a/{id}',namespace="shop",pod=~"a|b[.]c"}"#
    )]
    #[case(
        r#"job:m:x{namespace="other",a=`\`,b="\"}"}"#,
        r#"job:m:x{namespace="other",a=`\`,b="\"}",pod=~"a|b[.]c"}"#
    )]
    fn a_selector_is_narrowed_to_pods(#[case] text: &str, #[case] expected: &str) {
        let pods = pods_regex(["a", "b.c"]);
        assert_eq!(Selector::parse(text).unwrap().of_pods("shop", &pods), expected);
    }

    #[rstest]
    #[case("", "does not begin with the name of a metric")]
    #[case("5xx_total", "does not begin with the name of a metric")]
    #[case("{a=\"b\"}", "does not begin with the name of a metric")]
    #[case("rate(m[1m])", "there is more behind rate")]
    #[case("m[1m]", "there is more behind m")]
    #[case("m offset 5m", "there is more behind m")]
    #[case("m{a=\"b\"} or n{}", "there is more behind m")]
    #[case("m{a}", "label a has no =, !=, =~ or !~")]
    #[case("m{a=b}", "label a has no value in quotes")]
    #[case("m{a=\"b}", "label a has no value in quotes")]
    #[case("m{a=\"b\"", "a comma or } is missing")]
    #[case("m{a=\"b\" c=\"d\"}", "a comma or } is missing")]
    #[case("m{,}", "a label is missing")]
    #[case("m{", "a label is missing")]
    fn an_expression_is_no_selector(#[case] text: &str, #[case] problem: &str) {
        let error = Selector::parse(text).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_so_that_it_reads_the_same(text in "m[{}a=~!\"'`, \\\\]{0,24}") {
            if let Ok(selector) = Selector::parse(&text) {
                prop_assert_eq!(Selector::parse(&selector.to_string()).unwrap(), selector);
            }
        }
    }
}
