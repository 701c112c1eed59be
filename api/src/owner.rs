//! The owner of the backend's files. Files that root makes are given to the owner of their folder, as the daemons do,
//! so that a `serve` that runs as that owner can use them. Changes only files of root.

use nix::unistd::{AccessFlags, Uid, User, access, geteuid};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

/// Gives the open file at `path` to the owner of its folder, if it belongs to root and this process runs as root.
pub(crate) fn give(file: &File, path: &Path) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let (found, folder) = (file.metadata()?, folder(path).metadata()?);
    // A file with a second name may be one of the system's, which the owner of the folder has linked there.
    if found.uid() != 0 || !found.is_file() || found.nlink() != 1 || folder.uid() == 0 {
        return Ok(());
    }
    fchown(file, Some(folder.uid()), Some(folder.gid()))
}

/// The same for an existing file. If it cannot be given, it is not changed.
pub(crate) fn give_existing(path: &Path) {
    if !geteuid().is_root() {
        return;
    }
    let opened =
        OpenOptions::new().read(true).custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK).open(path);
    let _ = opened.and_then(|file| give(&file, path));
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Why this user cannot use the first inaccessible file of `files`, or their folder, and what to do.
pub(crate) fn obstacle<'a>(files: impl IntoIterator<Item = &'a Path>) -> Option<String> {
    let both = AccessFlags::R_OK | AccessFlags::W_OK;
    for file in files {
        let folder = folder(file);
        for path in [file, folder] {
            let Ok(found) = path.metadata() else { continue };
            if access(path, both).is_ok() {
                continue;
            }
            let (owner, user) = (name(found.uid()), name(geteuid().as_raw()));
            let master = folder.metadata().map_or_else(|_| owner.clone(), |folder| name(folder.uid()));
            let (path, mode) = (path.display(), found.mode() & 0o777);
            return Some(format!(
                "{path} belongs to {owner}, has mode {mode:o}, and is not for {user}: run os4xapi as {master} (runuser \
                 -u {master} -- os4xapi ...) or as root, which gives what belongs to root to {master}"
            ));
        }
    }
    None
}

/// A user's name, or the number of one without.
pub(crate) fn name(uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}
