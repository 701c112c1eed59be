//! `oftp2peer ca`: a test CA in a folder.

use super::{Fault, number, parse, print};
use crate::ca::folder::Folder;
use crate::ca::{Key, Request};
use getopts::{Matches, Options};
use std::path::Path;

const HELP: &str = "\
oftp2peer ca: a CA for trials, in a folder; its key is not protected, so never trust it in production

  oftp2peer ca init DIR [--name NAME]          make a CA: ca.pem, ca.key, crl.pem (an empty CRL)
  oftp2peer ca issue DIR NAME [options]        make NAME.pem and NAME.key
  oftp2peer ca revoke DIR NAME                 revoke NAME.pem; takes effect with the next CRL
  oftp2peer ca crl DIR                         write a new crl.pem

  --name NAME       name of a new CA
  --ssid CODE       SSIDCODE in the certificate (the subject's serialNumber, as Odette's policy has it)
  --host HOST       host name or address in the certificate (may be repeated)
  --server          for TLS servers only
  --client          for TLS clients only
  --both            for both (default)
  --days N          valid for N days (default 365; CRLs 30)
  --rsa BITS        an RSA key instead of ECDSA P-256
  --crl-url URL     where the CRL is published
";

pub(super) fn run(args: &[String]) -> Result<(), Fault> {
    let mut options = Options::new();
    for name in ["name", "ssid", "days", "rsa", "crl-url"] {
        options.optopt("", name, "", "");
    }
    for name in ["server", "client", "both"] {
        options.optflag("", name, "");
    }
    options.optmulti("", "host", "", "");
    let Some(matches) = parse(&mut options, args, HELP)? else { return Ok(()) };
    let words: Vec<&str> = matches.free.iter().map(String::as_str).collect();
    match words[..] {
        ["init", folder] => {
            let name = matches.opt_str("name").unwrap_or_else(|| "OFTP2 trial CA".to_owned());
            Folder::create(Path::new(folder), &name, crl_days(&matches)?).map_err(Fault::failed)?;
            print::say(format_args!("{folder}/ca.pem\n{folder}/crl.pem"))?;
        }
        ["issue", folder, name] => {
            let request = request(name, &matches)?;
            open(folder)?.issue(&request).map_err(Fault::failed)?;
            print::say(format_args!("{folder}/{name}.pem\n{folder}/{name}.key"))?;
        }
        ["revoke", folder, name] => {
            open(folder)?.revoke(name).map_err(Fault::failed)?;
            print::say(format_args!(
                "{name} is revoked; 'oftp2peer ca crl {folder}' writes the CRL that says so"
            ))?;
        }
        ["crl", folder] => {
            let path = open(folder)?.write_crl(crl_days(&matches)?).map_err(Fault::failed)?;
            print::say(format_args!("{}", path.display()))?;
        }
        _ => return Err(Fault::Usage("ca takes init, issue, revoke or crl; try oftp2peer ca -h".to_owned())),
    }
    Ok(())
}

fn open(folder: &str) -> Result<Folder, Fault> {
    Folder::open(Path::new(folder)).map_err(Fault::failed)
}

fn crl_days(matches: &Matches) -> Result<u64, Fault> {
    number(matches, "days", 1..=36_500, 30)
}

fn request(name: &str, matches: &Matches) -> Result<Request, Fault> {
    if name.is_empty() || name == "ca" || name.contains('/') {
        return Err(Fault::Usage(format!("'{name}' cannot be the name of a certificate")));
    }
    let (server, client) = (matches.opt_present("server"), matches.opt_present("client"));
    let is_both = matches.opt_present("both") || server == client;
    Ok(Request {
        ssid: matches.opt_str("ssid"),
        hosts: matches.opt_strs("host"),
        server: server || is_both,
        client: client || is_both,
        to_day: number(matches, "days", 1..=36_500, 365)?,
        key: match number(matches, "rsa", 512..=16_384, 0)? {
            0 => Key::P256,
            bits => Key::Rsa(bits),
        },
        crl_url: matches.opt_str("crl-url"),
        ..Request::new(name)
    })
}
