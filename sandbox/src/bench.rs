//! What confinement costs: every round runs each program bare, in the reuse profile and in the fresh profile.

use std::error::Error;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    Collect, End, Job, JobFile, Keeper, KeeperConfig, Limits, Policy, Profile, RunSpec, SealedFile, Slot,
    Stdin,
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
}

/// Measures and prints.
pub(crate) fn main(rounds: usize, json: bool) -> Result<(), Box<dyn Error>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut keeper = keeper(cores)?;
    let mut slots: Vec<Slot> = std::iter::from_fn(|| keeper.take_slot()).collect();
    let place = std::env::temp_dir().join(format!("assize-bench-{}", std::process::id()));
    fs::create_dir_all(&place)?;
    let result =
        subjects(&mut slots[0], &place).and_then(|subjects| measure(&mut slots, &subjects, rounds, json));
    fs::remove_dir_all(&place)?;
    result
}

fn keeper(slots: usize) -> Result<Keeper, Box<dyn Error>> {
    let binary = std::env::current_exe()?;
    Ok(Keeper::start(KeeperConfig { binary, slots, pin: slots > 1, policy: Policy::default() })?)
}

fn measure(
    slots: &mut Vec<Slot>,
    subjects: &[Subject],
    rounds: usize,
    json: bool,
) -> Result<(), Box<dyn Error>> {
    let mut all = serde_json::Map::new();
    for subject in subjects {
        for profile in [Profile::Run, Profile::Build] {
            let (bare, confined) = interleaved(&mut slots[0], subject, profile, rounds)?;
            let overhead: Vec<f64> =
                bare.iter().zip(&confined).map(|(bare, confined)| confined - bare).collect();
            let bare_all = throughput_bare(subject, slots.len())?;
            let one = throughput(slots, subject, profile, 1)?;
            let every = throughput(slots, subject, profile, slots.len())?;
            let name = if profile == Profile::Run { "reuse" } else { "fresh" };
            let row = json!({
                "bare_ms_median": quantile(&bare, 0.5),
                "confined_ms_median": quantile(&confined, 0.5),
                "overhead_ms_median": quantile(&confined, 0.5) - quantile(&bare, 0.5),
                "overhead_ms_median_paired": quantile(&overhead, 0.5),
                "overhead_ms_p99": quantile(&confined, 0.99) - quantile(&bare, 0.99),
                "runs_per_second_1": one,
                "runs_per_second_all": every,
                "bare_runs_per_second_all": bare_all,
            });
            if !json {
                println!(
                    "{:<12} {name}: bare {:.3} ms, confined {:.3} ms, overhead {:+.3} ms (p99 {:+.3}); \
                     {every:.0} runs/s on {} cores, bare {bare_all:.0}",
                    subject.name,
                    quantile(&bare, 0.5),
                    quantile(&confined, 0.5),
                    quantile(&confined, 0.5) - quantile(&bare, 0.5),
                    quantile(&confined, 0.99) - quantile(&bare, 0.99),
                    slots.len(),
                );
            }
            all.insert(format!("{}_{name}", subject.name), row);
        }
    }
    if json {
        println!("{}", Value::Object(all));
    }
    Ok(())
}

/// Milliseconds of each run, bare and confined, in turns of [`TURN`] runs each (of one in the fresh profile).
fn interleaved(
    slot: &mut Slot,
    subject: &Subject,
    profile: Profile,
    rounds: usize,
) -> Result<(Vec<f64>, Vec<f64>), Box<dyn Error>> {
    let job = subject.job(profile)?;
    let mut session = slot.open(&job)?;
    let spec = RunSpec::new(Stdin::Null, limits(profile));
    let (mut bare, mut confined) = (Vec::new(), Vec::new());
    let (turn, pause) =
        if profile == Profile::Run { (TURN, Duration::ZERO) } else { (1, BETWEEN_FRESH_RUNS) };
    while bare.len() < rounds + WARM_UP {
        thread::sleep(pause);
        for _ in 0..turn {
            let start = Instant::now();
            subject.run_bare()?;
            bare.push(start.elapsed().as_secs_f64() * 1e3);
        }
        thread::sleep(pause);
        let mut last = Instant::now();
        session.start(&spec)?;
        for index in 1..=turn {
            if index < turn {
                session.start(&spec)?;
            }
            finished(subject, session.finish()?.report.end)?;
            confined.push(last.elapsed().as_secs_f64() * 1e3);
            last = Instant::now();
        }
    }
    Ok((bare.split_off(WARM_UP), confined.split_off(WARM_UP)))
}

fn finished(subject: &Subject, end: End) -> Result<(), Box<dyn Error>> {
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
) -> Result<f64, Box<dyn Error>> {
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

fn throughput_bare(subject: &Subject, count: usize) -> Result<f64, Box<dyn Error>> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|_| {
                scope.spawn(|| -> io::Result<f64> {
                    let start = Instant::now();
                    let mut runs = 0u64;
                    while start.elapsed() < THROUGHPUT {
                        subject.run_bare()?;
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
        Ok(Job { profile, root: self.root.clone(), files, argv: self.argv.clone(), env: Vec::new() })
    }

    /// Spawns the program as a judge without a sandbox would, with its output through a pipe.
    fn run_bare(&self) -> io::Result<()> {
        let output =
            Command::new(&self.bare[0]).args(&self.bare[1..]).env_clear().stdin(Stdio::null()).output()?;
        if output.status.success() { Ok(()) } else { Err(io::Error::other("the bare program failed")) }
    }
}

fn subjects(slot: &mut Slot, place: &Path) -> Result<Vec<Subject>, Box<dyn Error>> {
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
            argv: [&format!("/usr/bin/{compiler}"), "-O2", "-static", "-o", "hello", source]
                .map(str::to_owned)
                .to_vec(),
            env: vec![("PATH".to_owned(), "/usr/bin".to_owned())],
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
        });
    }
    let script = place.join("main.py");
    fs::write(&script, "print('hello')\n")?;
    let words = |script: String| ["/usr/bin/python3".to_owned(), "-ISB".to_owned(), script].to_vec();
    subjects.push(Subject {
        name: "python_hello",
        bare: words(script.display().to_string()),
        files: vec![("main.py".to_owned(), SealedFile::from_bytes("main.py", b"print('hello')\n")?)],
        argv: words("main.py".to_owned()),
        root,
    });
    Ok(subjects)
}
