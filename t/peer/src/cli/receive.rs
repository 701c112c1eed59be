//! `oftp2peer receive`.

use super::{Fault, number, parse, print, required, tls};
use crate::oftp::report::Report;
use crate::oftp::settings::{Answer, OutFile};
use crate::{Event, Station};
use getopts::{Matches, Options};
use std::path::{Path, PathBuf};

const HELP: &str = "\
oftp2peer receive: serve sessions, store files, send receipts; runs until SIGTERM ends it

  oftp2peer receive --listen ADDR:PORT --ssid CODE --password PW --into DIR [options]

  --listen ADDR:PORT     address to listen on; port 0 takes a free one. First line printed: 'listening on ADDR:PORT'
  --into DIR             folder for the files; it is made if it is missing, and nothing in it is overwritten
  --discard              store nothing, only count and hash (instead of --into)
  --sessions N           end after N sessions
  --once                 the same as --sessions 1
  --eerp WHEN            'in-session' (default), 'next-session', or 'none'
  --nerp REASON          answer each file with a NERP of this reason instead
  --refuse-file REASON   refuse each file at its start (SFNA)
  --refuse-end REASON    refuse each file at its end (EFNA)
  --send FILE            send this file in the first session that comes (may be repeated)
  --json                 one line of JSON for each session
  --progress             show progress on standard error even if it is not a terminal
";

pub(super) fn run(args: &[String]) -> Result<(), Fault> {
    let mut options = Options::new();
    tls::options(&mut options);
    for name in ["listen", "into", "sessions", "eerp", "nerp", "refuse-file", "refuse-end"] {
        options.optopt("", name, "", "");
    }
    for name in ["discard", "once", "json", "progress"] {
        options.optflag("", name, "");
    }
    options.optmulti("", "send", "", "");
    let Some(matches) = parse(&mut options, args, &format!("{HELP}{}", tls::HELP))? else { return Ok(()) };
    let sessions = if matches.opt_present("once") { 1 } else { u64::MAX };
    let sessions = number(&matches, "sessions", 1..=u64::MAX, sessions)?;
    let station = station(&matches)?;
    for path in matches.opt_strs("send") {
        let name = super::send::virtual_name(&path);
        station.queue.add_file(OutFile::path(&name, path));
    }
    let running = station.spawn().map_err(Fault::failed)?;
    print::say(format_args!("listening on {}", running.address()))?;
    let mut ended = 0;
    let mut is_good = true;
    while ended < sessions {
        match running.events.recv() {
            Ok(Event::Ended(report)) => {
                ended += 1;
                is_good &= report.is_good();
                if matches.opt_present("json") {
                    print::say(format_args!("{}", print::report_json(&report)))?;
                } else {
                    tell(&report)?;
                }
            }
            Ok(Event::Connected { .. }) => {}
            Err(_) => return Err(Fault::Failed("the listening thread ended".to_owned())),
        }
    }
    if is_good { Ok(()) } else { Err(Fault::Failed("a session did not end well, see its line".to_owned())) }
}

fn station(matches: &Matches) -> Result<Station, Fault> {
    let mut settings = tls::settings(matches)?;
    settings.watch = print::progress(matches.opt_present("progress"));
    settings.intake.folder = match (matches.opt_str("into"), matches.opt_present("discard")) {
        (Some(folder), false) => Some(make_folder(&folder)?),
        (None, true) => None,
        _ => return Err(Fault::Usage("either --into DIR or --discard must be given".to_owned())),
    };
    settings.intake.answer = match (matches.opt_str("eerp").as_deref(), matches.opt_present("nerp")) {
        (None, true) => Answer::Nerp(number(matches, "nerp", 1..=99, 99)?),
        (None | Some("in-session"), false) => Answer::Eerp,
        (Some("next-session"), false) => Answer::EerpLater,
        (Some("none"), false) => Answer::Nothing,
        _ => {
            return Err(Fault::Usage(
                "--eerp takes in-session, next-session or none, without --nerp".to_owned(),
            ));
        }
    };
    if matches.opt_present("refuse-file") {
        settings.intake.refuse = Some((number(matches, "refuse-file", 1..=99, 99)?, true));
    }
    if matches.opt_present("refuse-end") {
        settings.intake.refuse_at_end = Some(number(matches, "refuse-end", 1..=99, 99)?);
    }
    let mut station = Station::new(settings);
    station.listen = required(matches, "listen")?;
    station.tls = tls::context(matches, true)?;
    Ok(station)
}

fn make_folder(folder: &str) -> Result<PathBuf, Fault> {
    std::fs::create_dir_all(folder)
        .map_err(|error| Fault::Failed(format!("{folder} cannot be made: {error}")))?;
    Ok(Path::new(folder).to_owned())
}

fn tell(report: &Report) -> Result<(), Fault> {
    for file in &report.received {
        print::say(format_args!(
            "file {}  {} octets  {}  sha256 {}  {}  {}",
            file.id.name.escape_debug(),
            file.octets,
            print::speed(file.octets - file.resumed_at, file.took),
            if file.sha256.is_empty() { "-" } else { &file.sha256 },
            print::outcome(&file.outcome),
            file.path.as_ref().map_or_else(|| "-".to_owned(), |path| path.display().to_string()),
        ))?;
    }
    for file in &report.sent {
        print::say(format_args!(
            "sent {}  {} octets  {}",
            file.id.name,
            file.octets,
            print::outcome(&file.outcome)
        ))?;
    }
    print::say(format_args!(
        "session {}  from {}  ssid {}  {} in  {} out  {}",
        report.session,
        report.address.map_or_else(|| "-".to_owned(), |address| address.to_string()),
        report.peer.as_ref().map_or("-", |peer| peer.code.as_str()).escape_debug(),
        print::size(report.octets_in),
        print::size(report.octets_out),
        report.ending,
    ))
}
