//! Comments and documents only cite files of this tree, and no papers that only some of us have.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The folders with sources and documents; the documents at the top are read, too.
const FOLDERS: [&str; 8] = ["api", "client", "common", "man", "scripts", "server", "t", ".ci"];

/// All files of the tree, relative to it, without files that cargo and the fuzzer make.
fn tree() -> BTreeSet<PathBuf> {
    let root = Path::new(WORKSPACE);
    let mut files = BTreeSet::new();
    for folder in FOLDERS {
        walk(&root.join(folder), &mut files);
    }
    let top = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files.extend(top);
    files.iter().map(|path| path.strip_prefix(root).unwrap().to_owned()).collect()
}

fn walk(folder: &Path, files: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_made = ["target", "corpus", "artifacts", "coverage"].iter().any(|name| path.ends_with(name));
        if path.is_dir() && !is_made {
            walk(&path, files);
        } else if path.is_file() {
            files.insert(path);
        }
    }
}

/// The lines of a file in which something can be cited, with their numbers from 1: comments, or all of a document.
fn citing(path: &Path, text: &str) -> Vec<(usize, String)> {
    let mark = match path.extension().and_then(|extension| extension.to_str()) {
        Some("rs") => "//",
        Some("toml" | "sh") | None => "#",
        Some("md" | "1" | "5" | "7" | "8") => "",
        Some(_) => return Vec::new(),
    };
    let lines = text.lines().zip(1..).filter(|(line, _)| line.trim_start().starts_with(mark));
    lines.map(|(line, number)| (number, line.to_owned())).collect()
}

/// A paper that is not in the tree, if the line cites one.
fn foreign(line: &str) -> Option<&'static str> {
    let line = line.to_lowercase();
    let has_number_after = |word: &str| {
        line.match_indices(word).any(|(at, _)| {
            let is_word = at == 0 || !line.as_bytes()[at - 1].is_ascii_alphanumeric();
            is_word && line[at + word.len()..].starts_with(|c: char| c.is_ascii_digit())
        })
    };
    let words = || line.split(|c: char| !c.is_ascii_alphanumeric());
    ["design.md", "house.md", "smartproxy.txt"]
        .into_iter()
        .find(|name| line.contains(name))
        .or_else(|| words().any(|word| word == "sheet").then_some("sheet"))
        .or_else(|| has_number_after("design ").then_some("design N"))
        .or_else(|| has_number_after("issue ").then_some("issue N"))
}

/// Words that look like a file of a source tree (a text file only with its folder), without patterns and addresses.
fn files_in(line: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-./*<>{}:@$".contains(c);
    let words = line.split(|c: char| !is_part(c)).map(|word| word.trim_matches(['.', ':', '-']));
    let is_file = |word: &&str| {
        let ending = word.rsplit_once('.').map(|(name, ending)| (!name.is_empty(), ending));
        let is_source = matches!(ending, Some((true, "rs" | "md" | "toml")));
        let is_text = matches!(ending, Some((true, "txt"))) && word.contains('/');
        (is_source || is_text) && !word.starts_with('/') && !word.contains(['*', '<', '{', ':', '@', '$'])
    };
    words.filter(is_file).map(str::to_owned).collect()
}

/// Whether the file `from` cites an existing file of the tree: by its whole path, from its folder, or by the end of its
/// path.
fn exists(tree: &BTreeSet<PathBuf>, from: &Path, cited: &str) -> bool {
    let near = Path::new(WORKSPACE).join(from).parent().unwrap().join(cited);
    near.exists() || tree.iter().any(|path| path.ends_with(cited))
}

#[test]
fn no_citation_leads_nowhere() {
    let tree = tree();
    let mut faults = Vec::new();
    let mut found = 0;
    for path in &tree {
        let Ok(text) = fs::read_to_string(Path::new(WORKSPACE).join(path)) else { continue };
        for (number, line) in citing(path, &text) {
            let place = format!("{}:{number}", path.display());
            faults.extend(foreign(&line).map(|paper| format!("{place} cites {paper}")));
            for cited in files_in(&line) {
                found += 1;
                if !exists(&tree, path, &cited) {
                    faults.push(format!("{place} cites {cited}, which does not exist"));
                }
            }
        }
    }
    assert!(found > 100, "{found} citations");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn citations_are_recognized() {
    for (line, paper) in [
        ("as design 5.2 says", Some("design N")),
        ("The design.md has it", Some("design.md")),
        ("(oftp2 sheet, section 11)", Some("sheet")),
        ("see Issue 7", Some("issue N")),
        ("a redesign 5 times, the issue is another", None),
    ] {
        assert_eq!(foreign(line), paper, "{line}");
    }
    let line =
        "`a/b.rs`, c.md; see order.txt and t/x.txt. Not https://x.y/z.md, *.toml, /etc/a.toml, e.g. or lib.";
    assert_eq!(files_in(line), ["a/b.rs", "c.md", "t/x.txt"]);
}
