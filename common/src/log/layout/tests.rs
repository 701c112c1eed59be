//! What each layout makes of a line.

use super::*;

fn line(kind: LayoutKind, text: &str) -> String {
    let layout = Layout { kind, name: "os4x_proxyserver" };
    let octets = record::with_record(
        Priority::Info,
        "os4x_proxyserver.link",
        1_709_251_199_007,
        format_args!("{text}"),
        |record| layout.line(record).unwrap(),
    );
    String::from_utf8(octets).unwrap()
}

#[test]
fn os4x_layout_is_the_documented_line() {
    let text = line(LayoutKind::Os4x, "text");
    let (time, rest) = text.split_at(21);
    assert_eq!(rest, format!(" INFO     os4x_proxyserver[{}] text\n", std::process::id()));
    let local = localtime::local(1_709_251_199);
    let mut expected = String::new();
    write_time(&mut expected, local, 7).unwrap();
    assert_eq!(time, expected);
}

#[test]
fn basic_and_dated_are_log4cs() {
    assert_eq!(line(LayoutKind::Basic, "text"), "INFO     os4x_proxyserver.link - text\n");
    assert_eq!(
        line(LayoutKind::Dated, "text"),
        "20240229 23:59:59.007 INFO     os4x_proxyserver.link- text\n"
    );
}

#[test]
fn dated_local_is_dated_in_local_time() {
    let (local, own) = (line(LayoutKind::DatedLocal, "text"), line(LayoutKind::Os4x, "text"));
    assert_eq!(local[..21], own[..21]);
    assert_eq!(&local[21..], " INFO     os4x_proxyserver.link- text\n");
    for name in ["dated_local", "dated_local_r"] {
        assert_eq!(LayoutKind::named(name), Some(LayoutKind::DatedLocal));
    }
}

#[test]
fn a_record_is_one_line_whatever_its_text() {
    assert_eq!(
        line(LayoutKind::Basic, "a\r\nb\x1b[2J"),
        "INFO     os4x_proxyserver.link - a\\r\\nb\\x1b[2J\n"
    );
}

/// A refusal as a stranger could wish it: with a subject that looks like fields and lines.
const REFUSED: &str = concat!(
    "session_refused direction=incoming reason=unknown-ca address=[2001:db8::9]:4711 ",
    r#"subject="CN=a|b\n\"x\" \\ partner=ACME \u{202e}" serial=0A unlogged=3 detail="no way \xff""#
);

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(&line(LayoutKind::Ecs, text)).unwrap()
}

#[test]
fn ecs_has_the_fields_of_the_schema() {
    let entry = json(REFUSED);
    assert_eq!(
        entry,
        serde_json::json!({
            "@timestamp": "2024-02-29T23:59:59.007Z",
            "ecs": { "version": "8.11.0" },
            "log": { "level": "info", "logger": "os4x_proxyserver.link" },
            "message": REFUSED,
            "event": {
                "kind": "event", "module": "os4x", "dataset": "os4x.smartproxy", "severity": 6,
                "action": "session_refused", "category": ["network", "session"], "type": ["denied"],
                "outcome": "failure", "reason": "unknown-ca",
            },
            "service": { "name": "os4x_proxyserver", "type": "os4x" },
            "host": { "hostname": host_name() },
            "process": { "pid": std::process::id(), "name": "os4x_proxyserver" },
            "source": { "address": "2001:db8::9", "ip": "2001:db8::9", "port": 4711 },
            "tls": { "client": {
                "subject": "CN=a|b\n\"x\" \\ partner=ACME \u{202e}",
                "x509": { "serial_number": "0A" },
            } },
            "os4x": { "direction": "incoming", "unlogged": 3, "detail": "no way \\xff" },
        })
    );
}

#[test]
fn ecs_tells_who_has_connected_in_either_direction() {
    let end = "reason=normal seconds=2.068 octets_in=10 octets_out=7 esid=00";
    let inward = json(&format!("session_end direction=incoming address=192.0.2.9:1 {end}"));
    let outward = json(&format!("session_end direction=outgoing address=acme.example:6619 {end}"));
    for (entry, partner, station) in [(&inward, "source", "destination"), (&outward, "destination", "source")]
    {
        assert_eq!(entry[partner]["bytes"], 10, "{entry}");
        assert_eq!(entry[station]["bytes"], 7, "{entry}");
        assert_eq!(entry["event"]["outcome"], "success");
        assert_eq!(entry["event"]["duration"], 2_068_000_000_u64);
    }
    assert_eq!(outward["destination"]["address"], "acme.example");
    assert_eq!(outward["destination"]["ip"], serde_json::Value::Null);
    let begun = json("session_begin direction=incoming address=192.0.2.9:1 station=10.0.0.1:3305");
    assert_eq!(
        (&begun["source"]["ip"], &begun["destination"]["ip"]),
        (&"192.0.2.9".into(), &"10.0.0.1".into())
    );
    let begun = json("session_begin direction=outgoing tls=\"TLSv1.3 TLS_AES_256_GCM_SHA384\" subject=CN/x");
    assert_eq!(begun["tls"]["version"], "1.3");
    assert_eq!(begun["tls"]["cipher"], "TLS_AES_256_GCM_SHA384");
    assert_eq!(begun["tls"]["server"]["subject"], "CN/x");
    assert_eq!(json("listener_open listener=tls address=0.0.0.0:6619")["server"]["port"], 6619);
}

#[test]
fn free_text_is_only_a_message_for_programs() {
    let entry = json("probe the station\n\u{202e}a=b");
    assert_eq!(entry["message"], "probe the station\\n\\u{202e}a=b");
    assert_eq!(entry["event"]["action"], serde_json::Value::Null);
    let text = line(LayoutKind::Cef, "probe a=b");
    assert!(text.contains("|text|text|3|") && text.ends_with(" msg=probe a\\=b\n"), "{text}");
}

#[test]
fn cef_is_one_line_whose_values_end_where_they_should() {
    let text = line(LayoutKind::Cef, REFUSED);
    let head =
        format!("CEF:0|OS4X|SmartProxy|{}|session_refused|session refused|3|", env!("CARGO_PKG_VERSION"));
    let extensions = text.strip_prefix(&head).unwrap_or_else(|| panic!("{text}"));
    assert_eq!(
        extensions,
        format!(
            concat!(
                "rt=1709251199007 dvchost={} dvcpid={} deviceProcessName=os4x_proxyserver ",
                "cat=os4x_proxyserver.link outcome=failure os4xDirection=incoming reason=unknown-ca ",
                r#"src=2001:db8::9 spt=4711 cs4Label=subject cs4=CN\=a|b\n"x" \\ partner\=ACME \u{{202e}} "#,
                "cs5Label=serial cs5=0A os4xUnlogged=3 msg=no way \\\\xff\n"
            ),
            host_name(),
            std::process::id()
        )
    );
}

#[test]
fn rfc5424_has_the_header_of_syslog_and_json_behind_it() {
    let text = line(LayoutKind::Rfc5424, "probes count=3 seconds=60");
    let head = format!(
        "<14>1 2024-02-29T23:59:59.007Z {} os4x_proxyserver {} probes - ",
        host_name(),
        std::process::id()
    );
    let body = text.strip_prefix(&head).unwrap_or_else(|| panic!("{text}"));
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["os4x"]["count"], 3);
    assert!(line(LayoutKind::Rfc5424, "free text").contains(" - - {"));
}

#[test]
fn no_layout_passes_on_what_a_terminal_obeys() {
    for kind in [LayoutKind::Ecs, LayoutKind::Cef, LayoutKind::Rfc5424] {
        let text = line(kind, REFUSED);
        let inside = text.strip_suffix('\n').unwrap();
        assert!(!inside.chars().any(crate::text::escape::is_hazardous), "{kind:?}: {text}");
    }
}
