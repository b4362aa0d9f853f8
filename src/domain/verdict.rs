//! What a run means: the verdict codes, and the one function from an observation to a verdict.
//!
//! The sandbox reports what the kernel saw; `of` says what it means. A signal alone never decides: a program
//! that kills itself with `SIGXCPU` has a run-time error, for only our own meters say that a limit was passed.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The verdict on one testcase or on a whole judging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// Accepted.
    Ac,
    /// Wrong answer.
    Wa,
    /// Presentation error: right but for white space, where a validator says so.
    Pe,
    /// CPU time limit exceeded.
    Tle,
    /// Wall time limit exceeded by a program that did use the processor.
    Wtl,
    /// Idleness limit exceeded: the program waited for something that never came.
    Ile,
    /// Memory limit exceeded.
    Mle,
    /// Output limit exceeded.
    Ole,
    /// Run-time error: a non-zero exit code, or ended by a signal of its own.
    Rte,
    /// Compile error.
    Ce,
    /// Compile limit exceeded: the compiler ran out of time, memory or output.
    Ctl,
    /// Security violation: ended for a forbidden act.
    Sv,
    /// Skipped: not run, because of an earlier testcase.
    Sc,
    /// Partially accepted, with a score.
    Pa,
    /// Judging error: our fault.
    Je,
}

impl Verdict {
    /// Every verdict, in the order of the documentation.
    pub const ALL: [Self; 15] = [
        Self::Ac,
        Self::Wa,
        Self::Pe,
        Self::Tle,
        Self::Wtl,
        Self::Ile,
        Self::Mle,
        Self::Ole,
        Self::Rte,
        Self::Ce,
        Self::Ctl,
        Self::Sv,
        Self::Sc,
        Self::Pa,
        Self::Je,
    ];

    /// The code, for example `TLE`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Ac => "AC",
            Self::Wa => "WA",
            Self::Pe => "PE",
            Self::Tle => "TLE",
            Self::Wtl => "WTL",
            Self::Ile => "ILE",
            Self::Mle => "MLE",
            Self::Ole => "OLE",
            Self::Rte => "RTE",
            Self::Ce => "CE",
            Self::Ctl => "CTL",
            Self::Sv => "SV",
            Self::Sc => "SC",
            Self::Pa => "PA",
            Self::Je => "JE",
        }
    }

    /// The judgement type id of the ICPC Contest API (section "Judgement Types", known types).
    pub fn icpc(self) -> &'static str {
        match self {
            Self::Ac => "AC",
            Self::Wa => "WA",
            Self::Pe => "PE",
            Self::Tle => "TLE",
            Self::Wtl => "WTL",
            Self::Ile => "ILE",
            Self::Mle => "MLE",
            Self::Ole => "OLE",
            Self::Rte => "RTE",
            Self::Ce => "CE",
            Self::Ctl => "CTL",
            Self::Sv => "SV",
            Self::Sc => "CS",
            Self::Pa => "AC",
            Self::Je => "JE",
        }
    }

    /// The verdict as the first interface says it: `AC`, `WA`, `TLE` or `RE`; `CE` and `JE` stay, for none of
    /// the four would be true of them.
    pub fn first_interface(self) -> &'static str {
        match self {
            Self::Ac => "AC",
            Self::Wa | Self::Pe | Self::Pa | Self::Sc => "WA",
            Self::Tle | Self::Wtl | Self::Ile => "TLE",
            Self::Mle | Self::Ole | Self::Rte | Self::Sv => "RE",
            Self::Ce | Self::Ctl => "CE",
            Self::Je => "JE",
        }
    }

    /// The verdict in words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Ac => "accepted",
            Self::Wa => "wrong answer",
            Self::Pe => "presentation error",
            Self::Tle => "time limit exceeded",
            Self::Wtl => "wall time limit exceeded",
            Self::Ile => "idleness limit exceeded",
            Self::Mle => "memory limit exceeded",
            Self::Ole => "output limit exceeded",
            Self::Rte => "run-time error",
            Self::Ce => "compile error",
            Self::Ctl => "compile limit exceeded",
            Self::Sv => "security violation",
            Self::Sc => "skipped",
            Self::Pa => "partially accepted",
            Self::Je => "judging error",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Verdict {
    type Err = super::ids::InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|verdict| verdict.code() == text).ok_or_else(|| super::ids::InvalidId {
            kind: "verdict",
            text: text.chars().take(64).collect(),
            rule: "AC, WA, PE, TLE, WTL, ILE, MLE, OLE, RTE, CE, CTL, SV, SC, PA or JE",
        })
    }
}

/// How a process ended, by the kernel's own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It exited with this code, 0 to 255.
    Code(u8),
    /// It was ended by this signal number.
    Signal(u8),
}

/// Which of our own limits ended a run, if any did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// None: the program ended by itself.
    None,
    /// The CPU time limit.
    Cpu,
    /// The wall time limit.
    Wall,
    /// The memory limit.
    Memory,
    /// The output limit.
    Output,
    /// A system call that no program of this kind may make.
    Forbidden,
}

/// What the kernel saw of one run, as far as a verdict depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// Which limit ended the run.
    pub stop: Stop,
    /// How the main process ended.
    pub exit: Exit,
    /// CPU time of the whole process tree, in milliseconds, rounded up.
    pub cpu_ms: u64,
    /// Wall time, in milliseconds.
    pub wall_ms: u64,
    /// Peak memory of the whole process tree, in bytes.
    pub memory_bytes: u64,
}

/// The limits that a run is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunLimits {
    /// CPU time, in milliseconds.
    pub time_limit_ms: u64,
    /// Memory, in bytes.
    pub memory_limit_bytes: u64,
}

/// The verdict on one run: `accepted` is what the output validator says, asked only when nothing else decides. A
/// validator that fails gives no verdict but its error.
///
/// Precedence: forbidden act, memory, output, CPU, wall (idle where under a tenth of it was CPU time), exit,
/// output validator.
pub fn of<E>(
    run: &Observation,
    limits: &RunLimits,
    accepted: impl FnOnce() -> Result<bool, E>,
) -> Result<Verdict, E> {
    Ok(match run.stop {
        Stop::Forbidden => Verdict::Sv,
        Stop::Memory => Verdict::Mle,
        Stop::Output => Verdict::Ole,
        Stop::Cpu => Verdict::Tle,
        Stop::Wall | Stop::None if run.memory_bytes > limits.memory_limit_bytes => Verdict::Mle,
        Stop::Wall | Stop::None if run.cpu_ms > limits.time_limit_ms => Verdict::Tle,
        Stop::Wall if run.cpu_ms * 10 < run.wall_ms => Verdict::Ile,
        Stop::Wall => Verdict::Wtl,
        Stop::None if run.exit != Exit::Code(0) => Verdict::Rte,
        Stop::None => {
            if accepted()? {
                Verdict::Ac
            } else {
                Verdict::Wa
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_runs_and_what_they_mean() {
        use Exit::{Code, Signal};
        let limits = RunLimits { time_limit_ms: 1000, memory_limit_bytes: 1 << 28 };
        let cases = [
            // stop, exit, cpu_ms, wall_ms, memory_bytes, validator accepts => verdict
            (Stop::None, Code(0), 10, 12, 1 << 20, true, Verdict::Ac),
            (Stop::None, Code(0), 1000, 1200, 1 << 28, true, Verdict::Ac),
            (Stop::None, Code(0), 10, 12, 1 << 20, false, Verdict::Wa),
            (Stop::None, Code(1), 10, 12, 1 << 20, true, Verdict::Rte),
            (Stop::None, Signal(11), 10, 12, 1 << 20, true, Verdict::Rte),
            // A program that sends itself the signals of a judge does not choose its verdict.
            (Stop::None, Signal(9), 10, 12, 1 << 20, true, Verdict::Rte),
            (Stop::None, Signal(24), 10, 12, 1 << 20, true, Verdict::Rte),
            (Stop::None, Signal(31), 10, 12, 1 << 20, true, Verdict::Rte),
            // Too slow by the meter although it ended by itself and was right.
            (Stop::None, Code(0), 1001, 1200, 1 << 20, true, Verdict::Tle),
            (Stop::None, Code(1), 1001, 1200, 1 << 20, true, Verdict::Tle),
            (Stop::Cpu, Signal(9), 1005, 1200, 1 << 20, true, Verdict::Tle),
            (Stop::Wall, Signal(9), 0, 3000, 1 << 20, true, Verdict::Ile),
            (Stop::Wall, Signal(9), 900, 3000, 1 << 20, true, Verdict::Wtl),
            (Stop::Wall, Signal(9), 1002, 3000, 1 << 20, true, Verdict::Tle),
            (Stop::Memory, Signal(9), 1005, 1200, 1 << 28, true, Verdict::Mle),
            (Stop::None, Code(0), 10, 12, (1 << 28) + 1, true, Verdict::Mle),
            (Stop::None, Code(1), 10, 12, (1 << 28) + 1, true, Verdict::Mle),
            (Stop::Output, Signal(9), 10, 12, 1 << 20, true, Verdict::Ole),
            (Stop::Forbidden, Signal(31), 10, 12, 1 << 20, true, Verdict::Sv),
        ];
        for (stop, exit, cpu_ms, wall_ms, memory_bytes, accepts, expected) in cases {
            let run = Observation { stop, exit, cpu_ms, wall_ms, memory_bytes };
            assert_eq!(of(&run, &limits, || Ok::<_, ()>(accepts)), Ok(expected), "{run:?}");
            // What is decided without the validator does not ask it.
            let without = if matches!(expected, Verdict::Ac | Verdict::Wa) { Err(()) } else { Ok(expected) };
            assert_eq!(of(&run, &limits, || Err(())), without, "{run:?}");
        }
    }

    #[test]
    fn every_code_parses_back() {
        for verdict in Verdict::ALL {
            assert_eq!(verdict.code().parse::<Verdict>(), Ok(verdict));
            assert_eq!(serde_json::to_value(verdict).expect("json"), verdict.code());
        }
        assert!("ac".parse::<Verdict>().is_err());
    }
}
