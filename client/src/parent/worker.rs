//! The parent's end of the API worker process: its socket pair, the tasks sent to it, and its replies. Knows nothing of
//! the purpose of the tasks.

use super::task_writer::TaskWriter;
use super::tokens::WORKER;
use crate::backend::{Done, Task};
use common::ipc::frame::{self, FrameError, Splitter};
use common::link::control::MAX_ANSWER;
use mio::net::UnixStream;
use mio::{Interest, Registry};
use nix::unistd::Pid;
use std::io::{self, ErrorKind, Read};

/// Largest reply: it contains the answer as a JSON string, in which every octet may need an escape.
const MAX_REPLY: usize = 2 * MAX_ANSWER + 1024;

pub(super) struct Worker {
    pid: Pid,
    socket: UnixStream,
    splitter: Splitter,
    writer: TaskWriter,
}

impl Worker {
    /// The worker `pid` was forked; `ours` is the parent's end.
    pub(super) fn new(
        pid: Pid,
        ours: std::os::unix::net::UnixStream,
        registry: &Registry,
    ) -> io::Result<Self> {
        ours.set_nonblocking(true)?;
        let mut socket = UnixStream::from_std(ours);
        registry.register(&mut socket, WORKER, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { pid, socket, splitter: Splitter::new(MAX_REPLY), writer: TaskWriter::default() })
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Queues a task (a report behind all questions), and sends as much as the worker takes.
    pub(super) fn send(&mut self, task: &Task) -> Result<(), FrameError> {
        self.writer.push(frame::encode(task)?, task.job.is_report());
        self.flush();
        Ok(())
    }

    /// Sends as much as the worker takes.
    pub(super) fn flush(&mut self) {
        self.writer.flush(&mut self.socket);
    }

    /// Reads what has arrived; false once the worker has closed its end.
    pub(super) fn read(&mut self) -> io::Result<bool> {
        let mut chunk = [0; 16 * 1024];
        loop {
            match self.socket.read(&mut chunk) {
                Ok(0) => return Ok(false),
                Ok(n) => self.splitter.feed(chunk.get(..n).unwrap_or_default()),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// The next reply that was read.
    pub(super) fn next_reply(&mut self) -> Result<Option<Done>, FrameError> {
        self.splitter.take()
    }

    /// The worker is gone: removes its socket from the poller.
    pub(super) fn deregister(mut self, registry: &Registry) {
        // Closing it has the same effect; this only updates mio's table.
        let _ = registry.deregister(&mut self.socket);
    }
}
