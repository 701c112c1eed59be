//! Options and arguments of one command, read with getopts: a command takes only the options of its own list.
//! Every command has -h and --db. Values are texts or parsed; a value that does not parse is an error that says what
//! the option takes. Knows no command.

use super::error::CliError;
use super::output;
use crate::change::{Act, Author, Order};
use crate::db::{Db, Location};
use crate::pki::read;
use crate::settings::yes_no;
use common::secret::Secret;
use common::text::host::is_host;
use getopts::{Matches, Options};
use std::cell::OnceCell;
use std::path::Path;
use std::rc::Rc;
use std::str::FromStr;

/// One option of a command.
#[derive(Debug, Clone, Copy)]
pub(super) enum Opt {
    /// `--name VALUE`, once.
    Value(&'static str),
    /// `--name VALUE`, any number of times.
    Many(&'static str),
    /// `-n VALUE`, or `--name VALUE`, once.
    Short(&'static str, &'static str),
    /// `--name`.
    Flag(&'static str),
    /// `-o FILE`: the file for the result.
    Output,
}

impl Opt {
    /// The option as it is typed.
    #[cfg(test)]
    pub(super) fn flag(self) -> String {
        match self {
            Self::Value(name) | Self::Many(name) | Self::Flag(name) | Self::Short(_, name) => {
                format!("--{name}")
            }
            Self::Output => "-o".to_owned(),
        }
    }
}

/// A command line that is valid for its command.
pub(super) struct Invocation {
    /// The words of its command.
    words: &'static str,
    matches: Matches,
    /// The database, after the command has opened it: `run` closes it at the end of the command.
    opened: Rc<OnceCell<Db>>,
}

impl Invocation {
    /// Reads `words`; none if help is asked for; otherwise the reason why they are not valid.
    pub(super) fn parse(
        command: &'static str,
        options: &[Opt],
        (least, most): (usize, usize),
        words: &[String],
    ) -> Result<Option<Self>, String> {
        let mut known = Options::new();
        known.optflag("h", "help", "").optopt("", "db", "", "");
        for option in options {
            match option {
                Opt::Value(name) => known.optopt("", name, "", ""),
                Opt::Short(letter, name) => known.optopt(letter, name, "", ""),
                Opt::Many(name) => known.optmulti("", name, "", ""),
                Opt::Flag(name) => known.optflag("", name, ""),
                Opt::Output => known.optopt("o", "", "", ""),
            };
        }
        let matches = known.parse(words).map_err(|why| why.to_string())?;
        if matches.opt_present("h") {
            return Ok(None);
        }
        match matches.free.len() {
            given if given < least => Err("an argument is missing".into()),
            given if given > most => Err(format!(
                "there is one argument too many: '{}'",
                matches.free.last().map_or("", String::as_str)
            )),
            _ => Ok(Some(Self { words: command, matches, opened: Rc::default() })),
        }
    }

    /// The location of the database.
    pub(super) fn location(&self) -> Result<Location, CliError> {
        Ok(Location::parse(self.value("db").as_deref())?)
    }

    /// The database, open.
    pub(super) async fn open(&self) -> Result<Db, CliError> {
        let db = super::open(&self.location()?).await?;
        Ok(self.opened.get_or_init(|| db).clone())
    }

    /// Who asks for which change, for a command that changes something.
    pub(super) fn order(&self) -> Result<Order, CliError> {
        let if_version = self.parsed("if-version", "the version of what is to be changed, a number")?;
        let order = Order::of(Author::of_command(), self.words);
        Ok(Order { dry_run: self.flag("dry-run"), if_version, ..order })
    }

    /// The change that it is to make.
    pub(super) async fn act(&self, db: &Db) -> Result<Act, CliError> {
        Ok(Act::begin(db, self.order()?).await?)
    }

    /// Asks on a terminal whether to go on, unless this is said already, or nothing is to be changed.
    pub(super) fn confirm(&self, question: &str) -> Result<(), CliError> {
        output::confirm(question, self.flag("yes") || self.flag("dry-run"))
    }

    /// Sets the location of its database after it was opened.
    pub(super) fn opened(&self) -> Rc<OnceCell<Db>> {
        Rc::clone(&self.opened)
    }

    /// Argument number `index`; empty if it is optional and missing.
    pub(super) fn argument(&self, index: usize) -> &str {
        self.matches.free.get(index).map_or("", String::as_str)
    }

    /// All arguments.
    pub(super) fn arguments(&self) -> &[String] {
        &self.matches.free
    }

    /// Whether a flag is given.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.matches.opt_present(name)
    }

    /// The value of an option.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        self.matches.opt_str(name)
    }

    /// All values of an option.
    pub(super) fn values(&self, name: &str) -> Vec<String> {
        self.matches.opt_strs(name)
    }

    /// The hosts of `--host`, each a name or an address.
    pub(super) fn hosts(&self) -> Result<Vec<String>, CliError> {
        let hosts = self.values("host");
        match hosts.iter().find(|host| !is_host(host)) {
            Some(bad) => Err(wrong("host", bad, "a host name or an IP address")),
            None => Ok(hosts),
        }
    }

    /// The password in the file of `--password-file`.
    pub(super) fn password(&self) -> Result<Option<Secret>, CliError> {
        Ok(self.value("password-file").map(|file| read::password(Path::new(&file))).transpose()?)
    }

    /// The value of an option as a `T`; `wanted` says what it takes.
    pub(super) fn parsed<T: FromStr>(&self, name: &str, wanted: &str) -> Result<Option<T>, CliError> {
        self.value(name).map(|text| text.parse().map_err(|_| wrong(name, &text, wanted))).transpose()
    }

    /// The value of a yes-or-no option.
    pub(super) fn yes_no(&self, name: &str) -> Result<Option<bool>, CliError> {
        self.value(name).map(|text| yes_no(&text).ok_or_else(|| wrong(name, &text, "yes or no"))).transpose()
    }
}

/// The error for an option with a wrong value.
pub(super) fn wrong(name: &str, value: &str, wanted: &str) -> CliError {
    CliError::Usage(format!("--{name} cannot be '{value}': it takes {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::{Invocation, Opt};

    fn parse(words: &[&str]) -> Result<Option<Invocation>, String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        Invocation::parse(
            "nothing",
            &[Opt::Value("host"), Opt::Flag("json"), Opt::Many("pin"), Opt::Output],
            (1, 2),
            &words,
        )
    }

    #[test]
    fn options_stand_before_and_after_arguments() {
        let given =
            parse(&["--host", "h", "one", "--json", "--pin", "a", "two", "--pin=b"]).unwrap().unwrap();
        assert_eq!((given.argument(0), given.argument(1), given.argument(2)), ("one", "two", ""));
        assert_eq!(given.value("host").as_deref(), Some("h"));
        assert!(given.flag("json"));
        assert_eq!(given.values("pin"), ["a", "b"]);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_reason() {
        for (words, reason) in [
            (&["--nonsense", "one"][..], "nonsense"),
            (&[], "missing"),
            (&["1", "2", "3"], "'3'"),
            (&["one", "--host"], "host"),
        ] {
            let why = parse(words).err().unwrap();
            assert!(why.contains(reason), "{why}");
        }
    }

    #[test]
    fn help_wins_over_missing_arguments() {
        assert!(parse(&["-h"]).unwrap().is_none());
    }
}
