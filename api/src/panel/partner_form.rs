//! The form of a partner: its members in sections, each in the spelling that the commands use.

use super::fields::Fields;
use super::form::{Field, FormBlock, Section, Shape, Wrong};
use super::words::Words;
use crate::change::network::NetworkFault;
use crate::change::partner_members::{self, MemberFault, WrongMember};
use crate::store::partners::word;
use common::config::Partner;

/// A member in the form: its name, which is also the name of the command's option, and its texts.
struct Member {
    name: &'static str,
    label: fn(&Words) -> &'static str,
    hint: fn(&Words) -> &'static str,
    kind: MemberKind,
}

enum MemberKind {
    Text,
    Number,
    /// A list with one entry on each line.
    Lines,
    YesNo,
    /// A choice of these words. The first one may be empty.
    Words(&'static [&'static str]),
}

const fn member(
    name: &'static str,
    kind: MemberKind,
    label: fn(&Words) -> &'static str,
    hint: fn(&Words) -> &'static str,
) -> Member {
    Member { name, label, hint, kind }
}

use MemberKind::{Lines, Number, Text, Words as OneOf, YesNo};

static IDENTITY: [Member; 1] = [member("ssid", Text, |w| w.ssid, |w| w.ssid_hint)];
static CERTIFICATE: [Member; 2] = [
    member(
        "certificate",
        OneOf(&["odette-id", "pinned", "any"]),
        |w| w.certificate_rule,
        |w| w.certificate_rule_hint,
    ),
    member("usage", OneOf(&["", "client", "any"]), |w| w.usage_rule, |w| w.usage_rule_hint),
];
static CALLING: [Member; 2] = [
    member("host", Text, |w| w.host, |w| w.host_hint),
    member("port", Number, |w| w.port, |w| w.partner_port_hint),
];
static CALLING_MORE: [Member; 3] = [
    member("tls", YesNo, |_| "TLS", |w| w.tls_hint),
    member("outgoing-ip", Text, |w| w.outgoing_ip, |w| w.outgoing_ip_hint),
    member("check-ssid", YesNo, |w| w.check_ssid, |w| w.check_ssid_hint),
];
static LIMITS: [Member; 6] = [
    member("profile", OneOf(&["tolerant", "strict"]), |w| w.profile, |w| w.profile_hint),
    member("allow", Text, |w| w.allow, |w| w.allow_hint),
    member("legacy-suites", OneOf(&["", "yes", "no"]), |w| w.legacy_suites, |w| w.legacy_suites_hint),
    member("max-file-size", Text, |w| w.max_file_size, |w| w.max_file_size_hint),
    member("file-names", Lines, |w| w.file_names, |w| w.file_names_hint),
    member("network", Lines, |w| w.networks, |w| w.partner_networks_hint),
];

/// Adds the sections to a form, with all members or only those that operators change.
pub(super) fn add_sections(
    mut form: FormBlock,
    w: &'static Words,
    partner: &Partner,
    all: bool,
) -> FormBlock {
    let fields = |members: &[Member]| members.iter().map(|one| field(w, one, partner)).collect::<Vec<_>>();
    let mut calling = fields(&CALLING);
    if all {
        calling.extend(fields(&CALLING_MORE));
        form.sections.push(Section {
            title: w.section_identity,
            fields: fields(&IDENTITY),
            is_folded: false,
        });
        let certificate = fields(&CERTIFICATE);
        form.sections.push(Section { title: w.certificate, fields: certificate, is_folded: false });
    }
    form.sections.push(Section { title: w.section_calling, fields: calling, is_folded: false });
    if all {
        let limits = fields(&LIMITS);
        form.sections.push(Section { title: w.section_partner_limits, fields: limits, is_folded: true });
    }
    form
}

fn field(w: &'static Words, member: &Member, partner: &Partner) -> Field {
    let (label, hint, value) = ((member.label)(w), (member.hint)(w), value(partner, member.name));
    let shape = match member.kind {
        Text => Shape::Text,
        Number => Shape::Number,
        Lines => Shape::Lines,
        YesNo => return Field::yes_no(w, member.name, label, value == "yes").with(hint),
        OneOf(all) => Shape::Choice(all.iter().map(|one| ((*one).to_owned(), choice(w, one))).collect()),
    };
    Field::of(shape, member.name, label, value).with(hint)
}

fn choice(w: &'static Words, one: &str) -> String {
    match one {
        "" => w.by_default.to_owned(),
        "yes" => w.yes.to_owned(),
        "no" => w.no.to_owned(),
        word => word.to_owned(),
    }
}

/// The value of a member in the spelling of its option.
fn value(partner: &Partner, name: &str) -> String {
    let yes_no = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    match name {
        "ssid" => partner.ssid.clone(),
        "certificate" => word(&partner.certificate),
        "usage" => partner.usage.as_ref().map(word).unwrap_or_default(),
        "host" => partner.host.clone().unwrap_or_default(),
        "port" => partner.port.to_string(),
        "tls" => yes_no(partner.tls),
        "outgoing-ip" => partner.outgoing_ip.map(|ip| ip.to_string()).unwrap_or_default(),
        "check-ssid" => yes_no(partner.check_ssid),
        "profile" => word(&partner.profile),
        "allow" => partner.allow.to_string(),
        "legacy-suites" => partner.legacy_suites.map(yes_no).unwrap_or_default(),
        "max-file-size" => partner.files.max_size.map(|size| size.to_string()).unwrap_or_default(),
        "file-names" => partner.files.names.join("\n"),
        "network" => partner.networks.join("\n"),
        _ => String::new(),
    }
}

/// The partner with the submitted values, of all members or only of those that operators change; or what is wrong
/// with each.
pub(super) fn filled(
    w: &'static Words,
    mut partner: Partner,
    fields: &Fields,
    all: bool,
) -> Result<Partner, Vec<Wrong>> {
    let daily = CALLING.iter();
    // Set TLS before the port, because the default port depends on it.
    let others = IDENTITY.iter().chain(&CERTIFICATE).chain(&CALLING_MORE).chain(&LIMITS);
    let members: Vec<&Member> = if all { others.chain(daily).collect() } else { daily.collect() };
    let mut wrong = Vec::new();
    for member in members.into_iter().filter(|member| fields.has(member.name)) {
        if let Err(why) = set(&mut partner, member.name, fields.exact(member.name)) {
            wrong.push(Wrong::new(member.name, reason(w, member, &why)));
        }
    }
    if wrong.is_empty() { Ok(partner) } else { Err(wrong) }
}

/// Why the text of a member was rejected.
fn reason(w: &'static Words, member: &Member, WrongMember { text, fault, .. }: &WrongMember) -> String {
    match fault {
        MemberFault::Network(NetworkFault::HostBits { host, network }) => {
            format!("{text} {} {network}. {} {host}.", w.has_host_bits, w.only_this_host)
        }
        MemberFault::Network(_) => format!("{text}: {} {}", w.not_allowed, (member.hint)(w)),
        MemberFault::Value(_) => format!("{} {}", w.not_allowed, (member.hint)(w)),
    }
}

fn set(partner: &mut Partner, name: &'static str, text: &str) -> Result<(), WrongMember> {
    match (name, text.trim()) {
        ("file-names", text) => {
            let lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
            let lines: Vec<String> = lines.into_iter().filter(|line| !line.is_empty()).collect();
            partner.files.names = partner_members::patterns(&lines)?;
        }
        ("network", text) => {
            let texts = text.split(|c: char| c == ',' || c.is_whitespace());
            partner.networks = partner_members::networks(texts.filter(|text| !text.is_empty()))?;
        }
        ("port", "") => partner.port = Partner::default_port(partner.tls),
        (name, text) => partner_members::set(partner, name, text)?,
    }
    Ok(())
}
