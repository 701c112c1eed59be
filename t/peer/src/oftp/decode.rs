//! Octets to commands: the layouts of RFC 5024 §5.3 (level 5), RFC 2204 §5.3 (levels 1 and 2), and of 1.4 between.
//! Accepts what a lenient peer accepts (short CDT and ESID, missing tails); an error names what must be refused.

use super::codec::{CodecError, Get, Level, reserved};
use super::command::{Command, Features, FileId, Format, NerpReason, Receipt, Sfid, Ssid};
use super::stamp::Stamp;

impl Command {
    /// The command in `octets`, an Exchange Buffer of `level`. An ESID may have either layout at any level.
    pub fn decode(octets: &[u8], level: Level) -> Result<Self, CodecError> {
        let five = level == Level::Five;
        let code = octets.first().copied().unwrap_or(0);
        match code {
            b'I' => decode_ssrm(octets),
            b'X' => decode_ssid(octets).map(Self::Ssid),
            b'H' => decode_sfid(octets, level).map(Self::Sfid),
            b'2' => decode_sfpa(octets, five),
            b'3' => decode_sfna(octets),
            b'D' => Ok(Self::Data(octets.get(1..).unwrap_or_default().to_vec())),
            // Some stacks leave the two reserved octets out (deviation C6).
            b'C' if octets.len() == 1 => Ok(Self::Cdt),
            b'C' => {
                let mut get = Get::new("CDT", octets);
                get.raw(2)?;
                get.done(Self::Cdt)
            }
            b'T' => decode_efid(octets, five),
            b'4' => {
                let mut get = Get::new("EFPA", octets);
                let turn = get.flag("EFPACD")?;
                get.done(Self::Efpa(turn))
            }
            b'5' => decode_efna(octets),
            b'F' => decode_esid(octets),
            b'R' => Get::new("CD", octets).done(Self::Cd),
            b'E' => decode_eerp(octets, level).map(Self::Receipt),
            b'N' if level >= Level::Four => decode_nerp(octets, level).map(Self::Receipt),
            b'P' => Get::new("RTR", octets).done(Self::Rtr),
            b'J' if five => Get::new("SECD", octets).done(Self::Secd),
            b'A' if five => {
                let mut get = Get::new("AUCH", octets);
                let challenge = get.counted_octets()?;
                get.done(Self::Auch(challenge))
            }
            b'S' if five => {
                let mut get = Get::new("AURP", octets);
                let response = get.raw(20)?.try_into().unwrap_or([0; 20]);
                get.done(Self::Aurp(response))
            }
            other => Err(CodecError::Unknown(other)),
        }
    }
}

fn decode_sfpa(octets: &[u8], five: bool) -> Result<Command, CodecError> {
    let mut get = Get::new("SFPA", octets);
    let position = get.number("SFPAACNT", if five { 17 } else { 9 })?;
    get.done(Command::Sfpa(position))
}

fn decode_sfna(octets: &[u8]) -> Result<Command, CodecError> {
    let mut get = Get::new("SFNA", octets);
    let (reason, retry) = (get.reason("SFNAREAS")?, get.flag("SFNARRTR")?);
    let text = if get.is_at_end() { String::new() } else { get.counted_text("SFNAREAST")? };
    get.done(Command::Sfna { reason, retry, text })
}

fn decode_efid(octets: &[u8], five: bool) -> Result<Command, CodecError> {
    let mut get = Get::new("EFID", octets);
    let records = get.number("EFIDRCNT", if five { 17 } else { 9 })?;
    let octets = get.number("EFIDUCNT", if five { 17 } else { 12 })?;
    get.done(Command::Efid { records, octets })
}

fn decode_efna(octets: &[u8]) -> Result<Command, CodecError> {
    let mut get = Get::new("EFNA", octets);
    let reason = get.reason("EFNAREAS")?;
    let text = if get.is_at_end() { String::new() } else { get.counted_text("EFNAREAST")? };
    get.done(Command::Efna { reason, text })
}

fn decode_ssrm(octets: &[u8]) -> Result<Command, CodecError> {
    let mut get = Get::new("SSRM", octets);
    let text = get.raw(17)?;
    if text != b"ODETTE FTP READY " {
        return Err(get.refuse("SSRMMSG", text));
    }
    get.carriage_return()?;
    get.done(Command::Ssrm)
}

fn decode_ssid(octets: &[u8]) -> Result<Ssid, CodecError> {
    let mut get = Get::new("SSID", octets);
    let digit = get.number("SSIDLEV", 1)?;
    let level =
        Level::from_digit(digit).ok_or_else(|| get.refuse("SSIDLEV", digit.to_string().as_bytes()))?;
    let (code, password) = (get.text(25)?, get.text(8)?);
    let buffer = u32::try_from(get.number("SSIDSDEB", 5)?).unwrap_or(0);
    let mode = get.raw(1)?;
    if !matches!(mode, b"S" | b"R" | b"B") {
        return Err(get.refuse("SSIDSR", mode));
    }
    let features = Features {
        compression: get.flag("SSIDCMPR")?,
        restart: get.flag("SSIDREST")?,
        special: get.flag("SSIDSPEC")?,
    };
    let credit = u16::try_from(get.number("SSIDCRED", 3)?).unwrap_or(0);
    let authentication =
        if level == Level::Five { get.flag("SSIDAUTH")? } else { get.raw(1).map(|_| false)? };
    get.raw(4)?;
    let user = get.text(8)?;
    get.carriage_return()?;
    if buffer < 128 || credit == 0 {
        return Err(get.refuse(if credit == 0 { "SSIDCRED" } else { "SSIDSDEB" }, &octets[35..47]));
    }
    let mode = char::from(mode[0]);
    get.done(Ssid { level, code, password, buffer, mode, features, credit, authentication, user })
}

fn get_stamp(get: &mut Get<'_>, level: Level) -> Result<Stamp, CodecError> {
    let (date, time) = if level < Level::Four { (6, 6) } else { (8, 10) };
    let (date, time) = (get.raw(date)?, get.raw(time)?);
    if let Some(bad) = [date, time].into_iter().find(|digits| !digits.iter().all(u8::is_ascii_digit)) {
        return Err(get.refuse("stamp", bad));
    }
    let text = |digits: &[u8]| digits.iter().map(|&digit| char::from(digit)).collect();
    Ok(Stamp { date: text(date), time: text(time) })
}

fn decode_sfid(octets: &[u8], level: Level) -> Result<Sfid, CodecError> {
    let mut get = Get::new("SFID", octets);
    let name = get.text(26)?;
    get.raw(reserved(level))?;
    let stamp = get_stamp(&mut get, level)?;
    let user = get.text(8)?;
    let (destination, originator) = (get.text(25)?, get.text(25)?);
    let letter = get.raw(1)?;
    let length = u32::try_from(get.number("SFIDLRECL", 5)?).unwrap_or(0);
    let format = match letter {
        b"F" => Format::Fixed(length),
        b"V" => Format::Variable(length),
        b"U" => Format::Unstructured,
        b"T" => Format::Text,
        other => return Err(get.refuse("SFIDFMT", other)),
    };
    let id = FileId { name, stamp, destination, originator };
    let blocks = get.number("SFIDFSIZ", if level == Level::Five { 13 } else { 7 })?;
    let original = if level == Level::Five { get.number("SFIDOSIZ", 13)? } else { blocks };
    let restart = get.number("SFIDREST", if level == Level::Five { 17 } else { 9 })?;
    let mut sfid = Sfid { user, original, restart, ..Sfid::plain(id, format, blocks) };
    if level == Level::Five {
        sfid.security = get.reason("SFIDSEC")?;
        sfid.cipher = get.reason("SFIDCIPH")?;
        sfid.compressed = get.number("SFIDCOMP", 1)? == 1;
        sfid.enveloped = get.number("SFIDENV", 1)? == 1;
        sfid.sign_receipt = get.flag("SFIDSIGN")?;
        sfid.description = get.counted_text("SFIDDESC")?;
    }
    get.done(sfid)
}

fn decode_eerp(octets: &[u8], level: Level) -> Result<Receipt, CodecError> {
    let mut get = Get::new("EERP", octets);
    let name = get.text(26)?;
    get.raw(reserved(level))?;
    let stamp = get_stamp(&mut get, level)?;
    let user = get.text(8)?;
    let (destination, originator) = (get.text(25)?, get.text(25)?);
    let (mut hash, mut signature) = (Vec::new(), Vec::new());
    if level == Level::Five && !get.is_at_end() {
        (hash, signature) = (get.counted_octets()?, get.counted_octets()?);
    }
    let id = FileId { name, stamp, destination, originator };
    get.done(Receipt { id, user, refusal: None, hash, signature })
}

fn decode_nerp(octets: &[u8], level: Level) -> Result<Receipt, CodecError> {
    let mut get = Get::new("NERP", octets);
    let name = get.text(26)?;
    get.raw(6)?;
    let stamp = get_stamp(&mut get, level)?;
    let (destination, originator, creator) = (get.text(25)?, get.text(25)?, get.text(25)?);
    let reason = get.reason("NERPREAS")?;
    let (mut text, mut hash, mut signature) = (String::new(), Vec::new(), Vec::new());
    if level == Level::Five && !get.is_at_end() {
        text = get.counted_text("NERPREAST")?;
        if !get.is_at_end() {
            (hash, signature) = (get.counted_octets()?, get.counted_octets()?);
        }
    }
    let id = FileId { name, stamp, destination, originator };
    let refusal = Some(NerpReason { creator, reason, text });
    get.done(Receipt { id, user: String::new(), refusal, hash, signature })
}

fn decode_esid(octets: &[u8]) -> Result<Command, CodecError> {
    let mut get = Get::new("ESID", octets);
    let reason = get.reason("ESIDREAS")?;
    let text = if octets.len() <= 4 { String::new() } else { get.counted_text("ESIDREAST")? };
    if !get.is_at_end() {
        get.carriage_return()?;
    }
    get.done(Command::Esid { reason, text })
}
