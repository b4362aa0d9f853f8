//! Interpreters that are started once and forked for each run: what runs in one must not be able to tell.

use std::collections::BTreeMap;

use assize_sandbox::*;

use crate::harness::*;

/// What can be seen of a run but for times and memory.
#[derive(Debug, PartialEq)]
struct Seen {
    end: End,
    exit: Exit,
    stdout: String,
    stderr: String,
}

impl Seen {
    fn new(outcome: &Outcome) -> Seen {
        let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
        Seen { end: outcome.report.end, exit: outcome.report.exit, stdout: stdout(outcome), stderr }
    }
}

/// A submission of one file, run as the judge runs it.
fn solution(source: &str) -> Job {
    Job {
        argv: strings(&["/usr/bin/python3", "-s", "-B", "main.py"]),
        env: [("LC_ALL", "C.UTF-8"), ("PYTHONHASHSEED", "0")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        ..python(Profile::Run, source)
    }
}

/// Runs `job` on each of `inputs`, warm or not, with the outcomes.
fn run_all(place: &mut Place, job: &Job, limits: Limits, inputs: &[&str]) -> Vec<Outcome> {
    let mut session = place.slot.open(job).expect("a session opens");
    let runs = inputs.iter().map(|input| {
        let input = SealedFile::from_bytes("input", input.as_bytes()).expect("a memfd can be made");
        let outcome = session.run(&RunSpec::new(Stdin::Sealed(&input), limits)).expect("the sandbox holds");
        assert_eq!(outcome.report.warm, job.warm, "{:?}", outcome.report);
        outcome
    });
    runs.collect()
}

/// Each run must be the same whether its interpreter was forked or started.
#[track_caller]
fn check_job(job: Job, limits: Limits, inputs: &[&str]) -> Vec<Outcome> {
    let mut place = Place::new();
    if !place.can_warm() {
        return Vec::new();
    }
    let cold = run_all(&mut place, &job, limits, inputs);
    let warm = run_all(&mut place, &Job { warm: true, ..job }, limits, inputs);
    for (cold, warm) in cold.iter().zip(&warm) {
        assert_eq!(Seen::new(warm), Seen::new(cold));
    }
    warm
}

#[track_caller]
fn check(source: &str) -> Vec<Outcome> {
    let limits = Limits { wall_ms: 20_000, cpu_ms: 5000, processes: 4, ..limits(Profile::Run) };
    check_job(solution(source), limits, &["1 2\n3\n", "4 5\n", ""])
}

#[test]
fn answers_are_the_same() {
    let outcomes = check("import sys\nfor line in sys.stdin: print(sum(map(int, line.split())))\n");
    assert!(outcomes.is_empty() || stdout(&outcomes[0]) == "3\n3\n");
}

#[test]
fn the_interpreter_looks_the_same() {
    // All of sys, what is imported, and what else is there before the first line of the program.
    check(
        "import sys
print(sorted(sys.modules), sys.argv, sys.orig_argv, sys.path, sys.flags, sys.executable, sys.prefix)
print(sys.getrecursionlimit(), sys.getswitchinterval(), sys.gettrace(), sys.dont_write_bytecode, sys.warnoptions)
print([hook.__name__ for hook in sys.path_hooks], [getattr(f, '__name__', str(type(f))) for f in sys.meta_path], sorted(sys.path_importer_cache), sys.getfilesystemencoding(), sys.byteorder)
print(sorted(globals()), __name__, __file__, __spec__, type(__loader__), __loader__.path)
print(hash('a'), hash(b'b'), {'x', 'y', 'z'}, sorted(vars(__builtins__)))
import gc, os, threading, locale, time
print(gc.get_threshold(), gc.isenabled(), threading.current_thread().name, threading.active_count())
print(sorted(os.environ.items()), os.getcwd(), locale.getlocale(), time.tzname, os.cpu_count())
",
    );
}

#[test]
fn the_process_looks_the_same() {
    // The pid is what differs from run to run in any case.
    check(
        "import os, signal, resource, stat, sys, threading
print(os.getppid(), os.getsid(0) == os.getpid(), os.getpgrp() == os.getpid(), threading.get_native_id() == os.getpid())
print(os.getuid(), os.getgid(), os.getgroups(), os.umask(0))
print([(s, signal.getsignal(s)) for s in range(1, 65) if s not in (32, 33)])
print(signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.sigpending())
limits = {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith('RLIMIT_')}
# An interpreter is one process more.
limits['RLIMIT_NPROC'] = None
print(limits)
def kind(fd):
    try:
        s = os.fstat(fd)
        return stat.S_IFMT(s.st_mode), s.st_blksize, os.get_inheritable(fd), os.get_blocking(fd)
    except OSError as error:
        return error.errno
print([kind(fd) for fd in range(64)], os.sched_getaffinity(0))
print(os.listdir('/w'), os.listdir('/'), os.times().children_user, os.times().children_system)
",
    );
}

#[test]
fn standard_streams_are_the_same() {
    check(
        "import io, os, sys
for f in (sys.stdin, sys.stdout, sys.stderr):
    print(f, f.line_buffering, f.write_through, f.encoding, f.errors, f.newlines, f.isatty(), f.fileno())
    print(type(f.buffer), type(f.buffer.raw), f.buffer.raw.mode, f.buffer.raw.closefd, f.seekable(), f.buffer.raw._blksize)
print(sys.stdin.tell(), sys.stdin.readline(), sys.stdin.seek(0), sys.stdin.read(), os.lseek(0, 0, 0), os.read(0, 2))
sys.stderr.write('unbuffered')
os.write(1, b'first')
print('last', end='')
",
    );
}

#[test]
fn tracebacks_and_exit_codes_are_the_same() {
    for source in [
        "def f(n):\n    return 1 // n\nf(0)",
        "import sys\nsys.exit(7)",
        "exit('words')",
        "raise SystemExit",
        "import os\nprint('lost')\nos._exit(9)",
        "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)",
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)",
        "import os\nos.abort()",
        "import atexit\natexit.register(print, 'bye')\nclass C:\n    def __del__(self): print('gone')\nc = C()",
        "def f(x:\n",
        "print('\u{e4}')\nprint('\\udc80')",
        "\0",
        "# -*- coding: latin-1 -*-\nprint(ascii('\u{e4}'))",
        "input(); input(); input()",
        "import nothing_of_that_name",
        "from threading import Thread\nThread(target=lambda: 1 / 0).start()",
        "import sys\ndef f(n): return n and 1 + f(n - 1)\nsys.setrecursionlimit(60000)\nprint(f(20000))\nf(10**5)",
        "import warnings\nwarnings.warn('careful')",
        "import ctypes\nctypes.string_at(0)",
        "print(open(__file__).read())",
    ] {
        println!("{source}");
        check(source);
    }
}

#[test]
fn limits_are_kept_the_same() {
    let limits = Limits { wall_ms: 10_000, ..limits(Profile::Run) };
    for (source, end) in [
        ("while True: pass", End::CpuLimit),
        ("import time\ntime.sleep(100)", End::WallLimit { idle: true }),
        ("while True: print('flood')", End::OutputLimit),
        ("import sys\nsys.stderr.write('x' * 10**6)", End::Finished),
    ] {
        let limits = match end {
            End::WallLimit { .. } => Limits { wall_ms: 500, ..limits },
            _ => limits,
        };
        let mut place = Place::new();
        if place.can_warm() {
            for outcome in run_all(&mut place, &Job { warm: true, ..solution(source) }, limits, &["", ""]) {
                assert_eq!(outcome.report.end, end, "{:?}", outcome.report);
            }
        }
    }
    // How much it has when it dies depends on how memory is limited.
    let mut place = Place::new();
    if place.can_warm() {
        let job = solution("x = []\nwhile True: x.append(bytearray(1 << 20))");
        let cold = run_all(&mut place, &job, limits, &[""; 2]);
        for (cold, warm) in cold.iter().zip(run_all(&mut place, &Job { warm: true, ..job }, limits, &[""; 2]))
        {
            let (cold, warm) = (&cold.report, &warm.report);
            assert_eq!((warm.end, warm.exit), (cold.end, cold.exit));
            let difference = warm.memory_bytes_peak.abs_diff(cold.memory_bytes_peak);
            assert!(difference < 8 << 20, "{warm:?} {cold:?}");
        }
    }
}

#[test]
fn a_file_of_several_is_found_and_read_in_the_child_alone() {
    let mut job = solution("import other, os\nprint(other.value, __file__)");
    job.files.push(file("other.py", b"value = 5\nprint(__name__, __file__)"));
    job.files.push(file("sitecustomize.py", b"print('never')"));
    job.files.push(file("usercustomize.py", b"print('never')"));
    job.files.push(file("encodings.py", b"print('never')"));
    let limits = Limits { wall_ms: 20_000, cpu_ms: 5000, ..limits(Profile::Run) };
    for outcome in check_job(job, limits, &["", ""]) {
        assert!(stdout(&outcome).contains("\n5 /w/main.py\n"), "{}", stdout(&outcome));
    }
}

/// A source that is also an archive of Python's has its `__main__` run before the source itself would be opened as one.
#[test]
fn an_archive_instead_of_a_source_is_no_way_into_the_interpreter() {
    let zip = archive("__main__.py", b"import os, sys\nprint('from the archive', os.getppid(), sys.path[0])");
    let mut job = solution("");
    job.files = vec![file("main.py", &zip)];
    let limits = Limits { wall_ms: 20_000, cpu_ms: 5000, ..limits(Profile::Run) };
    for outcome in check_job(job, limits, &["", ""]) {
        assert_eq!(stdout(&outcome), "from the archive 1 /w/main.py\n");
    }
}

/// A zip file with one stored file.
fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    let mut crc = u32::MAX;
    for byte in content {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    let (length, name_length) = ((content.len() as u32).to_le_bytes(), (name.len() as u16).to_le_bytes());
    // Version, flags, method, time, date; then checksum, sizes and the length of the name.
    let common =
        [&[20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0][..], &(!crc).to_le_bytes(), &length, &length, &name_length];
    let common = common.concat();
    let mut zip = [b"PK\x03\x04", &common[..], &[0; 2], name.as_bytes(), content].concat();
    let directory_at = zip.len() as u32;
    let entry = [b"PK\x01\x02\x14\x00", &common[..], &[0; 16], name.as_bytes()].concat();
    zip.extend(&entry);
    zip.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    zip.extend((entry.len() as u32).to_le_bytes());
    zip.extend(directory_at.to_le_bytes());
    zip.extend([0; 2]);
    zip
}

/// An interpreter that never opens the program, or ends, is none to be forked, and nothing is lost.
#[test]
fn what_cannot_be_frozen_is_started() {
    let mut place = Place::new();
    let input = SealedFile::from_bytes("input", b"").expect("a memfd can be made");
    for argv in [
        vec!["/usr/bin/python3", "-c", "print('here')", "main.py"],
        vec!["/bin/sh", "-c", "echo here"],
        // With threads of its own: a fork would have one of them alone.
        vec![
            "/usr/bin/python3",
            "-c",
            "import threading as t\ntry: t.Thread(target=t.Event().wait, daemon=True).start()\nexcept RuntimeError: pass
print('here')",
        ],
    ] {
        let job = Job { warm: true, argv: strings(&argv), ..solution("") };
        let mut session = place.slot.open(&job).expect("a session opens");
        for _ in 0..2 {
            let limits = Limits { processes: 4, ..limits(Profile::Run) };
            let outcome = session.run(&RunSpec::new(Stdin::Sealed(&input), limits)).expect("it runs");
            assert_eq!((stdout(&outcome).as_str(), outcome.report.warm), ("here\n", false));
            assert_eq!(outcome.report.processes_reaped, 1);
        }
    }
}

/// What is not of the host is never started ahead: a guest would be run where only interpreters may be.
#[test]
fn a_program_of_the_job_is_never_an_interpreter() {
    let mut place = Place::new();
    let clean = place.compile("000_clean.c");
    let job = Job { warm: true, ..program(Profile::Run, &clean) };
    let mut session = place.slot.open(&job).expect("a session opens");
    let outcome = session.run(&RunSpec::new(Stdin::Null, limits(Profile::Run))).expect("it runs");
    assert_eq!((stdout(&outcome).as_str(), outcome.report.warm), ("contained\n", false));
}

/// A session whose runs differ in what an interpreter sees when it starts goes on without one.
#[test]
fn other_limits_or_arguments_start_anew() {
    let mut place = Place::new();
    if !place.can_warm() {
        return;
    }
    let job = Job { warm: true, ..solution("import sys\nprint(sys.argv)") };
    let limits = limits(Profile::Run);
    let mut check = |second: &dyn Fn(&mut RunSpec<'_>), expected: &str| {
        let mut session = place.slot.open(&job).expect("a session opens");
        let mut spec = RunSpec::new(Stdin::Null, limits);
        let first = session.run(&spec).expect("it runs");
        assert_eq!((stdout(&first).as_str(), first.report.warm), ("['main.py']\n", true));
        second(&mut spec);
        for _ in 0..2 {
            let outcome = session.run(&spec).expect("it runs");
            assert_eq!((stdout(&outcome).as_str(), outcome.report.warm), (expected, false));
            assert_eq!(outcome.report.processes_reaped, 1);
        }
    };
    check(&|spec| spec.extra_args = strings(&["more"]), "['main.py', 'more']\n");
    check(&|spec| spec.limits.stack_bytes = Some(32 << 20), "['main.py']\n");
}

/// Limits that differ from run to run are those of each run, be they more or less than before.
#[test]
fn limits_may_change_from_run_to_run() {
    let mut place = Place::new();
    if !place.can_warm() {
        return;
    }
    let source = "import resource as r
print(r.getrlimit(r.RLIMIT_CPU), r.getrlimit(r.RLIMIT_NOFILE), r.getrlimit(r.RLIMIT_FSIZE), r.getrlimit(r.RLIMIT_NPROC))";
    let job = Job { warm: true, ..solution(source) };
    let mut session = place.slot.open(&job).expect("a session opens");
    for more in [0, 7, 3, 0, 9] {
        let limits = Limits {
            cpu_ms: (1 + more) * 1000,
            open_files: 32 + more as u32,
            file_bytes: more,
            processes: 1 + more as u32,
            ..limits(Profile::Run)
        };
        let outcome = session.run(&RunSpec::new(Stdin::Null, limits)).expect("it runs");
        assert!(outcome.report.warm);
        // The cell and the interpreter are processes of the same user.
        let expected = [3 + 2 * more, 32 + more, more, 3 + more].map(|limit| format!("({limit}, {limit})"));
        assert_eq!(stdout(&outcome).trim(), expected.join(" "));
    }
}

/// Imports are paid by whoever imports: the CPU time of a run that imports much is that of the import, warm or not.
#[test]
fn imports_are_charged() {
    let mut place = Place::new();
    if !place.can_warm() {
        return;
    }
    let limits = Limits { wall_ms: 20_000, cpu_ms: 10_000, ..limits(Profile::Run) };
    let mut times = BTreeMap::new();
    for (name, source) in
        [("none", ""), ("much", "import asyncio, decimal, email, http.client, unittest, xml.dom")]
    {
        for warm in [false, true] {
            let outcomes = run_all(&mut place, &Job { warm, ..solution(source) }, limits, &[""; 7]);
            let mut cpu_us: Vec<u64> = outcomes.iter().map(|outcome| outcome.report.cpu_us).collect();
            cpu_us.sort_unstable();
            times.insert((name, warm), cpu_us[3]);
        }
    }
    println!("{times:?}");
    let imports = |warm| times[&("much", warm)] as f64 - times[&("none", warm)] as f64;
    let ratio = imports(true) / imports(false);
    assert!((0.6..1.6).contains(&ratio), "{ratio} of {times:?}");
    assert!(times[&("none", true)] < times[&("none", false)], "{times:?}");
}

/// Two meters, of the same: what the interpreter itself uses is charged to nobody.
#[test]
fn both_meters_agree_on_a_fork() {
    let mut place = Place::new();
    if !place.can_warm() {
        return;
    }
    let job = Job { warm: true, ..solution("x = 0\nfor i in range(10**6): x += i") };
    let limits = Limits { wall_ms: 20_000, cpu_ms: 10_000, ..limits(Profile::Run) };
    for outcome in run_all(&mut place, &job, limits, &[""; 4]) {
        let report = outcome.report;
        if let Some(cpu_cgroup_us) = report.cpu_cgroup_us {
            let process_us = report.cpu_user_us + report.cpu_system_us;
            let difference = process_us.abs_diff(cpu_cgroup_us);
            assert!(difference < process_us / 20 + 2000, "{report:?}");
        }
    }
}

/// Which of a submission's runs it is must not show in its pid, nor in the clock of the process that it comes from.
#[test]
fn a_fork_cannot_count_those_before_it() {
    let mut place = Place::new();
    if !place.can_warm() {
        return;
    }
    let source = "import os, time\nprint(os.getpid())
for clock in range(-16, -8):
    try: print(time.clock_gettime(clock))
    except OSError as error: print(error.errno)
";
    let mut pids = Vec::new();
    for _ in 0..3 {
        let job = Job { warm: true, ..solution(source) };
        for outcome in run_all(&mut place, &job, limits(Profile::Run), &[""; 2]) {
            let text = stdout(&outcome);
            let (pid, clocks) = text.split_once('\n').expect("a pid comes first");
            assert_eq!(clocks, "1\n".repeat(8), "EPERM");
            pids.push(pid.parse::<u32>().expect("a number"));
        }
    }
    pids.sort_unstable();
    assert!(pids[0] > 300 && pids[5] - pids[0] > 10, "{pids:?}");
}
