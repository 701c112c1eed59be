//! Valid and broken rc files.

use super::definition::CategoryDef;
use super::reader::size;
use super::*;
use crate::log::appender::rolling::SizeWindow;
use crate::log::layout;
use crate::log::priority::Priority;

fn read(text: &str) -> Result<Rc, LogError> {
    parse(Path::new("x.logrc"), text.as_bytes(), "a")
}

/// In the shape of the samples that come with log4c.
const SAMPLE: &str = r#"<?xml version="1.0" encoding="ISO-8859-1"?>
<!DOCTYPE log4c SYSTEM "">
<log4c version="1.2.4">
    <config>
        <bufsize>0</bufsize>
        <debug level="2"/>
        <nocleanup>0</nocleanup>
        <reread>0</reread>
    </config>
    <category name="root" priority="notice"/>
    <category name="os4x_proxyserver" priority="DEBUG" appender="daily" additivity="false"/>
    <category name="os4x_proxyserver.session" priority="notset" appender="window"/>
    <category name="other.program" priority="warning" appender="stderr"/>
    <appender name="daily" type="os4x_appender" layout="ours"/>
    <appender name="window" type="rollingfile" logdir="." prefix="small" layout="dated" rollingpolicy="policy"/>
    <appender name="syslog" type="syslog" layout="basic"/>
    <layout name="ours" type="os4x_layout"/>
    <layout name="basic" type="basic"/>
    <layout name="dated" type="dated"/>
    <rollingpolicy name="policy" type="sizewin" maxsize="10MB" maxnum="6"/>
</log4c>
"#;

#[test]
fn a_log4c_file_is_read_whole() {
    let rc = parse(Path::new("x.logrc"), SAMPLE.as_bytes(), "os4x_proxyserver").unwrap();
    assert_eq!(rc.warnings, [""; 0]);
    assert!(!rc.reread);
    let category = |priority, appender: Option<&str>, additive| CategoryDef {
        priority,
        appender: appender.map(str::to_owned),
        additive,
    };
    let expected = [
        ("os4x_proxyserver", category(Some(Priority::Debug), Some("daily"), false)),
        ("os4x_proxyserver.session", category(None, Some("window"), true)),
        ("root", category(Some(Priority::Notice), None, true)),
    ];
    assert_eq!(rc.categories, expected.map(|(name, def)| (name.to_owned(), def)).into());
    assert_eq!(
        rc.appenders["daily"],
        AppenderDef { kind: AppenderKind::Daily(Place::default()), layout: layout::LayoutKind::Os4x }
    );
    let place = Place { logdir: Some(".".to_owned()), prefix: Some("small".to_owned()) };
    let window = SizeWindow { maxsize: 10 << 20, maxnum: 6 };
    assert_eq!(
        rc.appenders["window"],
        AppenderDef { kind: AppenderKind::Rolling(place, window), layout: layout::LayoutKind::Dated }
    );
}

#[test]
fn the_encoding_does_not_matter() {
    let body = "<log4c><!-- f\u{fc}r --><category name=\"a.f\u{fc}r\"/></log4c>";
    let latin: Vec<u8> = body.chars().map(|letter| u8::try_from(letter).unwrap()).collect();
    let declared = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>";
    let marked = [b"\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"UTF-8\"?>", body.as_bytes()].concat();
    for octets in [body.as_bytes().to_vec(), latin.clone(), [declared, &latin[..]].concat(), marked] {
        let rc = parse(Path::new("x.logrc"), &octets, "a").unwrap();
        assert!(rc.categories.contains_key("a.f\u{fc}r"));
    }
}

#[test]
fn watching_is_the_default() {
    assert!(read("<log4c/>").unwrap().reread);
}

#[test]
fn sizes() {
    let table = [
        ("1024", Some(1024)),
        ("20KB", Some(20 << 10)),
        (" 10 MB ", Some(10 << 20)),
        ("1g", Some(1 << 30)),
        ("0", Some(0)),
        ("", None),
        ("MB", None),
        ("1.5MB", None),
        ("-1", None),
        ("10 miles", None),
        ("99999999999999999999", None),
        ("99999999999GB", None),
    ];
    for (text, expected) in table {
        assert_eq!(size(text), expected, "{text}");
    }
}

#[test]
fn each_fault_names_line_element_and_what_is_wrong() {
    let table = [
        ("<log4j/>", "x.logrc:1: <log4j>: the root element must be <log4c>."),
        ("<log4c>\n<kategorie name='a'/></log4c>", "x.logrc:2: <kategorie name=\"a\">: unknown element"),
        ("<log4c>\n\n<category/></log4c>", "x.logrc:3: <category>: the attribute name is missing."),
        ("<log4c><category name=''/></log4c>", "the attribute name is missing."),
        (
            "<log4c><category name='a' priorty='info'/></log4c>",
            "<category name=\"a\">: unknown attribute priorty.",
        ),
        ("<log4c><category name='a' priority='loud'/></log4c>", "priority=loud is not known; use fatal,"),
        ("<log4c><category name='a' appender='b'/></log4c>", "there is no <appender name=\"b\">."),
        ("<log4c><category name='a' additivity='2'/></log4c>", "2 is neither 1 nor 0."),
        (
            "<log4c><category name='a'/>\n<category name='a'/></log4c>",
            "x.logrc:2: <category name=\"a\">: this name is",
        ),
        (
            "<log4c><category name='a'>\n<appender name='b'/></category></log4c>",
            "x.logrc:2: <appender name=\"b\">: it is not allowed inside <category>; put it next to it.",
        ),
        ("<log4c><config><reread>maybe</reread></config></log4c>", "<reread>: maybe is neither 1 nor 0."),
        ("<log4c><config><reload/></config></log4c>", "<reload>: unknown element in <config>"),
        (
            "<log4c>\n<category name='a'>\n</log4c>",
            "x.logrc:3: The log configuration is not well-formed XML:",
        ),
        ("", "x.logrc:1: The log configuration is not well-formed XML:"),
        (
            "<!DOCTYPE log4c [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><log4c>&a;</log4c>",
            "not well-formed XML:",
        ),
    ];
    for (text, expected) in table {
        let shown = read(text).unwrap_err().to_string();
        assert!(shown.contains(expected), "{text}: {shown}");
        assert!(shown.starts_with("x.logrc:"), "{shown}");
    }
}

/// Elements that are faulty, and how.
const FAULTY: [(&str, &str); 11] = [
    ("<appender name='b' type='file'/>", "<appender name=\"b\">: type file is not known;"),
    ("<appender name='b'/>", "type b is not known;"),
    ("<appender name='b' type='stream'/><appender name='b' type='stream'/>", "this name is defined twice"),
    ("<appender name='b' type='stream' layout='c'/>", "there is no <layout name=\"c\">"),
    ("<appender name='b' type='os4x_appender' prefix='../x'/>", "prefix is a file name"),
    ("<appender name='b' type='rollingfile' rollingpolicy='p'/>", "there is no <rollingpolicy name=\"p\">"),
    (
        "<appender name='b' type='stream' layout='c'/><layout name='c' type='xml'/>",
        "<layout name=\"c\">: type xml is not known;",
    ),
    (
        "<appender name='b' type='rollingfile' rollingpolicy='p'/><rollingpolicy name='p' type='daily'/>",
        "type daily is not known; use sizewin",
    ),
    (
        "<appender name='b' type='rollingfile' rollingpolicy='p'/><rollingpolicy name='p' maxsize='big'/>",
        "maxsize=big is not a size;",
    ),
    (
        "<appender name='b' type='rollingfile' rollingpolicy='p'/><rollingpolicy name='p' maxnum='0'/>",
        "maxnum=0 is not a number from 1 to 1000",
    ),
    (
        "<appender name='b' type='stream'><layout name='c'/></appender>",
        "it is not allowed inside <appender>;",
    ),
];

#[test]
fn a_fault_counts_where_the_daemon_uses_the_element_and_is_a_warning_elsewhere() {
    for (elements, expected) in FAULTY {
        let used = format!("<log4c><category name='a' appender='b'/>{elements}</log4c>");
        let shown = read(&used).unwrap_err().to_string();
        assert!(shown.starts_with("x.logrc:1: ") && shown.contains(expected), "{elements}: {shown}");
        let unused =
            format!("<log4c><category name='a'/><category name='other' appender='b'/>{elements}</log4c>");
        let warnings = read(&unused).unwrap().warnings;
        let [warning] = &warnings[..] else { panic!("{elements}: {warnings:?}") };
        assert!(warning.starts_with("x.logrc:1: ") && warning.contains(expected), "{elements}: {warning}");
        assert!(warning.ends_with("; this daemon does not use it"), "{warning}");
    }
    let nameless = read("<log4c><category name='a'/><layout type='basic'/></log4c>").unwrap().warnings;
    assert!(nameless[0].contains("<layout>: the attribute name is missing"), "{nameless:?}");
}

#[test]
fn every_name_of_log4c_is_known() {
    for layout in [
        "basic",
        "basic_r",
        "dated",
        "dated_r",
        "dated_local",
        "dated_local_r",
        "os4x_layout",
        "ecs",
        "cef",
        "rfc5424",
    ] {
        for kind in ["stream", "stream2", "mmap", "syslog", "rollingfile", "os4x_appender"] {
            let by_name = format!("<appender name='b' type='{kind}' layout='{layout}'/>");
            let by_type =
                format!("<appender name='b' type='{kind}' layout='l'/><layout name='l' type='{layout}'/>");
            for elements in [by_name, by_type] {
                let text = format!("<log4c><category name='a' appender='b'/>{elements}</log4c>");
                assert_eq!(read(&text).unwrap().warnings, [""; 0], "{text}");
            }
        }
    }
    for stock in ["stdout", "stderr", "syslog", "rollingfile", "os4x_appender"] {
        read(&format!("<log4c><category name='a' appender='{stock}'/></log4c>")).unwrap();
    }
}

#[test]
fn a_file_without_a_category_of_the_daemon_is_warned_of() {
    for (categories, warned) in [
        ("", true),
        ("<category name='ab'/>", true),
        ("<category name='root'/><category name='proxyserver' priority='debug'/>", true),
        ("<category name='root' priority='warn'/>", false),
        ("<category name='a.session'/><category name='other'/>", false),
    ] {
        let warnings = read(&format!("<log4c>{categories}</log4c>")).unwrap().warnings;
        assert_eq!(
            warnings.iter().any(|text| text.contains("name it a, or a.session")),
            warned,
            "{categories}"
        );
    }
}

#[test]
fn entities_of_the_file_are_replaced_and_others_refused() {
    let text =
        "<!DOCTYPE log4c [<!ENTITY level 'debug'>]><log4c><category name='a' priority='&level;'/></log4c>";
    assert_eq!(read(text).unwrap().categories["a"].priority, Some(Priority::Debug));
    let text = "<!DOCTYPE log4c [<!ENTITY a '&b;&b;'><!ENTITY b '&a;&a;'>]><log4c>&a;</log4c>";
    assert!(read(text).unwrap_err().to_string().contains("not well-formed XML"));
}
