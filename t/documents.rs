//! Compares documents with code: everything that the manual pages, README and t/BEHAVIOUR.md name must exist, and
//! everything that exists must be there. Unit tests beside the tables compare log lines and os4xapi(8); this file has
//! the rest, and the references.

use common::process::end_reasons::Status;
use nix::errno::Errno;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use t::binaries;

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The documents beside the manual pages.
const DOCUMENTS: [&str; 8] = [
    "README.md",
    "ARCHITECTURE.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "RELEASING.md",
    "CHANGELOG.md",
    "t/BEHAVIOUR.md",
    "t/fuzz/README.md",
];

type Words = BTreeSet<String>;

fn read(path: &str) -> String {
    let whole = Path::new(WORKSPACE).join(path);
    fs::read_to_string(&whole).unwrap_or_else(|why| panic!("{}: {why}", whole.display()))
}

/// The manual pages, `name.section`.
fn pages() -> Words {
    let entries = fs::read_dir(Path::new(WORKSPACE).join("man")).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.path().is_file());
    files.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// The options in the `-h` of a program or one of its commands: those at the beginning of a line.
fn options_in_help(program: &str, command: Option<&str>) -> Words {
    let output = Command::new(binaries::path(program)).args(command).arg("-h").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let starts = help.lines().map(|line| line.trim_start_matches([' ', '[']));
    let options = starts.filter(|line| line.starts_with('-')).flat_map(|line| {
        let (named, _) = line.split_once("  ").or_else(|| line.split_once(':')).unwrap_or((line, ""));
        named.split([',', ' ', ':']).filter(|word| is_option(word)).map(str::to_owned).collect::<Words>()
    });
    options.collect()
}

fn is_option(word: &str) -> bool {
    word.starts_with('-') && word.contains(|c: char| c.is_ascii_alphabetic())
}

/// The options with their own entry in a manual page.
fn options_in_page(page: &str) -> Words {
    let text = read(&format!("man/{page}"));
    let entries = text.lines().filter_map(|line| line.strip_prefix(".It Fl "));
    entries
        .flat_map(|entry| format!(" , Fl {entry}").split(" , Fl ").map(first_word).collect::<Vec<_>>())
        .filter(|name| !name.is_empty())
        .map(|name| format!("-{name}"))
        .collect()
}

fn first_word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or_default().to_owned()
}

/// The text of a section of a manual page.
fn section<'a>(text: &'a str, title: &str) -> &'a str {
    let (_, rest) =
        text.split_once(&format!(".Sh {title}\n")).unwrap_or_else(|| panic!("no section {title}"));
    rest.split_once("\n.Sh ").map_or(rest, |(section, _)| section)
}

#[test]
fn each_option_stands_in_help_and_manual() {
    for (program, page) in [
        ("os4x_proxyserver2", "os4x_proxyserver2.8"),
        ("os4x_proxyclient2", "os4x_proxyclient2.8"),
        ("oftp2check", "oftp2check.1"),
    ] {
        let help = options_in_help(program, None);
        assert!(help.len() > 3, "{program}: {help:?}");
        assert_eq!(help, options_in_page(page), "{program}: left the help, right the manual");
    }
}

#[test]
fn each_option_of_oftp2peer_stands_in_help_and_manual() {
    let mut help: Words = ["-h", "--help"].map(str::to_owned).into();
    for command in ["send", "receive", "ca"] {
        let options = options_in_help("oftp2peer", Some(command));
        assert!(options.len() > 8, "{command}: {options:?}");
        help.extend(options);
    }
    assert_eq!(help, options_in_page("oftp2peer.1"), "left the help, right the manual");
}

#[test]
fn the_manual_lists_the_statuses_that_the_daemons_end_with() {
    let ours: Words =
        [Status::Normal, Status::Failed, Status::Usage].map(|status| status.number().to_string()).into();
    for page in ["os4x_proxyserver2.8", "os4x_proxyclient2.8"] {
        let text = read(&format!("man/{page}"));
        let listed = section(&text, "EXIT STATUS").lines().filter_map(|line| line.strip_prefix(".It "));
        assert_eq!(listed.map(str::to_owned).collect::<Words>(), ours, "{page}");
    }
}

#[test]
fn the_page_of_symptoms_knows_every_reason() {
    let log = read("man/os4x_proxy-log.5");
    let (_, words) = log.split_once("words begin\n").unwrap();
    let (words, _) = words.split_once("words end\n").unwrap();
    let reasons: Vec<&str> = words
        .lines()
        .filter_map(|line| line.strip_prefix(".It Cm "))
        .map(|line| line.split_once(' ').unwrap().0)
        .collect();
    assert!(reasons.len() > 35, "{reasons:?}");
    let page = read("man/os4x_smartproxy-trouble.7");
    let told: Words = page
        .lines()
        .filter_map(|line| line.strip_prefix(".It Li "))
        .flat_map(|line| line.split(" , ").map(str::to_owned).collect::<Vec<_>>())
        .collect();
    // Ends of a daemon or a start, which have their own sections; and the end of every good session.
    let others = ["normal", "failed", "usage"];
    for reason in reasons.iter().filter(|reason| !others.contains(reason)) {
        assert!(told.contains(*reason), "the page of symptoms has no {reason}");
    }
}

/// What SECURITY.md says that an attacker cannot do is held by a test, which the same point names.
#[test]
fn each_promise_of_the_threat_model_names_its_test() {
    let text = read("SECURITY.md");
    let (_, model) = text.split_once("\n## Threat model\n").unwrap();
    let (model, _) = model.split_once("\n## ").unwrap();
    let mut promises = 0;
    for point in model.split("\n* ").skip(1).map(|point| point.split("\n\n").next().unwrap()) {
        if !point.starts_with("Cannot ") {
            continue;
        }
        promises += 1;
        let files: Vec<&str> = point.split('`').skip(1).step_by(2).collect();
        let is_test = |file: &&str| {
            let is_source = Path::new(file).extension().is_some_and(|extension| extension == "rs");
            is_source && (file.starts_with("t/") || file.starts_with("api/tests/"))
        };
        let tests: Vec<&str> = files.into_iter().filter(is_test).collect();
        assert!(!tests.is_empty(), "no test is named: {point}");
        for test in tests {
            assert!(read(test).contains("#[test]"), "{test}: {point}");
        }
    }
    assert!(promises > 20, "{promises}");
}

/// Joins lines that continue after a `\\` at their end.
fn joined(source: &str) -> String {
    let mut lines = source.split("\\\n");
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |text, line| text + line.trim_start())
}

/// The page of symptoms quotes the exact texts, because people search for them.
#[test]
fn the_page_of_symptoms_quotes_what_the_programs_say() {
    let packages = ["common", "server", "client", "api"].map(crate::imports::sources);
    // A text that continues in the next line of its source is one text.
    let sources: Vec<String> =
        packages.iter().flat_map(|package| package.values().map(|text| joined(text))).collect();
    let page = read("man/os4x_smartproxy-trouble.7");
    let quotes: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix(".It Ql ")).collect();
    assert!(quotes.len() > 20, "{quotes:?}");
    let of_the_system = [Errno::EADDRINUSE, Errno::ETIMEDOUT].map(Errno::desc);
    for quote in quotes.iter().filter(|quote| !of_the_system.contains(quote)) {
        let is_said = |part: &str| sources.iter().any(|source| source.contains(part));
        assert!(quote.split(" ... ").all(is_said), "no program says '{quote}'");
    }
}

#[test]
fn references_between_manual_pages_lead_somewhere() {
    let pages = pages();
    let ours = |name: &str| name.starts_with("os4x") || name.starts_with("oftp2");
    for page in &pages {
        let text = read(&format!("man/{page}"));
        for (name, number) in text.lines().filter_map(reference).filter(|(name, _)| ours(name)) {
            assert!(pages.contains(&format!("{name}.{number}")), "{page} refers to {name}({number})");
        }
        let (name, number) = page.rsplit_once('.').unwrap();
        assert!(text.contains(&format!("\n.Dt {} {number}\n", name.to_uppercase())), "{page}: .Dt");
    }
}

/// The page that an `Xr` on this line names.
fn reference(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.strip_prefix('.')?.split_once("Xr ")?;
    let mut words = rest.split_whitespace();
    Some((words.next()?, words.next()?))
}

#[test]
fn readme_lists_every_manual_page() {
    let readme = read("README.md");
    for page in pages() {
        assert!(readme.contains(&format!("(man/{page})")), "README.md has no link to man/{page}");
    }
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut documents = Vec::new();
    files(&Path::new(WORKSPACE).join("man/doc"), "md", &mut documents);
    assert!(documents.len() > 10, "{documents:?}");
    documents.extend(DOCUMENTS.iter().map(|document| Path::new(WORKSPACE).join(document)));
    for document in &documents {
        let (text, name) = (fs::read_to_string(document).unwrap(), document.display());
        let folder = document.parent().unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(
                link.starts_with("https://") || leads_somewhere(document, folder, link),
                "{name}: {link}"
            );
        }
        for path in paths_in(&text) {
            assert!(leads_somewhere(document, Path::new(WORKSPACE), &path), "{name} names {path}");
        }
    }
}

/// Whether `link`, a path from `folder` and perhaps `#` and a heading, exists; without a path the heading is in
/// `document`.
fn leads_somewhere(document: &Path, folder: &Path, link: &str) -> bool {
    let (path, heading) = link.split_once('#').map_or((link, None), |(path, heading)| (path, Some(heading)));
    let file = if path.is_empty() { document.to_owned() } else { folder.join(path) };
    file.exists() && heading.is_none_or(|heading| headings(&file).contains(heading))
}

/// The headings of a document in the form of links: lower case, hyphens, no other marks.
fn headings(file: &Path) -> Words {
    let text = fs::read_to_string(file).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#'));
    let slug = |heading: &str| {
        let letters = heading.trim().to_lowercase().replace(' ', "-");
        letters.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
    };
    headings.map(slug).collect()
}

#[test]
fn citations_in_sources_lead_somewhere() {
    let mut sources = Vec::new();
    for root in ["api", "client", "common", "server", "t"] {
        files(&Path::new(WORKSPACE).join(root), "rs", &mut sources);
    }
    let root = Path::new(WORKSPACE);
    let mut citations = 0;
    for source in sources {
        let (text, name) = (fs::read_to_string(&source).unwrap(), source.display());
        for comment in text.lines().filter_map(|line| line.split_once("//").map(|(_, comment)| comment)) {
            for citation in comment.split("`man/doc/").skip(1).filter_map(|rest| rest.split('`').next()) {
                citations += 1;
                assert!(leads_somewhere(root, &root.join("man/doc"), citation), "{name} cites {citation}");
            }
        }
    }
    assert!(citations > 4, "{citations}");
}

/// Words that look like a path of this repository: `` `common/src/lib.rs` ``, `` `scripts/check` ``.
fn paths_in(text: &str) -> Words {
    const ROOTS: [&str; 8] = ["api", "client", "common", "man", "scripts", "server", "t", ".ci"];
    let quoted = text.split('`').skip(1).step_by(2).map(first_word);
    quoted
        .filter(|word| word.split_once('/').is_some_and(|(root, _)| ROOTS.contains(&root)))
        .filter(|word| !word.contains(['<', '*', '{', ':']))
        .collect()
}

#[test]
fn each_promise_has_a_test_or_is_still_to_come() {
    let tests = tests_of_the_workspace();
    let text = read("t/BEHAVIOUR.md");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| B-")).collect();
    assert!(rows.len() > 60, "{} rows", rows.len());
    for (at, row) in rows.iter().enumerate() {
        let columns: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [number, promise, held_by] = columns[..] else { panic!("three columns: {row}") };
        assert_eq!(number, format!("B-{:02}", at + 1), "numbered in order");
        assert!(!promise.is_empty(), "{row}");
        let named: Vec<&str> = held_by.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty() || held_by == "still to come" || held_by.starts_with("not ours:"), "{row}");
        for test in named {
            assert!(tests.contains(test), "{number} names the test {test}, which does not exist");
        }
    }
}

/// All tests, as `module::name` with the module of the file.
fn tests_of_the_workspace() -> Words {
    let mut sources = Vec::new();
    for root in ["api", "client", "common", "server", "t"] {
        files(&Path::new(WORKSPACE).join(root), "rs", &mut sources);
    }
    let mut tests = Words::new();
    for file in sources {
        let text = fs::read_to_string(&file).unwrap();
        let module = module_of(&file);
        for rest in text.split("#[test]").skip(1) {
            let Some((_, rest)) = rest.split_once("fn ") else { continue };
            let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            tests.insert(format!("{module}::{name}"));
        }
    }
    tests
}

/// The files below `folder` whose names end in `extension`.
fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|its| its == extension) {
            found.push(path);
        }
    }
}

/// `licence` for `licence.rs`, and for `tests.rs` and `mod.rs` in a folder `licence` too.
fn module_of(file: &Path) -> String {
    let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
    let parent = file.parent().and_then(Path::file_name).unwrap().to_string_lossy().into_owned();
    match stem.as_str() {
        "tests" | "mod" if parent == "tests" => module_of(file.parent().unwrap()),
        "tests" | "mod" => parent,
        _ => stem,
    }
}
