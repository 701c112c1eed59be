//! The model's messages as octets, written out for levels 2, 4 and 5.

use super::rules::{Message, Ssid};

/// The whole Stream Transmission Buffer of `message` in the layout of `level` (none: before both SSIDs).
pub(super) fn write(message: Message, level: Option<u32>) -> Vec<u8> {
    let level = level.unwrap_or(5);
    let new = level == 5;
    let text = match message {
        Message::Ssrm => "IODETTE FTP READY \r".to_owned(),
        Message::Ssid(ssid) => start(ssid),
        Message::Secd => "J".to_owned(),
        Message::Auch => "A\0\u{3}abc".to_owned(),
        Message::Aurp => "S12345678901234567890".to_owned(),
        Message::Sfid { restart } => file(level, restart),
        Message::Sfpa { restart } if new => format!("2{restart:017}"),
        Message::Sfpa { restart } => format!("2{restart:09}"),
        Message::Sfna if new => "399N000".to_owned(),
        Message::Sfna => "399N".to_owned(),
        // No subrecords: only the order matters here.
        Message::Data => "D".to_owned(),
        Message::Cdt => "C  ".to_owned(),
        Message::Efid if new => format!("T{:034}", 0),
        Message::Efid => format!("T{:021}", 0),
        Message::Efpa { turn } => format!("4{}", if turn { 'Y' } else { 'N' }),
        Message::Efna if new => "599000".to_owned(),
        Message::Efna => "599".to_owned(),
        Message::Cd => "R".to_owned(),
        Message::Eerp => receipt(level),
        Message::Nerp => negative(level),
        Message::Rtr => "P".to_owned(),
        Message::Esid { error } => {
            format!("F{}{}\r", if error { "08" } else { "00" }, if new { "000" } else { "" })
        }
    };
    let length = u32::try_from(text.len() + 4).unwrap();
    let mut stb = vec![0x10];
    stb.extend(&length.to_be_bytes()[1..]);
    stb.extend(text.as_bytes());
    stb
}

fn start(ssid: Ssid) -> String {
    let yes = |yes: bool| if yes { 'Y' } else { 'N' };
    let Ssid { level, mode, credit, .. } = ssid;
    let authentication = if level == 5 { yes(ssid.authentication) } else { ' ' };
    let (mode, restart) = (char::from(mode), yes(ssid.restart));
    format!(
        "X{level}{:25}{:8}02048{mode}N{restart}N{credit:03}{authentication}{:12}\r",
        "O0013PARTNER", "SECRET", ""
    )
}

/// Name and time stamp, from the second octet to the end of SFIDUSER: 55 octets at every level.
fn name(level: u32) -> String {
    let stamp = if level < 4 { "         240229235959" } else { "   202402292359590001" };
    format!("{:26}{stamp}{:8}", "MODEL", "")
}

fn codes() -> String {
    format!("{:25}{:25}", "O0013DESTINATION", "O0013ORIGIN")
}

fn file(level: u32, restart: u64) -> String {
    let sizes = if level == 5 {
        format!("{:026}{restart:017}000000N000", 0)
    } else {
        format!("{:07}{restart:09}", 0)
    };
    format!("H{}{}U00000{sizes}", name(level), codes())
}

fn receipt(level: u32) -> String {
    format!("E{}{}{}", name(level), codes(), if level == 5 { "\0\0\0\0" } else { "" })
}

/// Levels 4 and 5. Below these the message is not read; it is as long as at level 4.
fn negative(level: u32) -> String {
    let tail = if level == 5 { "000\0\0\0\0" } else { "" };
    format!("N{:26}      202402292359590001{}{:25}99{tail}", "MODEL", codes(), "O0013CREATOR")
}
