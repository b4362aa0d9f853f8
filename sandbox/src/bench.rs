//! What confinement costs: every round runs each program bare, in the reuse profile and in the fresh profile.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Collect, End, Job, JobFile, Keeper, KeeperConfig, Limits, Needs, Policy, Profile, RunSpec, SealedFile,
    Slot, Stdin,
};

/// How long a throughput measurement lasts.
const THROUGHPUT: Duration = Duration::from_secs(2);

/// What a judge does between two runs of the fresh profile, checking the one and fetching the other; the next cell is
/// armed meanwhile. Both sides of a round get this pause, and throughput is measured without it.
const BETWEEN_FRESH_RUNS: Duration = Duration::from_millis(5);

/// How many runs follow each other: a submission has many testcases, and its runs are asked for one ahead.
const TURN: usize = 10;

/// The first runs fill caches and do not count.
const WARM_UP: usize = 10;

/// One program to measure.
struct Subject {
    name: &'static str,
    bare: Vec<String>,
    files: Vec<(String, SealedFile)>,
    argv: Vec<String>,
    root: Vec<PathBuf>,
    /// Whether its interpreter may be forked.
    warm: bool,
}

/// What one program costs in one profile.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// `reuse` or `fresh`.
    #[serde(skip)]
    pub profile: &'static str,
    /// `c_hello`, `cpp_hello` (both static) or `python_hello`.
    #[serde(skip)]
    pub program: &'static str,
    /// A bare spawn, in milliseconds.
    pub bare_ms_median: f64,
    /// A confined run, in milliseconds.
    pub confined_ms_median: f64,
    /// The difference of the medians, in milliseconds.
    pub overhead_ms_median: f64,
    /// The difference of the 99th percentiles, in milliseconds.
    pub overhead_ms_p99: f64,
    /// Confined runs per second with one slot busy.
    pub runs_per_second_1: f64,
    /// Confined runs per second with all slots busy.
    pub runs_per_second_all: f64,
    /// Bare spawns per second on all cores.
    pub bare_runs_per_second_all: f64,
    /// What other tools add to a bare spawn, in milliseconds, by name; measured in turns with the rest.
    pub peers_overhead_ms_median: BTreeMap<&'static str, f64>,
}

/// Measures every program in both profiles, and hands over each row as it comes.
///
/// `binary` is the `assize-sandbox` executable, `rounds` the number of runs per program and profile. Needs `gcc`, `g++`
/// and `python3`, each of them run confined; `bwrap` and `firejail` are measured too where they are installed.
pub fn measure(
    binary: &Path,
    rounds: usize,
    mut each: impl FnMut(&Row) -> io::Result<()>,
) -> Result<Vec<Row>, Box<dyn Error + Send + Sync>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let config =
        KeeperConfig { binary: binary.to_owned(), slots: cores, pin: cores > 1, policy: Policy::default() };
    let mut keeper = Keeper::start(config)?;
    let mut slots: Vec<Slot> = std::iter::from_fn(|| keeper.take_slot()).collect();
    let place = tempfile::Builder::new().prefix("assize-bench-").tempdir()?;
    // Other tools drop their rights before they look for the program.
    fs::set_permissions(place.path(), Permissions::from_mode(0o755))?;
    let subjects = subjects(&mut slots[0], place.path())?;
    let mut rows = Vec::new();
    for profile in [Profile::Run, Profile::Build] {
        for subject in &subjects {
            let row = row(&mut slots, subject, profile, rounds, place.path())?;
            each(&row)?;
            rows.push(row);
        }
    }
    Ok(rows)
}

/// All rows as one object: by profile and program, with the first row's numbers (a static C program whose cell is
/// used again) at the top.
pub fn summary(rows: &[Row]) -> Value {
    let mut all = serde_json::Map::new();
    for row in rows {
        let profile = all.entry(row.profile).or_insert_with(|| json!({}));
        profile[row.program] = json!(row);
    }
    if let Some(Value::Object(first)) = rows.first().map(|row| json!(row)) {
        all.extend(first);
    }
    Value::Object(all)
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:5} {:<12}  bare {:>7.3} ms, confined {:>7.3} ms: {:+.3} ms (p99 {:+.3}); {:>4.0} runs/s on one core, \
             {:>4.0} on all, bare {:>4.0}: {:.2}",
            self.profile,
            self.program,
            self.bare_ms_median,
            self.confined_ms_median,
            self.overhead_ms_median,
            self.overhead_ms_p99,
            self.runs_per_second_1,
            self.runs_per_second_all,
            self.bare_runs_per_second_all,
            self.runs_per_second_all / self.bare_runs_per_second_all,
        )?;
        for (peer, overhead_ms) in &self.peers_overhead_ms_median {
            write!(f, "; {peer} {overhead_ms:+.3} ms")?;
        }
        Ok(())
    }
}

fn row(
    slots: &mut Vec<Slot>,
    subject: &Subject,
    profile: Profile,
    rounds: usize,
    place: &Path,
) -> Result<Row, Box<dyn Error + Send + Sync>> {
    let peers = peers(subject, place);
    let times = interleaved(&mut slots[0], subject, profile, rounds, &peers)?;
    let (bare, confined) = (quantile(&times.bare, 0.5), quantile(&times.confined, 0.5));
    let peers = peers.iter().zip(&times.peers);
    Ok(Row {
        profile: if profile == Profile::Run { "reuse" } else { "fresh" },
        program: subject.name,
        bare_ms_median: bare,
        confined_ms_median: confined,
        overhead_ms_median: confined - bare,
        overhead_ms_p99: quantile(&times.confined, 0.99) - quantile(&times.bare, 0.99),
        bare_runs_per_second_all: throughput_bare(subject, slots.len())?,
        runs_per_second_1: throughput(slots, subject, profile, 1)?,
        runs_per_second_all: throughput(slots, subject, profile, slots.len())?,
        peers_overhead_ms_median: peers
            .map(|((name, _), times)| (*name, quantile(times, 0.5) - bare))
            .collect(),
    })
}

/// Other tools that are installed, with the command by which each runs the subject, confined as far as it goes.
fn peers(subject: &Subject, place: &Path) -> Vec<(&'static str, Vec<String>)> {
    let place = place.display();
    let bwrap = format!(
        "bwrap --unshare-all --die-with-parent --new-session --cap-drop ALL --ro-bind /usr /usr \
         --symlink usr/lib /lib --symlink usr/lib64 /lib64 --ro-bind {place} {place} --chdir {place} --"
    );
    let firejail =
        "firejail --quiet --noprofile --net=none --caps.drop=all --seccomp --nonewprivs --private-dev --";
    [("bwrap", bwrap.as_str()), ("firejail", firejail)]
        .into_iter()
        .map(|(name, command)| {
            let words = command.split_whitespace().map(str::to_owned);
            (name, words.chain(subject.bare.iter().cloned()).collect::<Vec<String>>())
        })
        // One that is not installed, or does not work here, is left out.
        .filter(|(_, command)| spawn(command).is_ok())
        .collect()
}

/// Milliseconds of each run.
struct Times {
    bare: Vec<f64>,
    confined: Vec<f64>,
    peers: Vec<Vec<f64>>,
}

/// Runs bare and confined in turns of [`TURN`] runs each (of one in the fresh profile), and each peer once a turn.
fn interleaved(
    slot: &mut Slot,
    subject: &Subject,
    profile: Profile,
    rounds: usize,
    peers: &[(&'static str, Vec<String>)],
) -> Result<Times, Box<dyn Error + Send + Sync>> {
    let job = subject.job(profile)?;
    let mut session = slot.open(&job)?;
    let spec = RunSpec::new(Stdin::Null, limits(profile));
    let mut times = Times { bare: Vec::new(), confined: Vec::new(), peers: vec![Vec::new(); peers.len()] };
    let (turn, pause) =
        if profile == Profile::Run { (TURN, Duration::ZERO) } else { (1, BETWEEN_FRESH_RUNS) };
    while times.bare.len() < rounds + WARM_UP {
        thread::sleep(pause);
        for _ in 0..turn {
            times.bare.push(milliseconds(|| spawn(&subject.bare))?);
        }
        if times.bare.len().is_multiple_of(TURN) {
            for ((_, command), times) in peers.iter().zip(&mut times.peers) {
                times.push(milliseconds(|| spawn(command))?);
            }
        }
        thread::sleep(pause);
        let mut last = Instant::now();
        session.start(&spec)?;
        for index in 1..=turn {
            if index < turn {
                session.start(&spec)?;
            }
            finished(subject, session.finish()?.report.end)?;
            times.confined.push(last.elapsed().as_secs_f64() * 1e3);
            last = Instant::now();
        }
    }
    times.bare.drain(..WARM_UP);
    times.confined.drain(..WARM_UP);
    Ok(times)
}

fn milliseconds(work: impl FnOnce() -> io::Result<()>) -> io::Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

fn finished(subject: &Subject, end: End) -> Result<(), Box<dyn Error + Send + Sync>> {
    match end {
        End::Finished => Ok(()),
        other => Err(format!("{} ended by {other:?}", subject.name).into()),
    }
}

/// Runs per second with `count` slots at once.
fn throughput(
    slots: &mut Vec<Slot>,
    subject: &Subject,
    profile: Profile,
    count: usize,
) -> Result<f64, Box<dyn Error + Send + Sync>> {
    let barrier = Arc::new(Barrier::new(count));
    let busy: Vec<Slot> = slots.drain(..count).collect();
    let mut threads = Vec::new();
    for mut slot in busy {
        let (job, barrier) = (subject.job(profile)?, Arc::clone(&barrier));
        threads.push(thread::spawn(move || {
            let mut runs = 0u64;
            let mut work = || -> Result<f64, crate::SandboxError> {
                let mut session = slot.open(&job)?;
                let spec = RunSpec::new(Stdin::Null, limits(profile));
                barrier.wait();
                let start = Instant::now();
                session.start(&spec)?;
                while start.elapsed() < THROUGHPUT {
                    session.start(&spec)?;
                    session.finish()?;
                    runs += 1;
                }
                Ok(runs as f64 / start.elapsed().as_secs_f64())
            };
            let result = work();
            (slot, result)
        }));
    }
    let mut sum = 0.0;
    for thread in threads {
        let (slot, result) = thread.join().map_err(|_| "a measuring thread panicked")?;
        slots.insert(0, slot);
        sum += result?;
    }
    Ok(sum)
}

fn throughput_bare(subject: &Subject, count: usize) -> Result<f64, Box<dyn Error + Send + Sync>> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|_| {
                scope.spawn(|| -> io::Result<f64> {
                    let start = Instant::now();
                    let mut runs = 0u64;
                    while start.elapsed() < THROUGHPUT {
                        spawn(&subject.bare)?;
                        runs += 1;
                    }
                    Ok(runs as f64 / start.elapsed().as_secs_f64())
                })
            })
            .collect();
        let mut sum = 0.0;
        for thread in threads {
            sum += thread.join().map_err(|_| "a measuring thread panicked")??;
        }
        Ok(sum)
    })
}

fn limits(profile: Profile) -> Limits {
    match profile {
        Profile::Run => Limits::run(2000),
        Profile::Build => Limits::build(2000),
    }
}

fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(((sorted.len().saturating_sub(1)) as f64 * part).round() as usize).copied().unwrap_or(f64::NAN)
}

impl Subject {
    fn job(&self, profile: Profile) -> io::Result<Job> {
        let mut files = Vec::new();
        for (name, content) in &self.files {
            files.push(JobFile { name: name.clone(), content: content.try_clone()?, executable: true });
        }
        Ok(Job {
            profile,
            root: self.root.clone(),
            files,
            directories: Vec::new(),
            needs: Needs::default(),
            argv: self.argv.clone(),
            env: Vec::new(),
            warm: self.warm,
        })
    }
}

/// Spawns a program as a judge without a sandbox would, with its output through a pipe.
fn spawn(command: &[String]) -> io::Result<()> {
    let [program, arguments @ ..] = command else { return Err(io::ErrorKind::InvalidInput.into()) };
    let output = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/bin")
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() { Ok(()) } else { Err(io::Error::other(format!("{program} failed"))) }
}

fn subjects(slot: &mut Slot, place: &Path) -> Result<Vec<Subject>, Box<dyn Error + Send + Sync>> {
    let usual = ["/usr", "/bin", "/lib", "/lib64", "/etc/alternatives"].map(PathBuf::from);
    let root: Vec<PathBuf> = usual.into_iter().filter(|path| path.symlink_metadata().is_ok()).collect();
    let mut subjects = Vec::new();
    let sources = [
        ("c_hello", "gcc", "a.c", "#include <stdio.h>\nint main(void) { puts(\"hello\"); }\n"),
        ("cpp_hello", "g++", "a.cpp", "#include <iostream>\nint main() { std::cout << \"hello\\n\"; }\n"),
    ];
    for (name, compiler, source, text) in sources {
        let job = Job {
            profile: Profile::Build,
            root: root.clone(),
            files: vec![JobFile {
                name: source.to_owned(),
                content: SealedFile::from_bytes(source, text.as_bytes())?,
                executable: false,
            }],
            directories: Vec::new(),
            needs: Needs::default(),
            argv: [&format!("/usr/bin/{compiler}"), "-O2", "-static", "-o", "hello", source]
                .map(str::to_owned)
                .to_vec(),
            env: vec![("PATH".to_owned(), "/usr/bin".to_owned())],
            warm: false,
        };
        let mut spec = RunSpec::new(Stdin::Null, Limits::build(30_000));
        spec.collect = vec![Collect { name: "hello".to_owned(), bytes_max: 64 << 20 }];
        let mut outcome = slot.open(&job)?.run(&spec)?;
        let (_, program) =
            outcome.files.pop().ok_or_else(|| format!("{compiler} failed: {:?}", outcome.report.end))?;
        let bare = place.join(name);
        io::copy(&mut program.reader(), &mut File::create(&bare)?)?;
        fs::set_permissions(&bare, Permissions::from_mode(0o755))?;
        subjects.push(Subject {
            name,
            bare: vec![bare.display().to_string()],
            files: vec![("hello".to_owned(), program)],
            argv: vec!["./hello".to_owned()],
            root: Vec::new(),
            warm: false,
        });
    }
    let script = place.join("main.py");
    fs::write(&script, "print('hello')\n")?;
    let words = |script: String| ["/usr/bin/python3".to_owned(), "-ISB".to_owned(), script].to_vec();
    for (name, warm) in [("python_hello", false), ("python_hello_warm", true)] {
        subjects.push(Subject {
            name,
            bare: words(script.display().to_string()),
            files: vec![("main.py".to_owned(), SealedFile::from_bytes("main.py", b"print('hello')\n")?)],
            argv: words("main.py".to_owned()),
            root: root.clone(),
            warm,
        });
    }
    Ok(subjects)
}
