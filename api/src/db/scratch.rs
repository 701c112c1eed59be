//! For tests: a database in a temporary directory, removed with its owner, and a runtime to use it on. Every test has
//! its own. It has tables without rows; each test writes what it needs.

use super::{Creation, Db, Location};
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory for one test.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("os4xapi-unit-{}-{number}", std::process::id()));
        // Its name has the ID of this process: an existing one was left by an earlier process.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// The location of its database, which may not exist yet.
    pub(crate) fn location(&self) -> Location {
        Location::File(self.0.join("test.db"))
    }

    /// A file in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The names of the files in it.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Creates the tables and opens them; they are empty.
    pub(crate) async fn open(&self) -> Db {
        Creation::begin(&self.location()).await.unwrap().finish().await.unwrap();
        Db::open(&self.location()).await.unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs a test's future.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}
