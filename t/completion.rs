//! The completion of shells in `scripts/completion`: made from what the programs say with `-h`, which other tests hold
//! against their option tables. `UPDATE_MAN=1 cargo nextest run -p t -E 'test(completion)'` writes the files again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use t::binaries;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/completion");
const PROGRAMS: [&str; 5] = ["os4x_proxyserver2", "os4x_proxyclient2", "os4xapi", "oftp2check", "oftp2peer"];

/// For each beginning of a command line (`""`, `partner`, `partner add`): the words that may follow.
type Words = BTreeMap<String, Vec<String>>;

fn help(program: &str, command: &str) -> String {
    let output =
        Command::new(binaries::path(program)).args(command.split_whitespace()).arg("-h").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The options at the beginning of the lines of a help text.
fn options(help: &str) -> Vec<String> {
    let mut options = Vec::new();
    for line in
        help.lines().map(|line| line.trim_start_matches([' ', '['])).filter(|line| line.starts_with('-'))
    {
        let (named, _) = line.split_once("  ").or_else(|| line.split_once(':')).unwrap_or((line, ""));
        for word in named.split([',', ' ', ':', '|']).filter(|word| word.starts_with('-')) {
            let word = word.trim_end_matches(']').to_owned();
            if word.contains(|c: char| c.is_ascii_alphabetic()) && !options.contains(&word) {
                options.push(word);
            }
        }
    }
    options
}

/// The commands of `os4xapi -h` and `oftp2peer -h`: `partner add`, `serve`.
fn commands(program: &str, help: &str) -> Vec<String> {
    let lines = help.lines().filter_map(|line| line.strip_prefix("  "));
    let listed = lines.filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    let mut commands = Vec::new();
    for line in listed.filter_map(|line| line.split_once("  ").map(|(words, _)| words)) {
        let words = line.strip_prefix(program).unwrap_or(line).trim_end_matches(" ...").trim();
        let (group, last) =
            words.rsplit_once(' ').map_or((String::new(), words), |(g, l)| (format!("{g} "), l));
        commands.extend(last.split('|').map(|word| format!("{group}{word}")));
    }
    commands
}

fn words(program: &str) -> Words {
    let top = help(program, "");
    let mut words = Words::new();
    let mut add = |before: &str, word: &str| {
        let list = words.entry(before.to_owned()).or_default();
        if !list.iter().any(|known| known == word) {
            list.push(word.to_owned());
        }
    };
    for command in commands(program, &top) {
        let mut before = String::new();
        for word in command.split(' ') {
            add(&before, word);
            before = format!("{before} {word}").trim().to_owned();
        }
        for option in options(&help(program, &command)) {
            add(&command, &option);
        }
        add(&command, "-h");
    }
    for option in options(&top).iter().map(String::as_str).chain(["-h"]) {
        add("", option);
    }
    words
}

fn bash(program: &str, words: &Words) -> String {
    let mut text = format!(
        "# Completion of {program} for bash; made by t/completion.rs.\n_{program}() {{\n    \
         local current=${{COMP_WORDS[COMP_CWORD]}} before='' word words=''\n    \
         for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do\n        \
         [[ $word == -* ]] || before+=\"${{before:+ }}$word\"\n    done\n    while :; do\n        case $before in\n"
    );
    for (before, list) in words {
        writeln!(text, "        '{before}') words='{}' ;;", list.join(" ")).unwrap();
    }
    text += "        esac\n        \
             # Arguments follow a command: its options can be named after them, too.\n        \
             [[ -z $words && $before == *' '* ]] || break\n        before=${before% *}\n    done\n    \
             mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n}\n";
    writeln!(text, "complete -o default -F _{program} {program}").unwrap();
    text
}

fn zsh(program: &str, words: &Words) -> String {
    let mut text = format!(
        "#compdef {program}\n# Completion of {program} for zsh; made by t/completion.rs.\nlocal before='' word\n\
         local -a list\nfor word in \"${{(@)words[2,CURRENT-1]}}\"; do\n    \
         [[ $word == -* ]] || before+=\"${{before:+ }}$word\"\ndone\nwhile :; do\n    case $before in\n"
    );
    for (before, words) in words {
        writeln!(text, "    '{before}') list=({}) ;;", words.join(" ")).unwrap();
    }
    text += "    esac\n    [[ ${#list} -eq 0 && $before == *' '* ]] || break\n    before=${before% *}\ndone\n\
             compadd -- $list\n_files\n";
    text
}

fn fish(program: &str, words: &Words) -> String {
    let mut text = format!(
        "# Completion of {program} for fish; made by t/completion.rs.\nfunction __{program}_words\n    \
         set -l before (string match --invert -- '-*' (commandline -opc)[2..-1])\n    while true\n        \
         switch \"$before\"\n"
    );
    for (before, list) in words {
        let list = list.join(" ");
        let (case, print) = (format!("case '{before}'"), format!("string split ' ' -- '{list}'"));
        writeln!(text, "            {case}\n                {print}\n                return").unwrap();
    }
    text += "        end\n        test (count $before) -gt 1; or return\n        set -e before[-1]\n    end\nend\n";
    writeln!(text, "complete -c {program} -a '(__{program}_words)'").unwrap();
    text
}

#[test]
fn the_completion_is_that_of_the_programs() {
    for program in PROGRAMS {
        let words = words(program);
        assert!(words[""].len() > 3, "{program}: {words:?}");
        for (name, text) in [
            (program.to_owned(), bash(program, &words)),
            (format!("_{program}"), zsh(program, &words)),
            (format!("{program}.fish"), fish(program, &words)),
        ] {
            let path = format!("{FOLDER}/{name}");
            if std::env::var_os("UPDATE_MAN").is_some() {
                fs::write(&path, &text).unwrap();
            }
            let there = fs::read_to_string(&path).unwrap_or_default();
            assert!(
                there == text,
                "{path} is behind the programs: UPDATE_MAN=1 cargo nextest run -p t -E 'test(completion)'"
            );
        }
    }
}

/// What a real bash offers for the last of these words.
fn offered(program: &str, line: &[&str]) -> Vec<String> {
    let complete = format!("COMP_WORDS=({program} \"$@\"); COMP_CWORD=$#; _{program}");
    let script = format!("source '{FOLDER}/{program}'; {complete}; printf '%s\\n' \"${{COMPREPLY[@]}}\"");
    let output = Command::new("bash").args(["--norc", "-euc", &script, "bash"]).args(line).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_real_bash_completes_commands_and_options() {
    assert_eq!(offered("os4xapi", &["part"]), ["partner"]);
    assert_eq!(offered("os4xapi", &["partner", "re"]), ["remove"]);
    assert_eq!(offered("os4xapi", &["partner", "set", "--leg"]), ["--legacy-suites"]);
    assert_eq!(offered("os4xapi", &["partner", "set", "acme", "--leg"]), ["--legacy-suites"]);
    assert_eq!(offered("os4xapi", &["partner", "--leg"]), Vec::<String>::new());
    assert_eq!(offered("os4x_proxyserver2", &["--fore"]), ["--foreground"]);
    assert_eq!(offered("oftp2peer", &["send", "--proxy"]), ["--proxy-connect"]);
    assert_eq!(offered("oftp2check", &["--pro"]), ["--profile"]);
}
