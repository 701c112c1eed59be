//! Valid and broken rc files.

use super::*;

fn read(text: &str) -> Result<Rc, LogError> {
    parse(Path::new("x.logrc"), text.as_bytes())
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
    let rc = read(SAMPLE).unwrap();
    assert!(!rc.reread);
    let category = |priority, appender: Option<&str>, additive| CategoryDef {
        priority,
        appender: appender.map(str::to_owned),
        additive,
    };
    let expected = [
        ("os4x_proxyserver", category(Some(Priority::Debug), Some("daily"), false)),
        ("os4x_proxyserver.session", category(None, Some("window"), true)),
        ("other.program", category(Some(Priority::Warn), Some("stderr"), true)),
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
fn latin_1_is_read_whether_declared_or_not() {
    let body = b"<log4c><!-- f\xfcr --><category name=\"f\xfcr\"/></log4c>";
    for declaration in [&b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>"[..], b""] {
        let rc = parse(Path::new("x.logrc"), &[declaration, body].concat()).unwrap();
        assert!(rc.categories.contains_key("f\u{fc}r"));
    }
    // And UTF-8 stays UTF-8.
    assert!(
        read("<log4c><category name=\"f\u{fc}r\"/></log4c>").unwrap().categories.contains_key("f\u{fc}r")
    );
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
        ("<log4c><appender name='b' type='file'/></log4c>", "<appender name=\"b\">: type file is not known;"),
        ("<log4c><appender name='b'/></log4c>", "type b is not known;"),
        ("<log4c><appender name='b' type='stream' layout='c'/></log4c>", "there is no <layout name=\"c\">."),
        ("<log4c><appender name='b' type='os4x_appender' prefix='../x'/></log4c>", "prefix is a file name"),
        (
            "<log4c><appender name='b' type='rollingfile' rollingpolicy='p'/></log4c>",
            "there is no <rollingpolicy name=\"p\">.",
        ),
        ("<log4c><layout name='c' type='xml'/></log4c>", "<layout name=\"c\">: type xml is not known;"),
        ("<log4c><rollingpolicy name='p' type='daily'/></log4c>", "type daily is not known; use sizewin."),
        ("<log4c><rollingpolicy name='p' maxsize='big'/></log4c>", "maxsize=big is not a size;"),
        ("<log4c><rollingpolicy name='p' maxnum='0'/></log4c>", "maxnum=0 is not a number from 1 to 1000."),
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
