//! Statements: all are made here, so that none stays prepared on a connection. With a pooler, the next transaction has
//! another connection, which may have another prepared statement of the same name.

use sqlx::query::Query;
use sqlx::{Any, Database, SqlSafeStr};

/// A statement and its values.
pub(crate) type Statement<'q> = Query<'q, Any, <Any as Database>::Arguments>;

/// A statement that is prepared for one use.
pub(crate) fn query<'q>(sql: impl SqlSafeStr) -> Statement<'q> {
    sqlx::query(sql).persistent(false)
}

/// `($1, $2), ($3, $4)`: places for the values of this number of rows and columns.
pub(crate) fn places(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let places: Vec<String> =
            (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::places;
    use std::path::Path;

    #[test]
    fn each_value_has_a_place_of_its_own() {
        assert_eq!(places(2, 3), "($1, $2, $3), ($4, $5, $6)");
        assert_eq!(places(1, 1), "($1)");
    }

    /// Files that contain a statement which is made elsewhere.
    fn strays(directory: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(strays(&path));
            } else if !path.ends_with("db/statement.rs")
                && std::fs::read_to_string(&path).unwrap().contains("sqlx::query")
            {
                found.push(path.display().to_string());
            }
        }
        found
    }

    #[test]
    fn no_statement_is_made_anywhere_else() {
        assert_eq!(strays(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))), Vec::<String>::new());
    }
}
