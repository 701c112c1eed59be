//! Creates files either completely or not at all, and never replaces another file (PID files and identity keys). Tells
//! whether a file has changed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;
use std::process;

/// A file as the file system identifies it, independent of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inode {
    device: u64,
    number: u64,
}

impl Inode {
    /// The file that has the name `path` now.
    ///
    /// # Errors
    /// There is no such file, or it cannot be seen.
    pub fn of(path: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        Ok(Self { device: found.dev(), number: found.ino() })
    }

    /// The file that is open as `file`, whatever its name is now.
    ///
    /// # Errors
    /// It cannot be seen.
    pub fn of_open(file: &File) -> io::Result<Self> {
        let found = file.metadata()?;
        Ok(Self { device: found.dev(), number: found.ino() })
    }
}

/// One state of a file's content: device and inode, size in octets, and the time of the last change (ctime) in
/// nanoseconds. The time of the last modification (mtime) is not enough: `cp -p` and `mv` keep an old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileState {
    inode: Inode,
    size: u64,
    changed: (i64, i64),
}

impl FileState {
    /// The state of the file that `path` leads to now, through symbolic links; none if there is no file or it cannot be
    /// seen. Take the state before you read the file: a change between the two calls is then found the next time.
    pub fn of(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        Some(Self {
            inode: Inode { device: found.dev(), number: found.ino() },
            size: found.len(),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

/// Creates `path` with `contents` and exactly `mode`; fails with `AlreadyExists` if the name is taken. If root creates
/// it, the file belongs to the owner of its directory.
///
/// # Errors
/// Something has that name, or the file cannot be written there. No file is left then.
pub fn create_whole(path: &Path, mode: u32, contents: &[u8]) -> io::Result<Inode> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let draft = directory.join(format!(".{}.{}", name.to_string_lossy(), process::id()));
    // A draft with our PID was left by a process that has died, so no process uses it.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // link() never replaces a name. So only one of several processes succeeds, and no reader sees an incomplete file.
    let created = write_draft(&draft, directory, mode, contents)
        .and_then(|()| fs::hard_link(&draft, path))
        .and_then(|()| Inode::of(&draft));
    let _ = fs::remove_file(&draft);
    created
}

fn write_draft(draft: &Path, directory: &Path, mode: u32, contents: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode & 0o600).open(draft)?;
    if nix::unistd::geteuid().is_root() {
        let owner = fs::metadata(directory)?;
        fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(contents)?;
    file.sync_all()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{FileState, Inode, create_whole};
    use std::fs;
    use std::io::ErrorKind;
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};

    /// A directory of one test; gone with it.
    pub(crate) struct Scratch(PathBuf);

    impl Scratch {
        pub(crate) fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("os4x-common-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        pub(crate) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_in_the_place_of_another_is_a_change_whatever_its_times_say() {
        let scratch = Scratch::new("state");
        let (path, other) = (scratch.path().join("a.lic"), scratch.path().join("b.lic"));
        assert_eq!(FileState::of(&path), None);
        fs::write(&path, "one").unwrap();
        fs::write(&other, "two").unwrap();
        let before = FileState::of(&path).unwrap();
        assert_eq!(FileState::of(&path), Some(before));
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        fs::File::options().write(true).open(&other).unwrap().set_modified(modified).unwrap();
        fs::rename(&other, &path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), modified);
        assert_ne!(FileState::of(&path), Some(before));
        fs::write(&path, "longer").unwrap();
        assert_ne!(FileState::of(&path), Some(before));
    }

    #[test]
    fn a_file_appears_whole_and_never_over_another() {
        let scratch = Scratch::new("file");
        let path = scratch.path().join("a.key");
        let inode = create_whole(&path, 0o640, b"first").unwrap();
        assert_eq!(Inode::of(&path).unwrap(), inode);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
        assert_eq!(create_whole(&path, 0o640, b"second").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
    }
}
