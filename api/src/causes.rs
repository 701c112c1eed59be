//! An error's causes as texts, outermost first, for the command line and for the log. Many
//! errors repeat their cause in their own text: what has been said is not said again. Pure;
//! prints nothing.

use std::error::Error;

/// The causes of `error` that its text, and those before, do not contain.
pub(crate) fn causes(error: &dyn Error) -> Vec<String> {
    let mut said = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !said.iter().any(|before| before.contains(&text)) {
            said.push(text);
        }
        cause = inner.source();
    }
    said.split_off(1)
}

/// The error and its causes on one line.
pub(crate) fn on_one_line(error: &dyn Error) -> String {
    causes(error).iter().fold(error.to_string(), |text, cause| format!("{text} ({cause})"))
}

#[cfg(test)]
mod tests {
    use super::on_one_line;
    use std::error::Error;
    use std::fmt;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self.1.as_deref()?)
        }
    }

    #[test]
    fn a_cause_is_said_once() {
        let inner = Layer("no such file", None);
        let middle = Layer("cannot connect: no such file", Some(Box::new(inner)));
        let outer = Layer("The database is out of reach.", Some(Box::new(middle)));
        assert_eq!(on_one_line(&outer), "The database is out of reach. (cannot connect: no such file)");
    }
}
