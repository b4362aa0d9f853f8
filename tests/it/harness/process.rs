//! Our own executable as a process of its own, to be killed at the worst moment; gone with the value.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A running `assize` command.
pub(crate) struct Process {
    child: Child,
    /// The line that it printed when it was ready.
    pub(crate) ready: String,
}

impl Process {
    /// Starts `assize` with these arguments on a data directory and waits until it says that it is ready.
    pub(crate) fn start(data: &Path, args: &[&str]) -> Process {
        Process::begin(data, args).until_ready()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Ends it as a crash would.
    pub(crate) fn kill9(mut self) {
        kill(self.pid(), Signal::SIGKILL).unwrap();
        self.child.wait().unwrap();
    }

    /// Starts `assize` with these arguments on a data directory and does not wait until it is ready.
    pub(crate) fn begin(data: &Path, args: &[&str]) -> Process {
        Process::begin_with(data, args, &[])
    }

    /// As [`begin`](Self::begin), with more in the environment.
    pub(crate) fn begin_with(data: &Path, args: &[&str], env: &[(&str, &str)]) -> Process {
        let child = Command::new(env!("CARGO_BIN_EXE_assize"))
            .args(args)
            .env("ASSIZE_DATA", data)
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Process { child, ready: String::new() }
    }

    /// Waits until it says that it is ready.
    pub(crate) fn until_ready(mut self) -> Process {
        let mut lines = BufReader::new(self.child.stdout.take().unwrap());
        lines.read_line(&mut self.ready).unwrap();
        assert!(self.ready.contains("ready"), "it said {:?}", self.ready);
        self
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Waits until it has ended and tells its exit code.
    pub(crate) fn code(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Asks it to end and tells its exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        kill(self.pid(), Signal::SIGTERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already dead where the test ended it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All processes below `pid`, by their parents in `/proc`.
pub(crate) fn descendants(pid: Pid) -> Vec<Pid> {
    let mut parents = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap() {
        let name = entry.unwrap().file_name();
        let Some(child) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        // A process that ended meanwhile has no stat any more.
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{child}/stat")) else { continue };
        let after_name = stat.rsplit_once(')').unwrap().1;
        let parent: i32 = after_name.split_whitespace().nth(1).unwrap().parse().unwrap();
        parents.push((Pid::from_raw(child), Pid::from_raw(parent)));
    }
    let mut found = vec![pid];
    let mut at = 0;
    while at < found.len() {
        let parent = found[at];
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child));
        at += 1;
    }
    found.split_off(1)
}

/// Whether a process exists and is not a zombie.
pub(crate) fn is_alive(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next().map(str::to_owned));
    state.is_some_and(|state| state != "Z" && state != "X")
}
