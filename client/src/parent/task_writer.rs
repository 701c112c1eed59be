//! Sends frames to the API worker. Questions are sent before reports, of which there may be megabytes.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write};

type Frame = Vec<u8>;

#[derive(Default)]
pub(super) struct TaskWriter {
    /// The current frame: so many octets of it are sent.
    sending: (Frame, usize),
    questions: VecDeque<Frame>,
    reports: VecDeque<Frame>,
}

impl TaskWriter {
    pub(super) fn push(&mut self, frame: Frame, is_report: bool) {
        if is_report { self.reports.push_back(frame) } else { self.questions.push_back(frame) }
    }

    /// Sends as much as the socket takes. Errors are not reported here: if the socket is full, the loop wakes up when
    /// there is room; if it is broken, the next read finds its end.
    pub(super) fn flush(&mut self, socket: &mut impl Write) {
        loop {
            let (frame, sent) = &mut self.sending;
            if *sent == frame.len() {
                let Some(next) = self.questions.pop_front().or_else(|| self.reports.pop_front()) else {
                    return self.sending = Default::default();
                };
                (*frame, *sent) = (next, 0);
            }
            match socket.write(frame.get(*sent..).unwrap_or_default()) {
                Ok(n) => *sent += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ErrorKind, TaskWriter, Write};
    use std::io;

    /// Takes this many more octets.
    struct Narrow(Vec<u8>, usize);

    impl Write for Narrow {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            let taken = octets.len().min(self.1);
            if taken == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            self.0.extend_from_slice(&octets[..taken]);
            self.1 -= taken;
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_question_overtakes_what_is_not_begun() {
        let mut output = TaskWriter::default();
        let mut socket = Narrow(Vec::new(), 4);
        for report in ["report1 ", "report2 "] {
            output.push(report.into(), true);
        }
        output.flush(&mut socket);
        output.push(b"question ".to_vec(), false);
        for _ in 0..50 {
            socket.1 = 3;
            output.flush(&mut socket);
        }
        assert_eq!(String::from_utf8(socket.0).unwrap(), "report1 question report2 ");
    }
}
