//! The start of a session: SSRM, both SSIDs, their agreement, secure authentication (RFC 5024 §4.2).

use super::codec::Level;
use super::command::{Command, Features, Ssid};
use super::report::Agreed;
use super::session::{Role, Session, Stop, out_of_order};
use super::settings::{Authentication, Point};
use openssl::cms::{CMSOptions, CmsContentInfo};
use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::symm::Cipher;
use std::sync::Arc;

impl Session<'_> {
    /// Runs the session from SSRM to the first turn.
    pub(super) fn start(&mut self) -> Result<(), Stop> {
        let peer = match self.role {
            Role::Initiator => self.start_as_initiator()?,
            Role::Responder => self.start_as_responder()?,
        };
        self.peer_code.clone_from(&peer.code);
        self.report.peer = Some(peer);
        self.report.agreed = Some(self.agreed);
        if let Some(keys) = self.settings.authentication.clone() {
            self.authenticate(&keys)?;
        }
        Ok(())
    }

    fn start_as_initiator(&mut self) -> Result<Ssid, Stop> {
        match self.receive()? {
            Command::Ssrm => {}
            other => return Err(out_of_order(&other, "SSRM")),
        }
        self.misbehave(Point::Ready)?;
        let offer = self.own_ssid(None);
        self.send(&Command::Ssid(offer.clone()))?;
        let answer = self.receive_ssid()?;
        self.agreed = agree(&offer, &answer, Role::Initiator);
        self.report.peer = Some(answer.clone());
        self.check_peer(&answer)?;
        check_modes(&offer, &answer)?;
        Ok(answer)
    }

    fn start_as_responder(&mut self) -> Result<Ssid, Stop> {
        self.send(&Command::Ssrm)?;
        self.misbehave(Point::Ready)?;
        let offer = self.receive_ssid()?;
        let answer = self.own_ssid(Some(&offer));
        self.agreed = agree(&offer, &answer, Role::Responder);
        self.report.peer = Some(offer.clone());
        self.check_peer(&offer)?;
        check_modes(&offer, &answer)?;
        self.send(&Command::Ssid(answer))?;
        Ok(offer)
    }

    fn receive_ssid(&mut self) -> Result<Ssid, Stop> {
        match self.receive()? {
            Command::Ssid(ssid) => Ok(ssid),
            other => Err(out_of_order(&other, "SSID")),
        }
    }

    /// Our offer, or our answer to `offer`: never more than was offered.
    fn own_ssid(&self, offer: Option<&Ssid>) -> Ssid {
        let settings = self.settings;
        let level = offer.map_or(settings.level, |offer| offer.level.min(settings.level));
        let mode = match (offer.map(|offer| offer.mode), settings.mode) {
            (Some('S'), 'B') => 'R',
            (Some('R'), 'B') => 'S',
            (_, own) => own,
        };
        Ssid {
            level,
            code: settings.code.clone(),
            password: settings.password.clone(),
            buffer: offer.map_or(settings.buffer, |offer| offer.buffer.min(settings.buffer)),
            mode,
            features: Features {
                compression: settings.compression && offer.is_none_or(|offer| offer.features.compression),
                restart: settings.restart && offer.is_none_or(|offer| offer.features.restart),
                special: false,
            },
            credit: offer.map_or(settings.credit, |offer| offer.credit.min(settings.credit)),
            authentication: level == Level::Five && settings.authentication.is_some(),
            user: settings.user.clone(),
        }
    }

    fn check_peer(&self, peer: &Ssid) -> Result<(), Stop> {
        let settings = self.settings;
        let differs = |wanted: &Option<String>, found: &str| wanted.as_ref().is_some_and(|w| w != found);
        if differs(&settings.peer_code, &peer.code) {
            return Err(Stop::End(3, "the user code is not known here".to_owned()));
        }
        if differs(&settings.peer_password, &peer.password) {
            return Err(Stop::End(4, "the password is wrong".to_owned()));
        }
        // An answer below level 5 has no such flag: the requirement is not satisfied (RFC 5024 §4.2.3).
        if settings.authentication.is_some() != (peer.level == Level::Five && peer.authentication) {
            return Err(Stop::End(12, "secure authentication is wanted by one side only".to_owned()));
        }
        Ok(())
    }

    /// Both directions in turn; the Responder challenges first (RFC 5024 §4.2.4).
    fn authenticate(&mut self, keys: &Arc<Authentication>) -> Result<(), Stop> {
        if self.role == Role::Initiator {
            self.send(&Command::Secd)?;
            self.be_challenged(keys)?;
            self.expect_secd()?;
            self.challenge(keys)
        } else {
            self.expect_secd()?;
            self.challenge(keys)?;
            self.send(&Command::Secd)?;
            self.be_challenged(keys)
        }
    }

    fn expect_secd(&mut self) -> Result<(), Stop> {
        match self.receive()? {
            Command::Secd => Ok(()),
            other => Err(out_of_order(&other, "SECD")),
        }
    }

    fn challenge(&mut self, keys: &Authentication) -> Result<(), Stop> {
        let failed = |_| Stop::End(11, "no challenge could be made for the peer's certificate".to_owned());
        let mut secret = [0; 20];
        openssl::rand::rand_bytes(&mut secret).map_err(failed)?;
        let challenge = seal(keys, &secret).map_err(failed)?;
        self.send(&Command::Auch(challenge))?;
        match self.receive()? {
            Command::Aurp(answer) if answer == secret => Ok(()),
            Command::Aurp(_) => Err(Stop::End(11, "the challenge was answered wrongly".to_owned())),
            other => Err(out_of_order(&other, "AURP")),
        }
    }

    fn be_challenged(&mut self, keys: &Authentication) -> Result<(), Stop> {
        let challenge = match self.receive()? {
            Command::Auch(challenge) => challenge,
            other => return Err(out_of_order(&other, "AUCH")),
        };
        let secret = CmsContentInfo::from_der(&challenge)
            .and_then(|cms| cms.decrypt(&keys.key, &keys.certificate))
            .ok()
            .and_then(|secret| secret.try_into().ok())
            .ok_or_else(|| Stop::End(11, "the challenge is not for this side's certificate".to_owned()))?;
        self.send(&Command::Aurp(secret))
    }
}

fn seal(keys: &Authentication, secret: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let mut recipients = Stack::new()?;
    recipients.push(keys.peer.clone())?;
    CmsContentInfo::encrypt(&recipients, secret, Cipher::aes_256_cbc(), CMSOptions::BINARY)?.to_der()
}

/// The effective values (RFC 5024 §5.3.2): the lower, the smaller, both.
fn agree(initiator: &Ssid, responder: &Ssid, role: Role) -> Agreed {
    let (own, peer) = match role {
        Role::Initiator => (initiator, responder),
        Role::Responder => (responder, initiator),
    };
    Agreed {
        level: own.level.min(peer.level),
        buffer: own.buffer.min(peer.buffer),
        credit: own.credit.min(peer.credit),
        compression: own.features.compression && peer.features.compression,
        restart: own.features.restart && peer.features.restart,
        may_send: own.mode != 'R' && peer.mode != 'S',
    }
}

/// If both sides only send, or both only receive, the session is useless.
fn check_modes(initiator: &Ssid, responder: &Ssid) -> Result<(), Stop> {
    match (initiator.mode, responder.mode) {
        ('S', 'S') | ('R', 'R') => Err(Stop::End(10, "the two modes do not fit".to_owned())),
        _ => Ok(()),
    }
}
