//! The command line of `oftp2check`.

use crate::input::Format;
use common::oftp::Profile;
use std::ffi::OsString;
use std::fmt;

/// `-h`.
pub(crate) const HELP: &str = "\
Usage: oftp2check [-hj] [-f json|log] [-p strict|tolerant] FILE...

Decodes OFTP2 traces and the buffers of TRACE logs, and says whether they are legal.

  -f, --format FORMAT    json or log; without it the file's first octet decides
  -h, --help             this text
  -j, --json             one JSON line for each trace and profile
  -p, --profile PROFILE  strict or tolerant; without it both

FILE - is the standard input.
Exit status: 0 all legal, 1 not all, 2 a file is unreadable, 64 a wrong option.
";

/// The action that the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Help,
    Check(Options),
}

/// What to check and how to show it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) files: Vec<String>,
    /// None: detect it from the file.
    pub(crate) format: Option<Format>,
    pub(crate) profiles: Vec<Profile>,
    pub(crate) json: bool,
}

/// A command line that is not valid.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    Option(String),
    Format(String),
    Profile(String),
    NoFile,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(reason) => write!(f, "{reason}.")?,
            Self::Format(name) => write!(f, "The format {name:?} is neither json nor log.")?,
            Self::Profile(name) => write!(f, "The profile {name:?} is neither strict nor tolerant.")?,
            Self::NoFile => f.write_str("No file is named.")?,
        }
        f.write_str(" oftp2check -h shows the options.")
    }
}

/// Reads the arguments behind the program's name.
pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Wish, Problem> {
    let mut known = getopts::Options::new();
    known
        .optopt("f", "format", "", "")
        .optflag("h", "help", "")
        .optflag("j", "json", "")
        .optopt("p", "profile", "", "");
    let given = known.parse(arguments).map_err(|fail| Problem::Option(fail.to_string()))?;
    if given.opt_present("h") {
        return Ok(Wish::Help);
    }
    let format = match given.opt_str("f").as_deref() {
        None => None,
        Some("json") => Some(Format::Json),
        Some("log") => Some(Format::Log),
        Some(other) => return Err(Problem::Format(other.to_owned())),
    };
    let profiles = match given.opt_str("p").as_deref() {
        None => vec![Profile::STRICT, Profile::TOLERANT],
        Some("strict") => vec![Profile::STRICT],
        Some("tolerant") => vec![Profile::TOLERANT],
        Some(other) => return Err(Problem::Profile(other.to_owned())),
    };
    if given.free.is_empty() {
        return Err(Problem::NoFile);
    }
    Ok(Wish::Check(Options { json: given.opt_present("j"), files: given.free, format, profiles }))
}

#[cfg(test)]
mod tests {
    use super::{Problem, Wish, parse};
    use common::oftp::Profile;

    fn parsed(line: &str) -> Result<Wish, Problem> {
        parse(line.split(' ').map(Into::into))
    }

    #[test]
    fn both_profiles_unless_one_is_chosen() {
        let Ok(Wish::Check(both)) = parsed("a b") else { panic!("files are named") };
        assert_eq!((both.files.len(), both.profiles.len(), both.json), (2, 2, false));
        let Ok(Wish::Check(one)) = parsed("--json --profile tolerant a") else { panic!("a file is named") };
        assert_eq!((one.profiles, one.json), (vec![Profile::TOLERANT], true));
    }

    #[test]
    fn wrong_options_are_named() {
        assert_eq!(parsed("-p lax a"), Err(Problem::Profile("lax".into())));
        assert_eq!(parsed("-f pcap a"), Err(Problem::Format("pcap".into())));
        assert_eq!(parsed("--json"), Err(Problem::NoFile));
        assert!(matches!(parsed("-x a"), Err(Problem::Option(_))));
        assert_eq!(parsed("-h"), Ok(Wish::Help));
    }
}
