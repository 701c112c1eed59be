//! Log files as os4x_proxy-log(5) describes them: reads lines in `os4x_layout`, and finds what the man page does not
//! describe. The black-box tests check every log with it. It does not use the daemons' own tables.

use std::collections::BTreeMap;
use std::io;

/// One line of a log file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// `20261122 09:21:10.167`.
    pub time: &'a str,
    /// `INFO`.
    pub level: &'a str,
    /// `os4x_proxyserver`.
    pub daemon: &'a str,
    /// The process that wrote it.
    pub pid: u32,
    /// Everything after that.
    pub text: &'a str,
}

impl<'a> Line<'a> {
    /// Reads one line; none if it is not in `os4x_layout`.
    pub fn read(line: &'a str) -> Option<Self> {
        let (time, rest) = line.split_at_checked(21)?;
        let shape = |octet: u8| if octet.is_ascii_digit() { b'0' } else { octet };
        if !time.bytes().map(shape).eq(*b"00000000 00:00:00.000") {
            return None;
        }
        let (level, rest) = rest.strip_prefix(' ')?.split_at_checked(8)?;
        let (daemon, rest) = rest.strip_prefix(' ')?.split_once('[')?;
        let (pid, text) = rest.split_once("] ")?;
        Some(Self { time, level: level.trim_end(), daemon, pid: pid.parse().ok()?, text })
    }

    /// The event, if the line is one: its first word.
    pub fn event(&self) -> &'a str {
        self.text.split(' ').next().unwrap_or_default()
    }

    /// The value of `key`, unescaped as far as it is text; none: there is no such field.
    pub fn field(&self, key: &str) -> Option<String> {
        fields(self.text)?.into_iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }
}

/// The `key=value` fields after the first word; none if anything else follows it.
pub fn fields(text: &str) -> Option<Vec<(&str, String)>> {
    let mut fields = Vec::new();
    let mut rest = text.split_once(' ').map_or("", |(_, rest)| rest);
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        if key.is_empty() || key.contains([' ', '"']) {
            return None;
        }
        let (value, after) = value(after)?;
        fields.push((key, value));
        rest = match after.strip_prefix(' ') {
            Some(more) => more,
            None if after.is_empty() => "",
            None => return None,
        };
    }
    Some(fields)
}

/// The value at the beginning of `text`, and the text after it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(' ').unwrap_or(text.len());
        let (plain, rest) = text.split_at(end);
        let whole = !plain.is_empty() && !plain.contains(['"', '\\', '=']);
        return whole.then(|| (plain.to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return quoted.get(at + 1..).map(|rest| (value, rest)),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                plain @ ('"' | '\\') => value.push(plain),
                // Other escapes stay as they are, because no test needs the character.
                other => value.extend(['\\', other]),
            },
            _ => value.push(character),
        }
    }
    None
}

/// The description of each event in os4x_proxy-log(5).
#[derive(Debug)]
pub struct Documented {
    events: BTreeMap<String, Event>,
}

#[derive(Debug, Default)]
struct Event {
    levels: Vec<String>,
    required: Vec<String>,
    optional: Vec<String>,
}

impl Documented {
    /// Reads the man page of this source tree.
    pub fn read() -> io::Result<Self> {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../man/os4x_proxy-log.5"))?;
        Ok(Self::of_page(&page))
    }

    fn of_page(page: &str) -> Self {
        let list = page.split(".\\\" events begin\n").nth(1).unwrap_or_default();
        let list = list.split(".\\\" events end\n").next().unwrap_or_default();
        let mut events = BTreeMap::new();
        let (mut current, mut levels) = (String::new(), Vec::new());
        for line in list.lines() {
            if let Some(item) = line.strip_prefix(".It Sy ") {
                let mut words = item.split(' ');
                words.next().unwrap_or_default().clone_into(&mut current);
                levels = words.nth(1).unwrap_or_default().split('|').map(str::to_owned).collect();
            } else if let Some(keys) = line.strip_prefix(".Cm ") {
                let (optional, required): (Vec<&str>, _) =
                    keys.split(' ').partition(|key| key.ends_with("?\\&"));
                let optional =
                    optional.into_iter().map(|key| key.trim_end_matches("?\\&").to_owned()).collect();
                let required = required.into_iter().map(str::to_owned).collect();
                let levels = std::mem::take(&mut levels);
                events.insert(current.clone(), Event { levels, required, optional });
            }
        }
        Self { events }
    }

    /// The names of the events.
    pub fn events(&self) -> impl Iterator<Item = &str> {
        self.events.keys().map(String::as_str)
    }

    /// The lines of the log file `text` that are not as documented, a sentence for each.
    pub fn faults(&self, text: &str) -> Vec<String> {
        let mut faults: Vec<String> =
            text.lines().filter_map(|line| self.fault(line).map(|what| format!("{what}: {line}"))).collect();
        if !text.is_empty() && !text.ends_with('\n') {
            faults.push("the last line has no end".to_owned());
        }
        faults
    }

    fn fault(&self, line: &str) -> Option<String> {
        let Some(read) = Line::read(line) else { return Some("not in os4x_layout".to_owned()) };
        let event = self.events.get(read.event())?;
        if !event.levels.iter().any(|level| level == read.level) {
            return Some(format!("the man page does not list the level {}", read.level));
        }
        let Some(fields) = fields(read.text) else { return Some("not key=value throughout".to_owned()) };
        let keys: Vec<&str> = fields.iter().map(|(key, _)| *key).collect();
        let known = |key: &str| event.required.iter().chain(&event.optional).any(|listed| listed == key);
        if let Some(key) = keys.iter().find(|key| !known(key)) {
            return Some(format!("the man page does not list the key {key}"));
        }
        if let Some(key) = event.required.iter().find(|listed| !keys.contains(&listed.as_str())) {
            return Some(format!("the key {key} is missing"));
        }
        if let Some((key, _)) =
            fields.iter().find(|(key, value)| value.is_empty() && event.optional.iter().any(|one| one == key))
        {
            return Some(format!("the key {key} is optional and empty"));
        }
        let twice =
            keys.iter().enumerate().find(|(at, key)| keys.iter().skip(at + 1).any(|other| other == *key));
        twice.map(|(_, key)| format!("the key {key} is there twice"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "20261122 09:21:10.167 INFO     os4x_proxyserver[4711] ";

    #[test]
    fn a_line_is_taken_apart() {
        let text = format!(r#"{HEAD}session_refused partner=ACME subject="CN=x\n\"y\" \\ \x1b" esid=03"#);
        let line = Line::read(&text).unwrap();
        assert_eq!((line.time, line.level), ("20261122 09:21:10.167", "INFO"));
        assert_eq!((line.daemon, line.pid), ("os4x_proxyserver", 4711));
        assert_eq!(line.event(), "session_refused");
        assert_eq!(line.field("subject").unwrap(), "CN=x\n\"y\" \\ \\x1b");
        assert_eq!(line.field("esid").unwrap(), "03");
        assert_eq!(line.field("reason"), None);
    }

    #[test]
    fn what_is_not_a_field_is_left_out() {
        assert_eq!(fields("level").unwrap(), []);
        assert_eq!(fields("level level=INFO").unwrap(), [("level", "INFO".to_owned())]);
        for text in
            ["a b", "a b=", "a b=c d", "a b=\"c", "a b=\"c\"d=e", "a =b", "a b=c  d=e", "a b=c\"d", "a b=c=d"]
        {
            assert_eq!(fields(text), None, "{text}");
        }
    }

    #[test]
    fn lines_are_held_against_the_man_page() {
        let page = concat!(
            ".\\\" events begin\n",
            ".It Sy pair Bq INFO|WARN , link\nX.\n.br\nKeys:\n.Cm address why?\\&\n",
            ".\\\" events end\n"
        );
        let documented = Documented::of_page(page);
        let fault = |text: &str| documented.fault(&format!("{HEAD}{text}"));
        assert_eq!(fault("pair address=1"), None);
        assert_eq!(fault("pair address=\"\" why=1"), None);
        assert_eq!(fault("pair address=1 why=\"\"").unwrap(), "the key why is optional and empty");
        assert_eq!(fault("free text, whatever it says"), None);
        let debug = HEAD.replace("INFO ", "DEBUG");
        let wrong_level = documented.fault(&format!("{debug}pair address=1")).unwrap();
        assert_eq!(wrong_level, "the man page does not list the level DEBUG");
        assert_eq!(fault("pair why=x").unwrap(), "the key address is missing");
        assert_eq!(fault("pair address=1 port=2").unwrap(), "the man page does not list the key port");
        assert_eq!(fault("pair address=1 address=2").unwrap(), "the key address is there twice");
        assert_eq!(fault("pair address=1 and more").unwrap(), "not key=value throughout");
        assert_eq!(documented.fault("pair address=1").unwrap(), "not in os4x_layout");
        assert_eq!(documented.faults(&format!("{HEAD}pair address=1")), ["the last line has no end"]);
    }

    #[test]
    fn the_man_page_is_read() {
        let documented = Documented::read().unwrap();
        for name in ["session_begin", "session_end", "session_refused", "level"] {
            assert!(documented.events().any(|event| event == name), "{name}");
        }
        assert_eq!(documented.events["level"].required, ["level"]);
        assert!(documented.events["session_end"].optional.contains(&"esid".to_owned()));
    }
}
