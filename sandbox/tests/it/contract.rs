//! What a caller relies on: exits, limits, meters, input, output, and errors that are ours.

use assize_sandbox::*;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use crate::harness::*;

fn run(job: &Job, spec: &RunSpec<'_>) -> Outcome {
    let mut place = Place::new();
    let mut session = place.slot.open(job).expect("a session opens");
    session.run(spec).expect("the sandbox holds")
}

fn shell(script: &str) -> Job {
    Job {
        profile: Profile::Build,
        root: system(),
        files: Vec::new(),
        directories: Vec::new(),
        needs: Needs::default(),
        argv: strings(&["/bin/sh", "-c", script]),
        env: vec![("PATH".to_owned(), "/usr/bin".to_owned())],
        warm: false,
    }
}

#[test]
fn every_exit_code_is_told() {
    let mut place = Place::new();
    let source = b"#include <stdlib.h>\nint main(int c, char **v) { return atoi(v[1]); }";
    let outcome = place.build("exit.c", source);
    let mut session = place.slot.open(&program(Profile::Run, &outcome.files[0].1)).expect("a session opens");
    for code in 0..=255 {
        let mut spec = RunSpec::new(Stdin::Null, Limits::run(10_000));
        spec.extra_args = vec![code.to_string()];
        let report = session.run(&spec).expect("it runs").report;
        assert_eq!((report.end, report.exit), (End::Finished, Exit::Exited(code)));
    }
}

#[test]
fn input_is_read_by_any_number_of_runs_from_its_start() {
    let mut place = Place::new();
    let input = SealedFile::from_bytes("input", b"one\ntwo\n").expect("a memfd can be made");
    let job = python(Profile::Run, "import sys; print(sys.stdin.read().upper(), end='')");
    let mut session = place.slot.open(&job).expect("a session opens");
    for _ in 0..3 {
        let outcome =
            session.run(&RunSpec::new(Stdin::Sealed(&input), Limits::run(10_000))).expect("it runs");
        assert_eq!(stdout(&outcome), "ONE\nTWO\n");
    }
    assert_eq!(stdout(&session.run(&RunSpec::new(Stdin::Null, Limits::run(10_000))).expect("it runs")), "");
}

#[test]
fn input_cannot_be_written() {
    let input = SealedFile::from_bytes("input", b"secret").expect("a memfd can be made");
    let job = python(
        Profile::Run,
        "import os\ntry: os.write(0, b'x')\nexcept OSError as e: print(e.errno)\n\
         try: os.ftruncate(0, 0)\nexcept OSError as e: print('no')",
    );
    let outcome = run(&job, &RunSpec::new(Stdin::Sealed(&input), Limits::run(10_000)));
    assert_eq!(stdout(&outcome), "9\nno\n");
    assert_eq!(input.read_all().expect("it can be read"), b"secret");
}

#[test]
fn output_up_to_the_limit_is_kept_and_one_byte_more_is_not() {
    let job = python(Profile::Run, "import sys; sys.stdout.write('x' * int(sys.stdin.read()))");
    for (bytes, end) in [(100_000, End::Finished), (100_001, End::OutputLimit)] {
        let input =
            SealedFile::from_bytes("input", bytes.to_string().as_bytes()).expect("a memfd can be made");
        let limits = Limits { stdout_bytes: 100_000, ..Limits::run(10_000) };
        let outcome = run(&job, &RunSpec::new(Stdin::Sealed(&input), limits));
        assert_eq!((outcome.report.end, outcome.stdout.len()), (end, 100_000));
        assert_eq!(outcome.report.stdout_bytes, 100_000);
    }
}

#[test]
fn errors_are_kept_up_to_the_limit_and_counted_beyond() {
    let job = python(Profile::Run, "import sys; sys.stderr.write('e' * 1000000)");
    let limits = Limits { stderr_bytes: 1000, ..Limits::run(10_000) };
    let outcome = run(&job, &RunSpec::new(Stdin::Null, limits));
    assert_eq!((outcome.report.end, outcome.stderr.len()), (End::Finished, 1000));
    assert_eq!(outcome.report.stderr_bytes, 1_000_000);
}

#[test]
fn the_environment_is_exactly_what_was_asked() {
    let mut job = shell("env | grep -v '^PWD=\\|^_=\\|^SHLVL='");
    job.env.push(("ANSWER".to_owned(), "42".to_owned()));
    let outcome = run(&job, &RunSpec::new(Stdin::Null, Limits::build(10_000)));
    let mut lines: Vec<String> = stdout(&outcome).lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["ANSWER=42", "PATH=/usr/bin"]);
}

#[test]
fn cpu_time_is_limited_within_ten_milliseconds() {
    let mut place = Place::new();
    let burner = place.build("a.c", b"int main(){ for(;;); }").files.remove(0).1;
    let mut session = place.slot.open(&program(Profile::Run, &burner)).expect("a session opens");
    let mut times = [(); 7].map(|()| {
        let limits = Limits { wall_ms: 20_000, ..Limits::run(200) };
        let report = session.run(&RunSpec::new(Stdin::Null, limits)).expect("it runs").report;
        assert_eq!(report.end, End::CpuLimit);
        // A host that has other things to do, or that is emulated, may once be late.
        assert!((200_000..=250_000).contains(&report.cpu_us), "{report:?}");
        report.cpu_us
    });
    times.sort_unstable();
    assert!(times[times.len() / 2] <= 210_000, "{times:?}");
}

#[test]
fn a_grandchild_that_nobody_waits_for_is_counted() {
    let mut place = Place::new();
    let daemon = place.compile("005_daemon_burns.c");
    let mut session = place.slot.open(&program(Profile::Build, &daemon)).expect("a session opens");
    let limits = Limits { wall_ms: 5000, ..Limits::build(2000) };
    let report = session.run(&RunSpec::new(Stdin::Null, limits)).expect("it runs").report;
    assert!(report.cpu_us >= 300_000, "{report:?}");
    assert!(report.cpu_user_us + report.cpu_system_us >= 300_000, "{report:?}");
}

#[test]
fn a130_children_of_the_cell_are_counted() {
    let mut place = Place::new();
    let giver = place.compile("130_gives_children_away.c");
    let mut job = program(Profile::Build, &giver);
    job.argv.push("build".to_owned());
    let mut session = place.slot.open(&job).expect("a session opens");
    let limits = Limits { wall_ms: 20_000, ..Limits::build(5000) };
    let report = session.run(&RunSpec::new(Stdin::Null, limits)).expect("it runs").report;
    assert_eq!((report.end, report.exit), (End::Finished, Exit::Exited(0)));
    assert_eq!(report.processes_reaped, 9, "{report:?}");
}

#[test]
fn children_that_rusage_misses_are_counted_by_the_cgroup() {
    let mut place = Place::new();
    let hider = place.compile("005_children_unwaited.c");
    let mut session = place.slot.open(&program(Profile::Build, &hider)).expect("a session opens");
    let limits = Limits { wall_ms: 5000, ..Limits::build(3000) };
    let report = session.run(&RunSpec::new(Stdin::Null, limits)).expect("it runs").report;
    if report.layers.iter().any(|layer| layer.name == "cpu_cgroup") {
        assert!(report.cpu_us >= 400_000, "{report:?}");
        assert!(report.cpu_user_us + report.cpu_system_us < 300_000, "{report:?}");
    } else {
        println!("SKIPPED: this host has no cgroup that counts CPU time");
    }
}

#[test]
fn memory_is_measured() {
    let job = python(Profile::Run, "x = bytearray(50 << 20)");
    let report = run(&job, &RunSpec::new(Stdin::Null, Limits::run(10_000))).report;
    assert!((50 << 20..70 << 20).contains(&report.memory_bytes_peak), "{report:?}");
}

/// What a build reads stays in the host's page cache and is charged to the slot, up to the limit of its group: it is no
/// memory of this program, still less of the next.
#[test]
fn what_the_host_keeps_of_files_is_nobodys_memory() {
    // Builds have a `/tmp` of their own.
    let folder = tempfile::tempdir_in("/var/tmp").expect("there is room for a file");
    let path = folder.path().join("large");
    std::fs::write(&path, vec![b'x'; 200 << 20]).expect("there is room for a file");
    let large = std::fs::File::open(&path).expect("it was written");
    large.sync_all().expect("it can be written to the disk");
    for path in [folder.path(), &path] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path, mode).expect("what is ours can be opened");
    }
    let reads = shell(&format!("exec cat {} > /dev/null", path.display()));
    let reads = Job { root: system().into_iter().chain([path.clone()]).collect(), ..reads };
    let mut place = Place::new();
    for _ in 0..2 {
        // Whoever reads it first is charged, so nobody has.
        posix_fadvise(&large, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).expect("it is a file");
        for (job, memory_bytes) in [(&reads, 512 << 20), (&shell("true"), 64 << 20)] {
            let limits = Limits { memory_bytes, stdout_bytes: 1 << 20, ..Limits::build(10_000) };
            let mut session = place.slot.open(job).expect("a session opens");
            let report = session.run(&RunSpec::new(Stdin::Null, limits)).expect("it runs").report;
            assert_eq!((report.end, report.exit), (End::Finished, Exit::Exited(0)), "{report:?}");
            assert!(report.memory_bytes_peak < 8 << 20, "{report:?}");
        }
    }
}

/// What came out of a run is held by the caller, for as long as it likes, and charged to the slot.
#[test]
fn what_the_caller_keeps_is_not_the_next_programs_memory() {
    let mut place = Place::new();
    let mut kept = Vec::new();
    for _ in 0..4 {
        let limits = Limits { stdout_bytes: 64 << 20, ..Limits::build(10_000) };
        let mut spec = RunSpec::new(Stdin::Null, limits);
        spec.collect = vec![Collect { name: "made".to_owned(), bytes_max: 32 << 20 }];
        let job = shell("head -c 32M /dev/zero | tee made");
        let mut session = place.slot.open(&job).expect("a session opens");
        let outcome = session.run(&spec).expect("it runs");
        assert_eq!((outcome.stdout.len(), outcome.files.len()), (32 << 20, 1), "{:?}", outcome.report);
        kept.push(outcome);
        drop(session);
        for profile in [Profile::Run, Profile::Build] {
            let limits = Limits { memory_bytes: 64 << 20, ..Limits::build(10_000) };
            let job = python(profile, "x = bytearray(30 << 20)");
            let mut session = place.slot.open(&job).expect("a session opens");
            let report = session.run(&RunSpec::new(Stdin::Null, limits)).expect("it runs").report;
            assert_eq!((report.end, report.exit), (End::Finished, Exit::Exited(0)), "{report:?}");
            assert!((30 << 20..48 << 20).contains(&report.memory_bytes_peak), "{report:?}");
        }
    }
    let source = "import sys\nx = bytearray(60 << 20)\nfor _ in range(20): sys.stdout.write('x' * (1 << 20))";
    let job = python(Profile::Run, source);
    let mut session = place.slot.open(&job).expect("a session opens");
    let limits = Limits { memory_bytes: 80 << 20, stdout_bytes: 24 << 20, ..Limits::run(10_000) };
    let runs = [(); 4].map(|()| session.run(&RunSpec::new(Stdin::Null, limits)).expect("it runs"));
    for Outcome { report, .. } in &runs {
        assert_eq!((report.end, report.exit), (End::Finished, Exit::Exited(0)), "{report:?}");
    }
    for Outcome { report, .. } in kept {
        let is_v1 = report.layers.iter().any(|layer| layer.detail.ends_with("memory.limit_in_bytes"));
        if is_v1 || report.memory_meter == MemoryMeter::CgroupPeak {
            // The file, and neither the copy of it nor the output, which we made.
            assert!((32 << 20..44 << 20).contains(&report.memory_bytes_peak), "{report:?}");
        } else {
            println!("SKIPPED: this host has no group whose peak begins anew");
        }
    }
}

#[test]
fn a_disk_that_takes_all_memory_is_a_memory_limit_and_the_slot_goes_on() {
    let mut place = Place::new();
    let clean = place.compile("000_clean.c");
    let script =
        "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; dd if=/dev/zero of=big bs=1M count=200; sleep 1000";
    let mut session = place.slot.open(&shell(script)).expect("a session opens");
    for _ in 0..3 {
        let limits = Limits { memory_bytes: 32 << 20, wall_ms: 3000, ..Limits::build(10_000) };
        let report = session.run(&RunSpec::new(Stdin::Null, limits)).expect("the slot goes on").report;
        if report.layers.iter().any(|layer| layer.name == "memory_cgroup") {
            assert_eq!(report.end, End::MemoryLimit, "{report:?}");
        } else {
            println!("SKIPPED: without a memory cgroup only the tmpfs's own size holds");
        }
    }
    drop(session);
    assert_clean(&mut place, &clean);
}

#[test]
fn a_cancelled_run_ends_at_once_and_the_next_session_is_fresh() {
    let mut place = Place::new();
    let clean = place.compile("000_clean.c");
    let sleeper = place.compile("010_answer_then_sleep.c");
    let canceller = place.slot.canceller();
    let mut session = place.slot.open(&program(Profile::Run, &sleeper)).expect("a session opens");
    let thread = std::thread::spawn(move || canceller.cancel());
    let limits = Limits { wall_ms: 60_000, ..Limits::run(60_000) };
    let report = session.run(&RunSpec::new(Stdin::Null, limits)).expect("it runs").report;
    assert_eq!(report.end, End::Cancelled);
    assert!(report.wall_us < 10_000_000);
    thread.join().expect("the thread ends");
    drop(session);
    assert_clean(&mut place, &clean);
}

#[test]
fn a_sleeper_goes_early_and_a_worker_does_not() {
    let mut place = Place::new();
    let sleeper = place.compile("010_answer_then_sleep.c");
    let limits = Limits { wall_ms: 60_000, idle_ms: Some(500), ..Limits::run(2000) };
    let mut session = place.slot.open(&program(Profile::Run, &sleeper)).expect("a session opens");
    let report = session.run(&RunSpec::new(Stdin::Null, limits)).expect("it runs").report;
    assert_eq!(report.end, End::WallLimit { idle: true }, "{report:?}");
    assert!((500_000..10_000_000).contains(&report.wall_us), "{report:?}");
    drop(session);

    let burner = python(Profile::Run, "while True: pass");
    let mut session = place.slot.open(&burner).expect("a session opens");
    let report = session.run(&RunSpec::new(Stdin::Null, limits)).expect("it runs").report;
    assert_eq!(report.end, End::CpuLimit, "{report:?}");
}

#[test]
fn a_pid_does_not_count_runs() {
    let mut place = Place::new();
    let job = python(Profile::Run, "import os; print(os.getpid())");
    let pids: Vec<u32> = (0..3)
        .map(|_| {
            let mut session = place.slot.open(&job).expect("a session opens");
            let outcome = session.run(&RunSpec::new(Stdin::Null, Limits::run(10_000))).expect("it runs");
            if !outcome.report.layers.iter().any(|layer| layer.name == "pids") {
                println!("SKIPPED: this kernel cannot choose pids");
                return 300;
            }
            stdout(&outcome).trim().parse().expect("it is a number")
        })
        .collect();
    assert!(pids.iter().all(|pid| *pid >= 300), "{pids:?}");
}

#[test]
fn what_was_enforced_is_told() {
    let outcome = run(&shell("true"), &RunSpec::new(Stdin::Null, Limits::build(10_000)));
    let names: Vec<&str> = outcome.report.layers.iter().map(|layer| layer.name.as_str()).collect();
    for name in [
        "user_namespace",
        "mount_namespace",
        "pid_namespace",
        "network_namespace",
        "ipc_namespace",
        "uts_namespace",
        "cgroup_namespace",
        "root",
        "no_capabilities",
        "no_new_privs",
        "landlock",
        "seccomp",
        "rlimits",
        "user",
    ] {
        assert!(names.contains(&name), "{name} is missing in {names:?}");
    }
    assert!(names.contains(&"memory_cgroup") || names.contains(&"memory_rlimit"));
}

#[test]
fn a_missing_root_entry_is_named() {
    let mut place = Place::new();
    let mut job = python(Profile::Run, "");
    job.root.push("/no/such/place".into());
    let error = place.slot.open(&job).expect_err("it is missing");
    assert!(error.to_string().contains("/no/such/place"), "{error}");
    assert!(matches!(error, SandboxError::Step { .. }));
    place.slot.open(&python(Profile::Run, "")).expect("the slot goes on");
}

/// However often it is asked for, also when the next cell has tried ahead of time.
#[test]
fn a_missing_root_entry_of_a_build_is_named_each_time() {
    let mut place = Place::new();
    let mut job = shell("true");
    job.root.push("/no/such/entry".into());
    let mut session = place.slot.open(&job).expect("a session opens");
    for _ in 0..5 {
        let error = session.run(&RunSpec::new(Stdin::Null, Limits::build(1000))).expect_err("it is missing");
        assert!(error.to_string().contains("/no/such/entry"), "{error}");
    }
    drop(session);
    assert_eq!(place.slot.open(&shell("exit 3")).map(drop).ok(), Some(()), "the slot goes on");
}

#[test]
fn jobs_that_cannot_be_meant_are_refused() {
    let mut place = Place::new();
    for name in ["../x", "/x", "a/../b", "", ".", "a\0b"] {
        let mut job = python(Profile::Run, "");
        job.files[0].name = name.to_owned();
        assert!(matches!(place.slot.open(&job), Err(SandboxError::InvalidJob(_))), "{name:?}");
    }
    let mut job = python(Profile::Run, "");
    job.argv.clear();
    assert!(matches!(place.slot.open(&job), Err(SandboxError::InvalidJob(_))));
    job.argv = strings(&["python3"]);
    assert!(matches!(place.slot.open(&job), Err(SandboxError::InvalidJob(_))));
}

#[test]
fn a_program_that_is_none_is_our_failure_and_the_session_goes_on() {
    let mut place = Place::new();
    let text = SealedFile::from_bytes("x", b"no program").expect("a memfd can be made");
    let mut session = place.slot.open(&program(Profile::Run, &text)).expect("a session opens");
    for _ in 0..2 {
        let error = session.run(&RunSpec::new(Stdin::Null, Limits::run(10_000))).expect_err("it cannot run");
        assert!(error.to_string().contains("execve"), "{error}");
    }
}

#[test]
fn a_policy_that_the_host_cannot_meet_is_refused() {
    let policy = Policy { landlock_abi_min: 99, ..Policy::default() };
    let binary = env!("CARGO_BIN_EXE_assize-sandbox").into();
    let mut keeper = match Keeper::start(KeeperConfig { binary, slots: 1, pin: true, policy }) {
        Err(error) => return assert!(matches!(error, SandboxError::MissingLayer { .. }), "{error}"),
        Ok(keeper) => keeper,
    };
    let mut slot = keeper.take_slot().expect("a slot");
    let error = slot.open(&python(Profile::Run, "")).expect_err("it must not run");
    assert!(matches!(error, SandboxError::MissingLayer { .. }), "{error}");
}

/// The kernel holds `RLIMIT_CPU` against its ticks, half as many again as the time that a program really has where
/// others run between them. What it kills would look like a program that killed itself.
#[test]
fn the_kernels_backstop_comes_after_our_clocks() {
    let mut place = Place::new();
    let text = "import resource; print(*resource.getrlimit(resource.RLIMIT_CPU))";
    let mut session = place.slot.open(&python(Profile::Run, text)).expect("a session opens");
    let outcome = session.run(&RunSpec::new(Stdin::Null, Limits::run(20_000))).expect("it runs");
    assert_eq!(stdout(&outcome), "41 41\n");
}

/// A session whose runs print their argument, and take a GiB where it is `big`.
const ECHO: &str = "import sys; x = bytearray(1 << 30 if sys.argv[1] == 'big' else 1); print(sys.argv[1])";

fn asked(argument: &str) -> RunSpec<'static> {
    RunSpec { extra_args: strings(&[argument]), ..RunSpec::new(Stdin::Null, Limits::run(10_000)) }
}

#[test]
fn runs_that_are_asked_for_ahead_come_in_order() {
    let mut place = Place::new();
    let mut session = place.slot.open(&python(Profile::Run, ECHO)).expect("a session opens");
    for name in ["one", "two", "three", "four", "five"] {
        session.start(&asked(name)).expect("it is asked for");
    }
    assert_eq!(session.started(), 5);
    for name in ["one", "two", "three", "four", "five"] {
        let outcome = session.finish().expect("it runs");
        assert_eq!(stdout(&outcome), format!("{name}\n"), "{:?}", outcome.report);
    }
    assert!(matches!(session.finish(), Err(SandboxError::InvalidJob(_))));
    // A run that nobody finished is forgotten by the next.
    session.start(&asked("never")).expect("it is asked for");
    assert_eq!(stdout(&session.run(&asked("now")).expect("it runs")), "now\n");
}

#[test]
fn a_cell_that_retires_takes_no_run_with_it() {
    let mut place = Place::new();
    let mut session = place.slot.open(&python(Profile::Run, ECHO)).expect("a session opens");
    for name in ["one", "big", "three", "four"] {
        session.start(&asked(name)).expect("it is asked for");
    }
    for name in ["one", "big", "three", "four"] {
        let outcome = session.finish().expect("it runs");
        if name == "big" {
            assert_ne!(outcome.report.exit, Exit::Exited(0), "{:?}", outcome.report);
        } else {
            assert_eq!(stdout(&outcome), format!("{name}\n"), "{:?}", outcome.report);
        }
    }
}

#[test]
fn builds_that_are_asked_for_ahead_each_have_a_cell_of_their_own() {
    let mut place = Place::new();
    let mut session = place.slot.open(&shell("ls -A /w; echo x > left")).expect("a session opens");
    let spec = RunSpec::new(Stdin::Null, Limits::build(10_000));
    for _ in 0..3 {
        session.start(&spec).expect("it is asked for");
    }
    for _ in 0..3 {
        assert_eq!(stdout(&session.finish().expect("it runs")), "");
    }
}

/// With the cell that was asked for to come after it, however far that has got.
#[test]
fn a_build_that_is_given_up_leaves_the_slot_to_others() {
    let mut place = Place::new();
    let sleep = |seconds: &str| RunSpec {
        extra_args: strings(&[seconds]),
        ..RunSpec::new(Stdin::Null, Limits { wall_ms: 100_000, ..Limits::build(10_000) })
    };
    let start = std::time::Instant::now();
    for finished in 0..5 {
        let mut session = place.slot.open(&shell("echo x > left; exec sleep $0")).expect("a session opens");
        for _ in 0..finished {
            session.run(&sleep("0")).expect("it runs");
        }
        session.start(&sleep("100")).expect("it is asked for");
        drop(session);
        let mut other = place.slot.open(&shell("ls -A /w; echo $0")).expect("a session opens");
        for run in ["first", "second", "third"] {
            assert_eq!(stdout(&other.run(&sleep(run)).expect("it runs")), format!("{run}\n"));
        }
    }
    assert!(start.elapsed().as_secs() < 50, "the next session waited for what nobody wants");
}

#[test]
fn a_session_that_is_dropped_ends_what_it_started() {
    let mut place = Place::new();
    let clean = place.compile("000_clean.c");
    let sleeper = place.compile("010_answer_then_sleep.c");
    let start = std::time::Instant::now();
    let mut session = place.slot.open(&program(Profile::Run, &sleeper)).expect("a session opens");
    let limits = Limits { wall_ms: 100_000, ..Limits::run(100_000) };
    session.start(&RunSpec::new(Stdin::Null, limits)).expect("it is asked for");
    session.start(&RunSpec::new(Stdin::Null, limits)).expect("it is asked for");
    drop(session);
    assert_clean(&mut place, &clean);
    assert!(start.elapsed().as_secs() < 50, "the next session waited for what nobody wants");
}
