//! The imports of the daemons and of their common code, file by file: no file imports itself through others. And the
//! methods of a parent are in a few files only.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A module by its path below the crate; the root has none.
type Module = Vec<String>;

/// The sources of a package by module, without tests and without separate programs.
pub(crate) fn sources(package: &str) -> BTreeMap<Module, String> {
    let mut sources = BTreeMap::new();
    read_folder(&Path::new(WORKSPACE).join(package).join("src"), &[], &mut sources);
    assert!(sources.len() > 10, "{package}: {} files", sources.len());
    sources
}

fn read_folder(folder: &Path, module: &[String], sources: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_left_out = name == "tests" || name.ends_with("_tests") || name == "bin";
        if is_left_out {
            continue;
        }
        let own = [module, std::slice::from_ref(&name)].concat();
        if path.is_dir() {
            read_folder(&path, &own, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let is_of_folder = ["mod", "lib", "main"].contains(&name.as_str());
            let text = fs::read_to_string(&path).unwrap();
            let (code, _) = text.split_once("#[cfg(test)]\nmod tests {").unwrap_or((&text, ""));
            sources.insert(if is_of_folder { module.to_vec() } else { own }, code.to_owned());
        }
    }
}

/// The full paths in the `use` declarations at the left margin.
fn used(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        let before = rest[..at].rsplit('\n').next().unwrap_or_default();
        rest = &rest[at + 4..];
        let is_declaration = before.is_empty() || before.starts_with("pub") && before.ends_with(' ');
        if let (true, Some((tree, _))) = (is_declaration, rest.split_once(';')) {
            expand(&tree.split_whitespace().collect::<Vec<_>>().join(" "), &mut paths);
        }
    }
    paths
}

/// `a::{b, c::{d, e}}` is `a::b`, `a::c::d`, `a::c::e`.
fn expand(tree: &str, paths: &mut Vec<String>) {
    let Some((prefix, inner)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        paths.extend((!path.is_empty()).then(|| path.to_owned()));
        return;
    };
    let inner = inner.trim_end().trim_end_matches(',').strip_suffix('}').unwrap_or(inner);
    let (mut depth, mut branch) = (0, String::new());
    for c in inner.chars().chain([',']) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if c == ',' && depth == 0 {
            expand(&format!("{prefix}{}", branch.trim()), paths);
            branch.clear();
        } else {
            branch.push(c);
        }
    }
}

/// The module that `path` means when `from` uses it: the deepest one on the path.
fn target(sources: &BTreeMap<Module, String>, from: &Module, path: &str) -> Option<Module> {
    let mut names = path.split("::").map(str::trim).peekable();
    let mut module = match *names.peek()? {
        "crate" => {
            names.next();
            Module::new()
        }
        "self" => {
            names.next();
            from.clone()
        }
        "super" => {
            let mut module = from.clone();
            while names.next_if_eq(&"super").is_some() {
                module.pop();
            }
            module
        }
        name if sources.contains_key(&[from.clone(), vec![name.to_owned()]].concat()) => from.clone(),
        _ => return None,
    };
    for name in names {
        let deeper = [module.clone(), vec![name.to_owned()]].concat();
        if !sources.contains_key(&deeper) {
            break;
        }
        module = deeper;
    }
    (module != *from && sources.contains_key(&module)).then_some(module)
}

type Imports = BTreeMap<Module, BTreeSet<Module>>;

fn imports(sources: &BTreeMap<Module, String>) -> Imports {
    let targets = |from, code| used(code).iter().filter_map(|path| target(sources, from, path)).collect();
    sources.iter().map(|(from, code)| (from.clone(), targets(from, code))).collect()
}

/// The shortest path from a module back to itself, if there is one.
fn circle(imports: &Imports, start: &Module) -> Option<Vec<Module>> {
    let mut ways = VecDeque::from([vec![start.clone()]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for next in &imports[way.last()?] {
            let longer = [way.clone(), vec![next.clone()]].concat();
            if next == start {
                return Some(longer);
            }
            if seen.insert(next.clone()) {
                ways.push_back(longer);
            }
        }
    }
    None
}

/// Each circle once, as text.
fn circles(imports: &Imports) -> Vec<String> {
    let mut known = BTreeSet::new();
    let mut circles = Vec::new();
    for module in imports.keys() {
        let Some(way) = circle(imports, module) else { continue };
        if known.insert(way.iter().cloned().collect::<BTreeSet<_>>()) {
            let names = way.iter().map(|m| if m.is_empty() { "crate".to_owned() } else { m.join("::") });
            circles.push(names.collect::<Vec<_>>().join(" -> "));
        }
    }
    circles
}

#[test]
fn imports_have_no_circle() {
    let mut found = Vec::new();
    for package in ["common", "server", "client"] {
        let imports = imports(&sources(package));
        let count: usize = imports.values().map(BTreeSet::len).sum();
        assert!(count > 50, "{package}: {count} imports");
        found.extend(circles(&imports).into_iter().map(|circle| format!("{package}: {circle}")));
    }
    assert!(found.is_empty(), "files that import each other:\n{}", found.join("\n"));
}

#[test]
fn a_parent_has_its_methods_in_three_files_at_most() {
    for package in ["server", "client"] {
        let is_impl = |line: &str| line.starts_with("impl Parent ") || line.starts_with("impl<'a> Parent<");
        let sources = sources(package);
        let found = sources.iter().filter(|(_, code)| code.lines().any(is_impl));
        let names: Vec<String> = found.map(|(module, _)| module.join("::")).collect();
        assert!((1..=3).contains(&names.len()), "{package}: impl Parent is in {names:?}");
    }
}

#[test]
fn a_circle_is_found_and_printed_once() {
    let sources: BTreeMap<Module, String> = [
        ("", "mod a;\nuse a::x;"),
        ("a", "pub use crate::b::{\n    One,\n    c::{Two, Three as T},\n};\nuse std::fmt;"),
        ("b", "use super::d;\nmod c;"),
        ("b::c", "pub(super) use super::super::a::X;"),
        ("d", "fn f() {\n    use crate::a;\n}\nuse self::Own;"),
    ]
    .map(|(path, code)| {
        (path.split("::").filter(|s| !s.is_empty()).map(str::to_owned).collect(), code.to_owned())
    })
    .into();
    assert_eq!(circles(&imports(&sources)), ["a -> b::c -> a"]);
}
