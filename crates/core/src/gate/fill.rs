/// What stands for `$namespace`, `$service`, `$workload`, `$pods` and `$window` in a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The destination namespace.
    pub namespace: String,
    /// The Service of the side that is asked about.
    pub service: String,
    /// The workload.
    pub workload: String,
    /// A regular expression for the pods of the side that is asked about; [`pods_regex`](super::ratio::pods_regex)
    /// makes one.
    pub pods: String,
    /// A time span as PromQL has it, as `60s`.
    pub window: String,
}

/// A query with its names filled in. What is no name of ours stays as it is.
pub fn fill(query: &str, names: &Names) -> String {
    let mut filled = String::with_capacity(query.len());
    let mut rest = query;
    while let Some((before, after)) = rest.split_once('$') {
        filled.push_str(before);
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        let (word, tail) = after.split_at(end);
        match word {
            "namespace" => filled.push_str(&names.namespace),
            "service" => filled.push_str(&names.service),
            "workload" => filled.push_str(&names.workload),
            "pods" => filled.push_str(&names.pods),
            "window" => filled.push_str(&names.window),
            other => {
                filled.push('$');
                filled.push_str(other);
            }
        }
        rest = tail;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in_and_nothing_else() {
        let names = Names {
            namespace: "shop".into(),
            service: "web-stable".into(),
            workload: "web".into(),
            pods: "web-1|web-2".into(),
            window: "60s".into(),
        };
        for (query, expected) in [
            (
                "m{namespace=\"$namespace\",pod=~\"$pods\"}[$window]",
                "m{namespace=\"shop\",pod=~\"web-1|web-2\"}[60s]",
            ),
            ("$service-$workload$", "web-stable-web$"),
            ("a=~\"x$\" $podsum $$pods", "a=~\"x$\" $podsum $web-1|web-2"),
            ("", ""),
        ] {
            assert_eq!(fill(query, &names), expected);
        }
    }
}
