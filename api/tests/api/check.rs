//! `os4xapi check`: one line and an exit status for monitoring systems.

use crate::pki;
use crate::site::Site;
use crate::states::daemons_tell;
use common::text::clock;

/// The exit status, and the line.
fn check(site: &Site, options: &[&str]) -> (i32, String) {
    let said = site.run(&[&["check"], options].concat());
    assert_eq!(said.out.lines().count(), 1, "{}", said.out);
    assert_eq!(said.err, "");
    (said.status, said.out.trim_end().to_owned())
}

#[test]
fn the_worst_of_all_is_the_verdict() {
    let site = Site::new();
    let (status, line) = check(&site, &[]);
    assert!(status == 2 && line.starts_with("CRITICAL - 'os4xapi serve' has never run"), "{line}");
    assert!(line.contains("|faults=3;;;0 warnings=0;;;0 incoming=0;;;0;0"), "{line}");

    let id = pki::proxy_id();
    site.ok(&["proxy", "add", &id, "--name", "dmz"]);
    let serve = site.serve();
    daemons_tell(&site, &site.client(&serve), &id);
    let (status, line) = check(&site, &[]);
    assert_eq!(
        (status, line.split('|').next().unwrap()),
        (0, "OK - nothing is wrong, and nothing ends within 30 days")
    );
    let (_, data) = line.split_once('|').unwrap();
    for part in ["faults=0;;;0", "incoming=2;;;0;200", "outgoing=1;;;0;100", "refused="] {
        assert!(data.contains(part), "{data}");
    }

    let until = clock::rfc3339(clock::now() + 5 * clock::DAY + 600);
    site.ok(&[
        "key",
        "add",
        "k",
        "--role",
        "auditor",
        "--scope",
        "read",
        "--until",
        &until,
        "-o",
        "/dev/null",
    ]);
    for (options, status, start) in [
        (&[][..], 2, "CRITICAL - API key k ends in 5 days|"),
        (&["-w", "10", "-c", "5"], 1, "WARNING - API key k ends in 5 days|"),
        (&["--warning", "4", "--critical", "4"], 0, "OK - nothing is wrong, and nothing ends within 4 days|"),
        (&["-w", "400", "-c", "5"], 1, "WARNING - API key k ends in 5 days"),
    ] {
        let (found, line) = check(&site, options);
        assert!(found == status && line.starts_with(start), "{options:?}: {line}");
    }
    assert!(check(&site, &["-w", "10"]).1.ends_with(" next_end=5;10:;7:"));
}

#[test]
fn what_cannot_be_read_is_unknown() {
    let site = Site::new();
    for options in [&["-w", "many"][..], &["-w", "5", "-c", "6"]] {
        let (status, line) = check(&site, options);
        assert!(status == 3 && line.starts_with("UNKNOWN - --"), "{line}");
    }
    assert_eq!(site.run(&["check", "--nonsense"]).status, 3);
    let gone = Site { dir: crate::site::Dir::new(), db: "/nonexistent/os4xapi.db".to_owned() };
    let (status, line) = check(&gone, &[]);
    assert!(status == 3 && line.starts_with("UNKNOWN - "), "{line}");
}
