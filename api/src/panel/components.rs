//! The programs of others that are built into ours, with their versions and licences. The list is made from `cargo
//! metadata`: a test compares it, and writes it anew with `UPDATE_MAN=1`.

use super::Panel;
use super::fields::Fields;
use super::gate::SignedIn;
use super::list::{Format, List};
use super::page::{Fault, Frame};
use super::table::{Cell, Column, Table};
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use std::sync::Arc;

/// The path of this page.
pub(super) const PATH: &str = "/components";

/// Name, version and licence, separated by tabs, one component in a line.
const LIST: &str = include_str!("../../assets/components.tsv");

/// A component.
#[derive(Serialize)]
struct Component {
    name: &'static str,
    version: &'static str,
    /// An expression of SPDX.
    licence: &'static str,
}

/// All of them.
fn all() -> impl Iterator<Item = Component> {
    LIST.lines().filter_map(|line| {
        let mut cells = line.split('\t');
        Some(Component { name: cells.next()?, version: cells.next()?, licence: cells.next()? })
    })
}

/// The page with the list, or the list as a file.
pub(super) async fn list(
    State(_): State<Arc<Panel>>,
    SignedIn(visitor, known): SignedIn,
    fields: Fields,
    format: Format,
) -> Result<Response, Fault> {
    let w = visitor.words;
    let rows = all().map(|one| vec![Cell::text(one.name), Cell::text(one.version), Cell::text(one.licence)]);
    let table = Table {
        part: "components",
        caption: w.components.to_owned(),
        columns: vec![Column::text(w.name), Column::text(w.version), Column::wide(w.licence)],
        rows: rows.collect(),
        empty: "",
    };
    let mut list = List::new(Frame::for_user(&visitor, &known, w.components), PATH, &fields, format, table);
    list.intro = w.components_intro;
    list.respond(&all().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::{LIST, all};
    use serde_json::Value;
    use std::collections::{BTreeMap, BTreeSet};
    use std::process::Command;

    /// The programs that are installed.
    const PROGRAMS: [&str; 3] = ["os4xapi", "os4x_proxyserver2", "os4x_proxyclient2"];

    /// What cargo knows about the workspace and all its dependencies on Linux.
    fn metadata() -> Value {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let options = ["--format-version=1", "--offline", "--locked", "--filter-platform"];
        let output = Command::new(cargo)
            .arg("metadata")
            .args(options)
            .arg("x86_64-unknown-linux-gnu")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The list as it has to be: what our programs use, apart from what only builds or tests them.
    fn expected() -> String {
        let metadata = metadata();
        let list = |value: &Value| value.as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let nodes: BTreeMap<String, Value> =
            list(&metadata["resolve"]["nodes"]).into_iter().map(|node| (text(&node["id"]), node)).collect();
        let packages = list(&metadata["packages"]);
        let ours = packages.iter().filter(|package| PROGRAMS.contains(&text(&package["name"]).as_str()));
        let mut waiting: Vec<String> = ours.map(|package| text(&package["id"])).collect();
        let mut used = BTreeSet::new();
        while let Some(id) = waiting.pop() {
            if !used.insert(id.clone()) {
                continue;
            }
            for dependency in list(&nodes[&id]["deps"]) {
                if list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null()) {
                    waiting.push(text(&dependency["pkg"]));
                }
            }
        }
        let of_others =
            packages.iter().filter(|one| used.contains(&text(&one["id"])) && !one["source"].is_null());
        let line = |one: &Value| {
            // The older way to write 'or'.
            let licence = text(&one["license"]).replace(" / ", " OR ").replace('/', " OR ");
            format!("{}\t{}\t{licence}\n", text(&one["name"]), text(&one["version"]))
        };
        of_others.map(line).collect::<BTreeSet<_>>().into_iter().collect()
    }

    #[test]
    fn the_components_are_those_that_cargo_builds_in() {
        let expected = expected();
        if std::env::var_os("UPDATE_MAN").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/components.tsv");
            std::fs::write(path, &expected).unwrap();
        } else {
            assert_eq!(LIST, expected, "UPDATE_MAN=1 cargo test -p os4xapi writes it");
        }
        assert!(all().count() > 100);
        assert!(all().all(|one| !one.version.is_empty() && !one.licence.is_empty()));
    }
}
