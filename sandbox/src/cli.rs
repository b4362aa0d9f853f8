//! The commands of the `assize-sandbox` executable: `run`, `doctor`, `tie`, and `keeper`, which only the library calls.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, Parser, Subcommand};
use serde_json::json;

use crate::{
    Collect, End, Exit, Job, JobFile, Keeper, KeeperConfig, Limits, Needs, Outcome, Policy, Profile, RunSpec,
    SandboxError, SealedFile, Stdin, bench, doctor, keeper, sys,
};

/// How much output is repeated inside the JSON object.
const JSON_OUTPUT_BYTES_MAX: u64 = 64 << 10;

/// Runs one program confined, and says what the kernel saw.
#[derive(Debug, Parser)]
#[command(name = "assize-sandbox", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Run a program once.
    ///
    /// Exit status: 0 when the program ended by itself with code 0, 1 when it did not, 2 when the sandbox failed.
    Run(Box<RunArguments>),
    /// Say what this host can enforce. Exit status: 0 when programs can run here, 1 when not.
    Doctor {
        /// One JSON object instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Measure what confinement costs over a bare spawn, interleaved with it.
    Bench {
        /// Rounds per program.
        #[arg(long, default_value_t = 300)]
        rounds: usize,
        /// One JSON object on the last line instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Execute a command that is sent SIGTERM when our parent ends.
    Tie {
        /// The parent that must be there; whoever started us by default.
        #[arg(long)]
        parent: Option<i32>,
        /// The command and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Serve a judge on descriptor 0.
    #[command(hide = true)]
    Keeper,
}

#[derive(Debug, Args)]
struct RunArguments {
    /// CPU time limit: `500ms`, `2s`.
    #[arg(long, default_value = "1s", value_parser = milliseconds)]
    cpu: u64,
    /// Wall time limit; twice the CPU time and a second by default.
    #[arg(long, value_parser = milliseconds)]
    wall: Option<u64>,
    /// Memory limit in bytes: `64M`, `1G`.
    #[arg(long, default_value = "256M", value_parser = bytes)]
    memory: u64,
    /// Standard output limit in bytes.
    #[arg(long, default_value = "64M", value_parser = bytes)]
    output: u64,
    /// Processes and threads alive at once.
    #[arg(long)]
    processes: Option<u32>,
    /// Many processes, and a writable /w, as for a compiler.
    #[arg(long)]
    build: bool,
    /// Calls for runtimes with an event loop, such as Node's.
    #[arg(long)]
    runtime_calls: bool,
    /// A small file that is to exist outside of /w, PATH=TEXT, for runtimes that insist on one.
    #[arg(long)]
    stand_in: Vec<String>,
    /// A host file or directory to show read-only; /usr and its links by default.
    #[arg(long)]
    root: Vec<PathBuf>,
    /// A file to place in /w, under its own name or as NAME=FILE.
    #[arg(long)]
    file: Vec<String>,
    /// The file to read on standard input; empty by default.
    #[arg(long)]
    stdin: Option<PathBuf>,
    /// An environment variable, NAME=VALUE.
    #[arg(long)]
    env: Vec<String>,
    /// A file to bring out of /w into the current directory, with --build.
    #[arg(long)]
    collect: Vec<String>,
    /// How often to run it; the report is the last run's.
    #[arg(long, default_value_t = 1)]
    repeat: u32,
    /// One JSON object on standard output, with the output in it, instead of the output itself.
    #[arg(long)]
    json: bool,
    /// The program and its arguments: a path with a slash, or a name in /usr/bin.
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// Runs the command that the process's arguments name.
pub fn main() -> ExitCode {
    let result: Result<ExitCode, Box<dyn std::error::Error>> = match Cli::parse().command {
        Subcommands::Run(arguments) => run(&arguments),
        Subcommands::Doctor { json } => doctor(json).map_err(Into::into),
        Subcommands::Bench { rounds, json } => bench(rounds, json).map(|()| ExitCode::SUCCESS),
        Subcommands::Tie { parent, command } => Err(tie(parent, &command).into()),
        Subcommands::Keeper => keeper::live().map(|()| ExitCode::SUCCESS).map_err(Into::into),
    };
    result.unwrap_or_else(|error| {
        let mut cause: Option<&dyn std::error::Error> = Some(&*error);
        let mut message = "assize-sandbox".to_owned();
        while let Some(error) = cause {
            message += &format!(": {error}");
            cause = error.source();
        }
        eprintln!("{message}");
        ExitCode::from(2)
    })
}

fn bench(rounds: usize, json: bool) -> Result<(), Box<dyn std::error::Error>> {
    let rows = bench::measure(&std::env::current_exe()?, rounds, |row| {
        if json { Ok(()) } else { writeln!(io::stdout(), "{row}") }
    })
    .map_err(|error| error as Box<dyn std::error::Error>)?;
    if json {
        writeln!(io::stdout(), "{}", bench::summary(&rows))?;
    }
    Ok(())
}

/// Executes `command` tied to the life of our parent; returns only the error.
///
/// The signal comes when the *thread* that started us ends, as the kernel has it: start us from one that stays.
fn tie(parent: Option<i32>, command: &[String]) -> io::Error {
    let before = nix::unistd::getppid().as_raw();
    if let Err(error) = sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM as u64) {
        return error;
    }
    // A parent that ended before the call above sends nothing any more.
    let now = nix::unistd::getppid().as_raw();
    if now != parent.unwrap_or(before) {
        return io::Error::new(io::ErrorKind::NotFound, "the parent has ended already");
    }
    Command::new(&command[0]).args(&command[1..]).exec()
}

fn doctor(json: bool) -> io::Result<ExitCode> {
    let facts = doctor::probe();
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(&facts)?)?;
    } else {
        writeln!(out, "Linux {}", facts.kernel)?;
        for fact in &facts.facts {
            writeln!(
                out,
                "{:<14} {:<9} {}",
                fact.name,
                format!("{:?}", fact.state).to_lowercase(),
                fact.found
            )?;
            if !fact.cure.is_empty() {
                writeln!(out, "{:<24} cure: {}", "", fact.cure)?;
            }
        }
    }
    let missing = facts.facts.iter().any(|fact| fact.state == doctor::FactState::Missing);
    Ok(if missing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn run(arguments: &RunArguments) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let profile = if arguments.build { Profile::Build } else { Profile::Run };
    let job = job(arguments, profile)?;
    let mut limits = if arguments.build { Limits::build(arguments.cpu) } else { Limits::run(arguments.cpu) };
    limits.wall_ms = arguments.wall.unwrap_or(limits.wall_ms);
    limits.memory_bytes = arguments.memory;
    limits.stdout_bytes = arguments.output;
    limits.stderr_bytes = Limits::STDERR_BYTES_MAX;
    limits.processes = arguments.processes.unwrap_or(limits.processes);
    let stdin = arguments.stdin.as_ref().map(|path| sealed(path)).transpose()?;
    let mut spec = RunSpec::new(stdin.as_ref().map_or(Stdin::Null, Stdin::Sealed), limits);
    spec.collect = arguments
        .collect
        .iter()
        .map(|name| Collect { name: name.clone(), bytes_max: limits.file_bytes })
        .collect();

    let binary = std::env::current_exe()?;
    let mut keeper = Keeper::start(KeeperConfig { binary, slots: 1, pin: false, policy: Policy::default() })?;
    let mut slot = keeper.take_slot().ok_or(SandboxError::Lost { during: "starting the keeper" })?;
    let mut session = slot.open(&job)?;
    let mut outcome = session.run(&spec)?;
    for _ in 1..arguments.repeat {
        outcome = session.run(&spec)?;
    }
    for (name, file) in &outcome.files {
        let base = Path::new(name).file_name().unwrap_or_default();
        io::copy(&mut file.reader(), &mut File::create(base)?)?;
    }
    show(&outcome, arguments.json)?;
    let well = outcome.report.end == End::Finished && outcome.report.exit == Exit::Exited(0);
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(outcome: &Outcome, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let report = &outcome.report;
    if json {
        let stdout = outcome.stdout.read_first(JSON_OUTPUT_BYTES_MAX)?;
        let object = json!({
            "report": report,
            "stdout": String::from_utf8_lossy(&stdout),
            "stderr": String::from_utf8_lossy(&outcome.stderr),
        });
        return writeln!(out, "{object}");
    }
    io::copy(&mut outcome.stdout.reader(), &mut out)?;
    let mut error = io::stderr().lock();
    error.write_all(&outcome.stderr)?;
    writeln!(
        error,
        "{:?}, {:?}; cpu {:.1} ms, wall {:.1} ms, memory {:.1} MiB ({:?}); {} layers",
        report.end,
        report.exit,
        report.cpu_us as f64 / 1e3,
        report.wall_us as f64 / 1e3,
        report.memory_bytes_peak as f64 / f64::from(1 << 20),
        report.memory_meter,
        report.layers.len(),
    )
}

fn job(arguments: &RunArguments, profile: Profile) -> io::Result<Job> {
    let stand_ins = arguments.stand_in.iter().map(|pair| {
        let (path, text) = pair.split_once('=').unwrap_or((pair, ""));
        (path.to_owned(), text.to_owned())
    });
    let needs =
        Needs { runtime_calls: arguments.runtime_calls, stand_ins: stand_ins.collect(), ..Needs::default() };
    let mut root = arguments.root.clone();
    if root.is_empty() {
        let usual = ["/usr", "/bin", "/lib", "/lib64", "/etc/alternatives"].map(PathBuf::from);
        root = usual.into_iter().filter(|path| path.symlink_metadata().is_ok()).collect();
    }
    let mut files = Vec::new();
    for item in &arguments.file {
        let (name, path) = match item.split_once('=') {
            Some((name, path)) => (name.to_owned(), PathBuf::from(path)),
            None => (base_name(Path::new(item)), PathBuf::from(item)),
        };
        files.push(JobFile { name, content: sealed(&path)?, executable: is_executable(&path) });
    }
    let mut argv = arguments.command.clone();
    let program = PathBuf::from(&argv[0]);
    let in_root = root.iter().any(|entry| program.starts_with(entry));
    let among_files =
        argv[0].strip_prefix("./").is_some_and(|name| files.iter().any(|file| file.name == name));
    if !argv[0].contains('/') {
        argv[0] = format!("/usr/bin/{}", argv[0]);
    } else if !in_root && !among_files {
        let name = base_name(&program);
        argv[0] = format!("./{name}");
        files.push(JobFile { name, content: sealed(&program)?, executable: true });
    }
    let env = arguments.env.iter().map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name.to_owned(), value.to_owned())
    });
    Ok(Job { profile, root, files, directories: Vec::new(), needs, argv, env: env.collect(), warm: false })
}

fn base_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

fn sealed(path: &Path) -> io::Result<SealedFile> {
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("reading `{}`: {error}", path.display()));
    SealedFile::from_reader(&base_name(path), File::open(path).map_err(named)?).map_err(named)
}

/// `500ms` or `2s` or `1.5s` in milliseconds.
fn milliseconds(text: &str) -> Result<u64, String> {
    let parse = |number: &str, unit: f64| match number.parse::<f64>() {
        Ok(value) if value >= 0.0 && value.is_finite() => Ok((value * unit) as u64),
        _ => Err(format!("`{text}` is no duration such as 500ms or 2s")),
    };
    match text.strip_suffix("ms") {
        Some(number) => parse(number, 1.0),
        None => parse(text.strip_suffix('s').unwrap_or(text), 1000.0),
    }
}

/// `64M` or `1G` or `4096` in bytes.
fn bytes(text: &str) -> Result<u64, String> {
    let (number, shift) = match text.chars().last() {
        Some('K') => (&text[..text.len() - 1], 10),
        Some('M') => (&text[..text.len() - 1], 20),
        Some('G') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: u64 = number.parse().map_err(|_| format!("`{text}` is no size such as 64M or 4096"))?;
    number.checked_mul(1 << shift).ok_or_else(|| format!("`{text}` is too large"))
}
