//! `oftp2load`: the load of `scripts/bench chain` and of `scripts/cluster`. Opens valid OFTP2 sessions through several
//! chains of proxies in turn, measures each from outside, and prints one table of medians with the ratios of our own
//! chain to the others; or carries a steady load and tells of each session.
//! Reading order: `chain` (the measured object), `call` (one session), `measure` (many), `table`; `steady`.
#![forbid(unsafe_code)]

mod call;
mod chain;
mod measure;
mod steady;
mod table;

use call::{Caller, Sources};
use chain::Chain;
use getopts::{Matches, Options};
use measure::{MEASURES, Measure};
use oftp2peer::oftp::settings::Settings;
use oftp2peer::transport::tls::Tls;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use steady::Plan;
use table::Table;

const HELP: &str = "\
oftp2load: measures chains of proxies with OFTP2 sessions, see scripts/bench

  oftp2load --chain NAME=HOST:PORT,PID... --cert FILE --key FILE --ca FILE --ssid CODE --password PW [options]
            MEASURE...
  oftp2load --steady HOST:PORT --held N --rate N --cert FILE --key FILE --ca FILE --ssid CODE --password PW [options]

  --chain NAME=HOST:PORT,PID,...   a chain: the address for partners, and its processes (repeated; the last chain is
                                   compared with the others)
  --rounds N     number of rounds, of which the medians are shown (default 5)
  --seconds N    duration of one measure in one round (default 2)
  --sessions N   end each measure after N sessions
  --steady HOST:PORT   keep the sessions of --held running and begin --rate new ones a second until the standard input
                       ends; print a line for each session
  --sources IP+N       the sessions come from N addresses, the first of which is IP (default 127.0.12.0+500)
  --timeout N          longest silence of the other side, seconds (default 60)
";

/// The options that have a value and may be given once.
const VALUES: [&str; 13] = [
    "cert", "key", "ca", "ssid", "password", "rounds", "seconds", "sessions", "steady", "held", "rate",
    "sources", "timeout",
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            eprintln!("oftp2load: {words}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), String> {
    let mut options = Options::new();
    for name in VALUES {
        options.optopt("", name, "", "");
    }
    options.optmulti("", "chain", "", "").optflag("h", "help", "");
    let matches = options.parse(args).map_err(|error| error.to_string())?;
    if matches.opt_present("help") {
        println!("{HELP}\nMeasures:");
        for measure in &MEASURES {
            println!("  {:12} {}", measure.name, measure.what);
        }
        return Ok(());
    }
    if let Some(address) = matches.opt_str("steady") {
        let rate = u32::try_from(number(&matches, "rate", 20)?).map_err(|_| "--rate is too large")?;
        steady::run(&caller(&matches)?, &address, &Plan { held: number(&matches, "held", 50)?, rate });
        return Ok(());
    }
    let chains =
        matches.opt_strs("chain").iter().map(|text| Chain::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let measures = matches.free.iter().map(|name| Measure::named(name)).collect::<Result<Vec<_>, _>>()?;
    let caller = caller(&matches)?;
    let mut table = Table::new(chains.iter().map(|chain| chain.name.clone()));
    for round in 1..=number(&matches, "rounds", 5)? {
        for measure in &measures {
            eprintln!("    round {round}: {}", measure.name);
            for (column, chain) in chains.iter().enumerate() {
                for (row, value) in measure.take(&caller, chain)? {
                    table.add(row, column, value);
                }
            }
        }
    }
    println!("{table}");
    Ok(())
}

fn caller(matches: &Matches) -> Result<Caller, String> {
    let text = |name| matches.opt_str(name).ok_or_else(|| format!("--{name} is missing; try -h"));
    let file = |name| text(name).map(PathBuf::from);
    let (certificate, key) = (file("cert")?, file("key")?);
    let tls = Tls::from_files(Some((&certificate, &key)), Some(&file("ca")?));
    let context = tls.and_then(|tls| tls.context()).map_err(|error| error.to_string())?;
    let mut settings = Settings::new(&text("ssid")?, &text("password")?);
    settings.timeout = Duration::from_secs(number(matches, "timeout", 60)?);
    Ok(Caller {
        context,
        settings,
        time: Duration::from_secs(number(matches, "seconds", 2)?),
        sessions: number(matches, "sessions", u64::MAX)?,
        sources: sources(matches)?,
    })
}

fn sources(matches: &Matches) -> Result<Sources, String> {
    let Some(text) = matches.opt_str("sources") else {
        return Ok(Sources { first: Ipv4Addr::new(127, 0, 12, 0), count: 500 });
    };
    let parts =
        text.split_once('+').and_then(|(first, count)| Some((first.parse().ok()?, count.parse().ok()?)));
    let (first, count) = parts.ok_or_else(|| format!("--sources takes IP+N, not '{text}'"))?;
    Ok(Sources { first, count })
}

fn number(matches: &Matches, name: &str, unset: u64) -> Result<u64, String> {
    let Some(text) = matches.opt_str(name) else { return Ok(unset) };
    text.parse().map_err(|_| format!("--{name} takes a number, not '{text}'"))
}
