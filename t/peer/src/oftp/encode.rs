//! Commands to octets: the layouts of RFC 5024 §5.3 (level 5), RFC 2204 §5.3 (levels 1 and 2), and of 1.4 between.

use super::codec::{CodecError, Level, Put, reserved};
use super::command::{Command, NerpReason, Receipt, Sfid, Ssid};
use super::stamp::Stamp;

impl Command {
    /// Its Exchange Buffer at `level`, without the Stream Transmission Header.
    pub fn encode(&self, level: Level) -> Result<Vec<u8>, CodecError> {
        let five = level == Level::Five;
        match self {
            Self::Ssrm => Put::new("SSRM", b'I').raw(b"ODETTE FTP READY \r").done(),
            Self::Ssid(ssid) => encode_ssid(ssid),
            Self::Sfid(sfid) => encode_sfid(sfid, level),
            Self::Sfpa(position) => {
                Put::new("SFPA", b'2').number("SFPAACNT", if five { 17 } else { 9 }, *position).done()
            }
            Self::Sfna { reason, retry, text } => {
                let put = Put::new("SFNA", b'3').number("SFNAREAS", 2, (*reason).into()).flag(*retry);
                if five { put.counted_text("SFNAREAST", text).done() } else { put.done() }
            }
            Self::Data(subrecords) => Put::new("DATA", b'D').raw(subrecords).done(),
            Self::Cdt => Put::new("CDT", b'C').raw(b"  ").done(),
            Self::Efid { records, octets } => {
                let (width, octets_width) = if five { (17, 17) } else { (9, 12) };
                let put = Put::new("EFID", b'T').number("EFIDRCNT", width, *records);
                put.number("EFIDUCNT", octets_width, *octets).done()
            }
            Self::Efpa(turn) => Put::new("EFPA", b'4').flag(*turn).done(),
            Self::Efna { reason, text } => {
                let put = Put::new("EFNA", b'5').number("EFNAREAS", 2, (*reason).into());
                if five { put.counted_text("EFNAREAST", text).done() } else { put.done() }
            }
            Self::Esid { reason, text } => {
                let put = Put::new("ESID", b'F').number("ESIDREAS", 2, (*reason).into());
                if five { put.counted_text("ESIDREAST", text) } else { put }.raw(b"\r").done()
            }
            Self::Cd => Put::new("CD", b'R').done(),
            Self::Receipt(receipt) => match &receipt.refusal {
                None => encode_eerp(receipt, level),
                Some(refusal) => encode_nerp(receipt, refusal, level),
            },
            Self::Rtr => Put::new("RTR", b'P').done(),
            Self::Secd => Put::new("SECD", b'J').done(),
            Self::Auch(challenge) => Put::new("AUCH", b'A').counted_octets("AUCHCHAL", challenge).done(),
            Self::Aurp(response) => Put::new("AURP", b'S').raw(response).done(),
        }
    }
}

fn encode_ssid(ssid: &Ssid) -> Result<Vec<u8>, CodecError> {
    let put = Put::new("SSID", b'X')
        .number("SSIDLEV", 1, ssid.level.digit().into())
        .text("SSIDCODE", 25, &ssid.code)
        .text("SSIDPSWD", 8, &ssid.password)
        .number("SSIDSDEB", 5, ssid.buffer.into())
        .text("SSIDSR", 1, &ssid.mode.to_string())
        .flag(ssid.features.compression)
        .flag(ssid.features.restart)
        .flag(ssid.features.special)
        .number("SSIDCRED", 3, ssid.credit.into());
    let put = if ssid.level == Level::Five { put.flag(ssid.authentication) } else { put.raw(b" ") };
    put.raw(b"    ").text("SSIDUSER", 8, &ssid.user).raw(b"\r").done()
}

fn put_stamp(put: Put, stamp: &Stamp, level: Level) -> Put {
    let stamp = stamp.at(level);
    let (date, time) = if level < Level::Four { (6, 6) } else { (8, 10) };
    put.text("date", date, &stamp.date).text("time", time, &stamp.time)
}

fn encode_sfid(sfid: &Sfid, level: Level) -> Result<Vec<u8>, CodecError> {
    let (letter, length) = sfid.format.letter_and_length();
    let put = Put::new("SFID", b'H').text("SFIDDSN", 26, &sfid.id.name).text("SFIDRSV1", reserved(level), "");
    let put = put_stamp(put, &sfid.id.stamp, level)
        .text("SFIDUSER", 8, &sfid.user)
        .text("SFIDDEST", 25, &sfid.id.destination)
        .text("SFIDORIG", 25, &sfid.id.originator)
        .text("SFIDFMT", 1, letter)
        .number("SFIDLRECL", 5, length);
    if level < Level::Five {
        return put.number("SFIDFSIZ", 7, sfid.blocks).number("SFIDREST", 9, sfid.restart).done();
    }
    put.number("SFIDFSIZ", 13, sfid.blocks)
        .number("SFIDOSIZ", 13, sfid.original)
        .number("SFIDREST", 17, sfid.restart)
        .number("SFIDSEC", 2, sfid.security.into())
        .number("SFIDCIPH", 2, sfid.cipher.into())
        .number("SFIDCOMP", 1, sfid.compressed.into())
        .number("SFIDENV", 1, sfid.enveloped.into())
        .flag(sfid.sign_receipt)
        .counted_text("SFIDDESC", &sfid.description)
        .done()
}

fn encode_eerp(receipt: &Receipt, level: Level) -> Result<Vec<u8>, CodecError> {
    let put =
        Put::new("EERP", b'E').text("EERPDSN", 26, &receipt.id.name).text("EERPRSV1", reserved(level), "");
    let put = put_stamp(put, &receipt.id.stamp, level)
        .text("EERPUSER", 8, &receipt.user)
        .text("EERPDEST", 25, &receipt.id.destination)
        .text("EERPORIG", 25, &receipt.id.originator);
    if level < Level::Five {
        return put.done();
    }
    put.counted_octets("EERPHSH", &receipt.hash).counted_octets("EERPSIG", &receipt.signature).done()
}

fn encode_nerp(receipt: &Receipt, refusal: &NerpReason, level: Level) -> Result<Vec<u8>, CodecError> {
    let put = Put::new("NERP", b'N').text("NERPDSN", 26, &receipt.id.name).text("NERPRSV1", 6, "");
    let put = put_stamp(put, &receipt.id.stamp, level.max(Level::Four))
        .text("NERPDEST", 25, &receipt.id.destination)
        .text("NERPORIG", 25, &receipt.id.originator)
        .text("NERPCREA", 25, &refusal.creator)
        .number("NERPREAS", 2, refusal.reason.into());
    if level < Level::Five {
        return put.done();
    }
    put.counted_text("NERPREAST", &refusal.text)
        .counted_octets("NERPHSH", &receipt.hash)
        .counted_octets("NERPSIG", &receipt.signature)
        .done()
}
