//! `os4xapi expiry`: everything that expires, in the order of the dates, with what to do; as a table, as JSON, as a

use crate::pki::{self, Identity};
use crate::site::Site;
use serde_json::Value;

fn whats(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|row| row["what"].as_str().unwrap()).collect()
}

#[test]
fn everything_that_ends_is_listed_with_what_to_do() {
    let site = Site::new();
    let ca = Identity::ca("Expiry CA");
    let (own, partner, past) = (ca.issue("we.example"), ca.issue("partner"), ca.issue_expired("past"));
    let chain = site.dir.write("chain.pem", &(own.pem() + &ca.pem()));
    let key = site.dir.write("own.key", &own.key_pem());
    let pins = site.dir.write("pins.pem", &(partner.pem() + &past.pem()));
    let id = pki::proxy_id();
    site.ok(&["cert", "set", "--chain", &chain, "--key", &key]);
    site.ok(&["trust", "add", &site.dir.write("ca.pem", &ca.pem())]);
    site.ok(&["crl", "add", &site.dir.write("ca.crl", &ca.crl(60))]);
    site.ok(&["partner", "add", "ACME", "--ssid", "O0013ACME", "--pin", &pins]);
    site.ok(&["licence", "issue", &id, "--days", "3000", "-o", "/dev/null"]);
    site.ok(&["licence", "issue", &id, "--holder", "dmz1", "--days", "10", "-o", "/dev/null"]);
    site.ok(&["ban", "add", "203.0.113.0/24", "--until", "2099-01-01"]);
    site.ok(&["ban", "add", "198.51.100.0/24"]);
    site.ok(&["ignore", "add", "some words", "--days", "5"]);
    site.ok(&["token", "rotate", "--overlap", "1d", "-o", "/dev/null"]);

    let list = site.json(&["expiry"]);
    let mut found = whats(&list);
    assert_eq!(found[0], "pin", "the one that has ended");
    found.sort_unstable();
    let expected = [
        "CRL",
        "ban",
        "https certificate",
        "ignored text",
        "issuer of our certificate",
        "licence",
        "old token",
        "our certificate",
        "own CA",
        "pin",
        "pin",
        "trusted certificate",
    ];
    assert_eq!(found, expected);
    let rows = list.as_array().unwrap();
    assert!(rows.is_sorted_by_key(|row| row["ends"].as_i64()), "{list}");
    let of = |what: &str| rows.iter().find(|row| row["what"] == what).unwrap();
    assert_eq!((&rows[0]["state"], &rows[0]["name"]), (&"ended".into(), &"ACME: past".into()));
    assert!(rows[0]["renewal"].as_str().unwrap().contains("partner set ACME --pin"));
    let licence = of("licence");
    // The tenth day begins as soon as the licence is issued.
    assert!([9, 10].map(Value::from).contains(&licence["days"]) && licence["state"] == "soon", "{licence}");
    assert!(licence["name"].as_str().unwrap().starts_with("dmz1 ("));
    assert_eq!(
        (&of("https certificate")["by_itself"], &of("CRL")["by_itself"]),
        (&true.into(), &false.into())
    );

    let soon = site.json(&["expiry", "--days", "12"]);
    assert!(!whats(&soon).contains(&"own CA") && whats(&soon).contains(&"licence"), "{soon}");
    let table = site.ok(&["expiry"]);
    assert!(table.starts_with("ENDS") && table.contains("os4xapi crl add FILE"), "{table}");
    let file = site.dir.path("ends.ics");
    site.ok(&["expiry", "--ics", "-o", file.to_str().unwrap()]);
    let calendar = std::fs::read_to_string(file).unwrap();
    assert!(calendar.starts_with("BEGIN:VCALENDAR\r\n") && calendar.ends_with("END:VCALENDAR\r\n"));
    let renewed = rows.iter().filter(|row| row["by_itself"] == false).count();
    assert_eq!(calendar.matches("BEGIN:VEVENT\r\n").count(), renewed, "{calendar}");
    assert!(calendar.contains("SUMMARY:licence ends: dmz1 ("), "{calendar}");
    assert_eq!(site.run(&["expiry", "--ics", "--json"]).status, 64);
}
