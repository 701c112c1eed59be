//! The packages of a release: their list is whole, their scripts do what they should in a root without systemd, and the
//! binaries have what the compiler offers against exploits. `scripts/release --check` installs the packages themselves,
//! which takes minutes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use t::binaries;

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The lines of the list whose first word is `word`, without that word.
fn listed(word: &str) -> Vec<String> {
    let list = fs::read_to_string(format!("{WORKSPACE}/scripts/packages/list")).unwrap();
    list.lines().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' ')).map(str::to_owned).collect()
}

#[test]
fn each_manual_page_unit_and_program_is_in_one_package() {
    let files = [listed("file"), listed("keep")].concat();
    let sources: Vec<&str> = files.iter().map(|file| file.split(' ').nth(1).unwrap()).collect();
    for source in &sources {
        assert!(Path::new(WORKSPACE).join(source).exists(), "{source}");
    }
    for folder in ["man", "scripts/units", "scripts/completion"] {
        for entry in fs::read_dir(Path::new(WORKSPACE).join(folder)).unwrap().map(Result::unwrap) {
            let name = format!("{folder}/{}", entry.file_name().into_string().unwrap());
            let packages = sources.iter().filter(|source| **source == name).count();
            assert_eq!(packages, usize::from(entry.path().is_file()), "{name}");
        }
    }
    let programs: BTreeSet<String> =
        listed("program").iter().map(|program| program.split(' ').next().unwrap().to_owned()).collect();
    let ours = ["oftp2check", "oftp2peer", "os4x_proxyclient2", "os4x_proxyserver2", "os4xapi"];
    assert_eq!(programs, ours.map(str::to_owned).into());
}

/// What takes the place of the commands that change users, owners and services.
const STAND_INS: &str = "is_ours() { false; }; getent() { false; }; useradd() { echo useradd; }
chown() { :; }; chmod() { :; }; systemctl() { echo \"systemctl $*\"; }";

/// Runs a step of a package's scripts in a folder that takes the place of /opt/os4x/proxy; its output.
fn step(package: &str, folder: &Path, step: &str) -> String {
    let steps = fs::read_to_string(format!("{WORKSPACE}/scripts/packages/steps.sh")).unwrap();
    let steps = steps.replace("dir=/opt/os4x/proxy", &format!("dir='{}'", folder.display()));
    let steps = steps.replace("/etc/os4x_proxy.lic", &format!("{}.lic", folder.display()));
    let script = format!("set -e\npackage={package}\n{STAND_INS}\n{steps}\nhas_systemd() {{ :; }}\n{step}");
    let output = Command::new("/bin/sh").arg("-c").arg(script).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_package_keeps_legacy_programs_restarts_only_what_runs_and_purges_only_its_own() {
    let top = std::env::temp_dir().join(format!("os4x-packages-{}", std::process::id()));
    let folder = top.join("os4x/proxy");
    fs::create_dir_all(&folder).unwrap();
    let program = folder.join("os4x_proxyserver2");
    fs::copy("/bin/true", &program).unwrap();
    step("server", &folder, "before_install");
    assert!(folder.join("replaced/before-packages/os4x_proxyserver2").exists());
    assert_eq!(step("server", &folder, "after_install"), "systemctl daemon-reload\n");
    let upgraded = step("server", &folder, "after_upgrade");
    assert_eq!(upgraded, "systemctl daemon-reload\nsystemctl try-restart os4x_proxyserver2.service\n");
    assert_eq!(step("tools", &folder, "after_install"), "systemctl daemon-reload\n");
    assert!(step("common", &folder, "after_install").starts_with("useradd\n"));
    let removed = step("server", &folder, "before_remove");
    assert_eq!(removed, "systemctl --quiet disable --now os4x_proxyserver2.service\n");

    for name in ["os4x_proxyserver.key", "os4x_proxyclient.key", "token", "os4xapi.db", "my-own.pem"] {
        fs::write(folder.join(name), "x").unwrap();
    }
    fs::remove_file(&program).unwrap();
    let left = || -> BTreeSet<String> {
        let entries = fs::read_dir(&folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    step("server", &folder, "purge");
    assert!(!left().contains("os4x_proxyserver.key") && left().len() == 5, "{:?}", left());
    for package in ["client", "api", "common"] {
        step(package, &folder, "purge");
    }
    assert_eq!(left(), ["my-own.pem".to_owned()].into());
    fs::remove_file(folder.join("my-own.pem")).unwrap();
    step("common", &folder, "purge");
    assert!(!folder.exists());
    let _ = fs::remove_dir_all(&top);
}

#[test]
fn the_binaries_are_hardened() {
    for name in ["os4x_proxyserver2", "os4x_proxyclient2", "os4xapi", "oftp2check", "oftp2peer"] {
        let output = Command::new("readelf")
            .args(["-h", "-l", "-d", "-W"])
            .arg(binaries::path(name))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("DYN (Position-Independent Executable file)"), "{name}: no PIE");
        assert!(text.contains(" GNU_RELRO "), "{name}: no RELRO");
        assert!(text.contains("BIND_NOW") || text.contains("Flags: NOW"), "{name}: RELRO is not full");
        let stack = text.lines().find(|line| line.contains("GNU_STACK")).unwrap();
        assert!(stack.contains(" RW ") && !stack.contains("RWE"), "{name}: {stack}");
        assert!(!text.contains("RUNPATH") && !text.contains("RPATH"), "{name}");
    }
}
