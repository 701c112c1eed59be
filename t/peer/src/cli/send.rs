//! `oftp2peer send`.

use super::{Fault, number, parse, print, required, tls};
use crate::Partner;
use crate::oftp::command::Format;
use crate::oftp::report::{Outcome, Report, answers};
use crate::oftp::settings::OutFile;
use crate::oftp::stamp::Stamp;
use crate::transport::dial::{Dial, Via};
use getopts::{Matches, Options};
use std::path::Path;
use std::time::Duration;

const HELP: &str = "\
oftp2peer send: open a session, send each FILE, receive files and receipts of the other side, end with ESID 00

  oftp2peer send --connect HOST:PORT --ssid CODE --password PW [options] FILE...

Connection:
  --connect HOST:PORT    the other side (IPv6 in brackets)
  --bind ADDR            source address
  --server-name NAME     name that the other side's certificate must have (default: the host of --connect)
  --any-name             accept any name in it
  --proxy-connect HOST:PORT   go through this CONNECT proxy
  --socks5 HOST:PORT     go through this SOCKS5 proxy
Files:
  --dest CODE            final recipient (default: the other side's code)
  --orig CODE            creator (default: --ssid)
  --name NAME            virtual file name (one FILE only; default: from the file's name)
  --format U|F|V|T       record format (default U); records of V end after each line feed
  --lrecl N              record length for F and V
  --stamp CCYYMMDDHHMMSScccc   date and time of the file (default: now); the same for each attempt
  --restart              offer to continue where an earlier attempt with the same name and --stamp ended
  --wait-eerp SECONDS    open further sessions until each file has its receipt
Output:
  --json                 one line of JSON with the result
  --progress             show progress on standard error even if it is not a terminal
";

pub(super) fn run(args: &[String]) -> Result<(), Fault> {
    let mut options = Options::new();
    tls::options(&mut options);
    for name in ["connect", "bind", "server-name", "proxy-connect", "socks5", "dest", "orig", "name"] {
        options.optopt("", name, "", "");
    }
    for name in ["format", "lrecl", "stamp", "wait-eerp"] {
        options.optopt("", name, "", "");
    }
    for name in ["any-name", "restart", "json", "progress"] {
        options.optflag("", name, "");
    }
    let Some(matches) = parse(&mut options, args, &format!("{HELP}{}", tls::HELP))? else { return Ok(()) };
    let mut settings = tls::settings(&matches)?;
    settings.watch = print::progress(matches.opt_present("progress"));
    settings.restart = true;
    let patience = Duration::from_secs(number(&matches, "wait-eerp", 0..=86_400, 0)?);
    let files = files(&matches)?;
    let partner = Partner::new(dial(&matches)?, settings);
    let mut report = partner.send(files);
    partner.await_receipts(&mut report, patience);
    let told = if matches.opt_present("json") {
        print::say(format_args!("{}", print::report_json(&report)))
    } else {
        tell(&report)
    };
    // The status is that of the session, also for a script that does not read the output.
    judge(&report, !patience.is_zero())?;
    told
}

fn dial(matches: &Matches) -> Result<Dial, Fault> {
    let to = required(matches, "connect")?;
    let mut dial = Dial::to(&to);
    dial.timeout = Duration::from_secs(number(matches, "timeout", 1..=86_400, 60)?);
    dial.from = match matches.opt_str("bind") {
        Some(text) => {
            Some(text.parse().map_err(|_| Fault::Usage(format!("--bind takes an address, not '{text}'")))?)
        }
        None => None,
    };
    dial.via = match (matches.opt_str("proxy-connect"), matches.opt_str("socks5")) {
        (Some(_), Some(_)) => {
            return Err(Fault::Usage("--proxy-connect and --socks5 exclude each other".to_owned()));
        }
        (Some(proxy), None) => Some(Via::Connect(proxy)),
        (None, Some(proxy)) => Some(Via::Socks5(proxy)),
        (None, None) => None,
    };
    let host = to.rsplit_once(':').map_or(to.as_str(), |(host, _)| host).trim_matches(['[', ']']);
    let name = match matches.opt_str("server-name") {
        Some(name) => Some(name),
        None if matches.opt_present("any-name") => None,
        None => Some(host.to_owned()),
    };
    dial.tls = tls::context(matches, false)?.map(|context| (context, name));
    Ok(dial)
}

fn files(matches: &Matches) -> Result<Vec<OutFile>, Fault> {
    if matches.free.is_empty() {
        return Err(Fault::Usage("no FILE to send; try -h".to_owned()));
    }
    let name = matches.opt_str("name");
    if name.is_some() && matches.free.len() > 1 {
        return Err(Fault::Usage("--name goes with one FILE only".to_owned()));
    }
    let length = number(matches, "lrecl", 1..=99_999, 0)?;
    let format = match (matches.opt_str("format").as_deref(), length) {
        (None | Some("U"), 0) => Format::Unstructured,
        (Some("T"), 0) => Format::Text,
        (Some("F"), 1..) => Format::Fixed(length),
        (Some("V"), 1..) => Format::Variable(length),
        _ => return Err(Fault::Usage("--format takes U or T, or F or V with --lrecl N".to_owned())),
    };
    let stamp = matches.opt_str("stamp").map(|text| stamp(&text)).transpose()?;
    let mut files = Vec::new();
    for path in &matches.free {
        if !Path::new(path).is_file() {
            return Err(Fault::Failed(format!("{path} is no file that can be read")));
        }
        let name = name.clone().unwrap_or_else(|| virtual_name(path));
        let mut file = OutFile::path(&name, path);
        file.format = format;
        file.destination = matches.opt_str("dest");
        file.originator = matches.opt_str("orig");
        file.restart = matches.opt_present("restart");
        file.stamp = stamp.clone().unwrap_or(file.stamp);
        files.push(file);
    }
    Ok(files)
}

fn stamp(text: &str) -> Result<Stamp, Fault> {
    match text.split_at_checked(8) {
        Some((date, time)) if time.len() == 10 && text.bytes().all(|digit| digit.is_ascii_digit()) => {
            Ok(Stamp { date: date.to_owned(), time: time.to_owned() })
        }
        _ => Err(Fault::Usage(format!("--stamp takes 18 digits, CCYYMMDDHHMMSScccc, not '{text}'"))),
    }
}

/// A name within SFIDDSN's 26 characters and its character set (RFC 5024 §5.3): upper case, `-` for other characters.
pub(super) fn virtual_name(path: &str) -> String {
    let name =
        Path::new(path).file_name().map_or_else(String::new, |name| name.to_string_lossy().to_uppercase());
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() || "/-.&()".contains(c) { c } else { '-' })
        .take(26)
        .collect()
}

fn tell(report: &Report) -> Result<(), Fault> {
    for file in &report.sent {
        let receipt = report.receipts.iter().find(|receipt| answers(receipt, &file.id));
        print::say(format_args!(
            "{}  {} ({} octets)  {}  sha256 {}  {}  receipt {}",
            file.id.name,
            print::size(file.octets),
            file.octets,
            print::speed(file.octets - file.resumed_at, file.took),
            if file.sha256.is_empty() { "-" } else { &file.sha256 },
            print::outcome(&file.outcome),
            receipt.map_or_else(|| "none yet".to_owned(), print::receipt),
        ))?;
    }
    for file in &report.received {
        print::say(format_args!(
            "received {}  {}  {}",
            file.id.name,
            print::size(file.octets),
            print::outcome(&file.outcome)
        ))?;
    }
    if let (Some(peer), Some(agreed)) = (&report.peer, &report.agreed) {
        let tls =
            report.tls.as_ref().map_or("no TLS".to_owned(), |tls| format!("{} {}", tls.version, tls.cipher));
        print::say(format_args!(
            "session with {}  level {}  {tls}  {}",
            peer.code, agreed.level, report.ending
        ))?;
    }
    Ok(())
}

fn judge(report: &Report, must_have_receipts: bool) -> Result<(), Fault> {
    if !report.ending.is_normal() {
        return Err(Fault::failed(&report.ending));
    }
    if let Some(file) = report.sent.iter().find(|file| file.outcome != Outcome::Accepted) {
        return Err(Fault::Failed(format!("{} was {}", file.id.name, print::outcome(&file.outcome))));
    }
    for file in &report.sent {
        match report.receipt_for(&file.id) {
            Some(receipt) if receipt.refusal.is_some() => {
                return Err(Fault::Failed(format!(
                    "{} was answered with {}",
                    file.id.name,
                    print::receipt(receipt)
                )));
            }
            None if must_have_receipts => {
                return Err(Fault::Failed(format!("no receipt came for {} in time", file.id.name)));
            }
            _ => {}
        }
    }
    Ok(())
}
