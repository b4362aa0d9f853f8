//! Attacks that take more than a program and an expected end: exact bytes, several slots, files, the command line.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use assize_sandbox::*;

use crate::harness::*;

const PROFILES: [Profile; 2] = [Profile::Run, Profile::Build];

fn roomy(profile: Profile) -> Limits {
    match profile {
        Profile::Run => Limits::run(10_000),
        Profile::Build => Limits { stdout_bytes: 64 << 20, ..Limits::build(10_000) },
    }
}

fn run(place: &mut Place, job: &Job, spec: &RunSpec<'_>) -> Outcome {
    let mut session = place.slot.open(job).expect("a session opens");
    session.run(spec).expect("the sandbox holds")
}

#[test]
fn a008_the_cpu_time_of_a_spinner_is_its_limit() {
    let mut place = Place::new();
    let spinner = place.compile("008_spin.c");
    for profile in PROFILES {
        let limits = Limits { cpu_ms: 300, wall_ms: 30_000, ..roomy(profile) };
        let report = run(&mut place, &program(profile, &spinner), &RunSpec::new(Stdin::Null, limits)).report;
        assert_eq!(report.end, End::CpuLimit, "{report:?}");
        // 5 ms are the goal, which a machine that has better things to do does not always reach.
        assert!((300_000..=350_000).contains(&report.cpu_us), "{report:?}");
    }
}

/// Programs open their input by name too, as a file of its own place: the other one is not moved by it.
#[test]
fn the_input_is_found_by_name() {
    let source = "
import sys
with open('/dev/stdin') as named: first = named.read()
with open('/dev/fd/0') as named: assert named.read() == first
rest = sys.stdin.read()
assert rest == first, (len(rest), len(first))
print(len(first), first[:3], first[-3:])
";
    let mut place = Place::new();
    let large = "x".repeat(3 << 20) + "abc";
    for (profile, warm) in [(Profile::Run, false), (Profile::Build, false), (Profile::Run, true)] {
        if warm && !place.can_warm() {
            continue;
        }
        let job = Job { warm, ..python(profile, source) };
        let mut session = place.slot.open(&job).expect("a session opens");
        for (input, expected) in
            [("12 34", "5 12   34\n"), (&large, "3145731 xxx abc\n"), ("", "0  \n"), ("567", "3 567 567\n")]
        {
            let input = SealedFile::from_bytes("input", input.as_bytes()).expect("a memfd can be made");
            let limits = Limits { memory_bytes: 64 << 20, ..roomy(profile) };
            let outcome = session.run(&RunSpec::new(Stdin::Sealed(&input), limits)).expect("it runs");
            let said = String::from_utf8_lossy(&outcome.stderr);
            assert_eq!(stdout(&outcome), expected, "{profile:?} {warm} {said}");
        }
        let outcome = session.run(&RunSpec::new(Stdin::Null, roomy(profile))).expect("it runs");
        assert_eq!(stdout(&outcome), "0  \n", "nothing of the last input is left");
    }
}

/// And their output, which comes with what they write without its name, however often they open and close it.
#[test]
fn the_output_is_found_by_name() {
    let source = "
import os, sys, time
print('one', flush=True)
with open('/dev/stdout', 'w') as named: named.write('two\\n')
with open('/dev/fd/1', 'a') as named: named.write('three\\n')
os.close(1)
time.sleep(0.05)
assert os.open('/dev/stdout', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666) == 1
print('four', flush=True)
with open('/dev/stderr', 'w') as named: named.write('heard ')
with open('/dev/fd/2', 'w') as named: named.write('too')
";
    let mut place = Place::new();
    for (profile, warm) in [(Profile::Run, false), (Profile::Build, false), (Profile::Run, true)] {
        if warm && !place.can_warm() {
            continue;
        }
        let job = Job { warm, ..python(profile, source) };
        let mut session = place.slot.open(&job).expect("a session opens");
        for _ in 0..3 {
            let outcome = session.run(&RunSpec::new(Stdin::Null, roomy(profile))).expect("it runs");
            assert_eq!(stdout(&outcome), "one\ntwo\nthree\nfour\n", "{profile:?} {outcome:?}");
            assert_eq!(String::from_utf8_lossy(&outcome.stderr), "heard too", "{profile:?}");
        }
    }
}

/// All runs of a session write through the same pipe.
#[test]
fn output_beyond_the_limit_is_not_the_next_runs() {
    let mut place = Place::new();
    let source = "
import sys
word = sys.stdin.read()
if word == 'flood':
    while True: print('x' * 1000); print('y' * 1000, file=sys.stderr)
print(word)
";
    for warm in [false, true] {
        let job = Job { warm, ..python(Profile::Run, source) };
        let mut session = place.slot.open(&job).expect("a session opens");
        for word in ["flood", "one", "flood", "flood", "two"] {
            let input = SealedFile::from_bytes("input", word.as_bytes()).expect("a memfd can be made");
            let limits = Limits { stdout_bytes: 10_000, ..roomy(Profile::Run) };
            let outcome = session.run(&RunSpec::new(Stdin::Sealed(&input), limits)).expect("it runs");
            if word == "flood" {
                assert_eq!(outcome.report.end, End::OutputLimit, "{outcome:?}");
            } else {
                assert_eq!((stdout(&outcome), outcome.stderr.len()), (format!("{word}\n"), 0));
            }
        }
    }
}

/// The copy of the input takes memory of the slot, and none of the program's.
#[test]
fn a_large_input_is_not_the_programs_memory() {
    let mut place = Place::new();
    let clean = place.compile("000_clean.c");
    let large = SealedFile::from_bytes("input", &vec![b'x'; 120 << 20]).expect("a memfd can be made");
    let small = SealedFile::from_bytes("input", b"12").expect("a memfd can be made");
    let limits = Limits { memory_bytes: 16 << 20, stdout_bytes: 1 << 20, ..Limits::run(10_000) };
    let job = program(Profile::Run, &clean);
    let mut session = place.slot.open(&job).expect("a session opens");
    for input in [&large, &small, &large, &small] {
        let outcome = session.run(&RunSpec::new(Stdin::Sealed(input), limits)).expect("it runs");
        assert_eq!(stdout(&outcome), "contained\n", "{:?}", outcome.report);
        assert!(outcome.report.memory_bytes_peak < 8 << 20, "{:?}", outcome.report);
    }
}

#[test]
fn a044_a_large_parent_is_not_the_programs_memory() {
    let mut large = vec![0_u8; 300 << 20];
    large.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    let mut place = Place::new();
    let clean = place.compile("000_clean.c");
    for profile in PROFILES {
        let job = program(profile, &clean);
        let report = run(&mut place, &job, &RunSpec::new(Stdin::Null, roomy(profile))).report;
        // The cell's own size, which is more in a debug build. A cgroup counts the kernel's part and the pages of the
        // executable too.
        let most = if report.memory_meter == MemoryMeter::MaxRss { 8 << 20 } else { 32 << 20 };
        assert!(report.memory_bytes_peak < most, "{report:?}");
    }
    drop(std::hint::black_box(large));
}

#[test]
fn a049_one_line_of_ten_megabytes() {
    let mut place = Place::new();
    for profile in PROFILES {
        let job = python(profile, "import sys; sys.stdout.write('x' * 10_000_000 + 'y')");
        let outcome = run(&mut place, &job, &RunSpec::new(Stdin::Null, roomy(profile)));
        assert_eq!(outcome.report.end, End::Finished, "{:?}", outcome.report);
        let line = outcome.stdout.read_all().expect("it is sealed");
        assert_eq!((line.len(), line.last()), (10_000_001, Some(&b'y')));
        assert!(line[..10_000_000].iter().all(|byte| *byte == b'x'));
    }
}

/// Every byte, and sequences that break whoever takes bytes for text.
fn odd_bytes() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..=255).collect();
    bytes.extend(b"\r\n\r\0\x1b[2J\x1b]0;title\x07\xef\xbb\xbf\xe2\x80\xa8\xff\xfe\xc3\x28\xed\xa0\x80\xf4\x90\x80\x80");
    bytes.extend(b"%n%s%x\n[OK] accepted\n{\"end\":\"finished\"}\n</pre><script>\n\0");
    bytes
}

#[test]
fn a050_odd_bytes_come_out_as_they_are() {
    let mut place = Place::new();
    let bytes = odd_bytes();
    let input = SealedFile::from_bytes("input", &bytes).expect("a memfd can be made");
    let copy = "import os; x = os.read(0, 65536); os.write(1, x); os.write(2, x)";
    for profile in PROFILES {
        let spec = RunSpec::new(Stdin::Sealed(&input), roomy(profile));
        let outcome = run(&mut place, &python(profile, copy), &spec);
        assert_eq!(outcome.stdout.read_all().expect("it is sealed"), bytes);
        assert_eq!(outcome.stderr, bytes);
    }
}

#[test]
fn a051_output_that_forges_a_report_stays_a_string_in_it() {
    let folder = std::env::temp_dir().join(format!("assize-forger-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let input = folder.join("%n\n[OK].txt");
    std::fs::write(&input, odd_bytes()).expect("a file can be written");
    let output = Command::new(env!("CARGO_BIN_EXE_assize-sandbox"))
        .args(["run", "--json", "--cpu", "10s", "--stdin"])
        .arg(&input)
        .args(["--", "/bin/cat"])
        .output()
        .expect("the command runs");
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.chars().all(|c| c == '\n' || c >= ' '), "{text:?}");
    let value: serde_json::Value = serde_json::from_str(&text).expect("it is one object");
    assert!(value.is_object());
}

#[test]
fn a055_all_bytes_arrive_whatever_the_flags_of_the_pipe() {
    let mut place = Place::new();
    let player = place.compile("055_pipe_flags.c");
    for profile in PROFILES {
        let job = program(profile, &player);
        let outcome = run(&mut place, &job, &RunSpec::new(Stdin::Null, roomy(profile)));
        let all = outcome.stdout.read_all().expect("it is sealed");
        let count = all.iter().filter(|byte| **byte == b'x').count();
        // Each page ends with a newline; what the program says of itself has some of these letters too.
        assert!(count >= (2 << 20) / 4096 * 4095, "{count}");
        assert_eq!(outcome.report.end, End::Finished);
    }
}

#[test]
fn a063_codes_of_checkers_and_wrappers_are_only_codes() {
    let mut place = Place::new();
    for profile in PROFILES {
        let mut job = python(profile, "import os, sys; os._exit(int(sys.argv[1]))");
        job.argv.push("0".to_owned());
        for code in [1, 2, 42, 43, 125, 126, 127, 128 + 9, 139, 152, 255] {
            job.argv[3] = code.to_string();
            let report = run(&mut place, &job, &RunSpec::new(Stdin::Null, roomy(profile))).report;
            assert_eq!((report.end, report.exit), (End::Finished, Exit::Exited(code)));
        }
    }
}

#[test]
fn a064_a_hook_that_ends_well_says_nothing() {
    let mut place = Place::new();
    let hook = place.compile("064_terminate_hook.cpp");
    for profile in PROFILES {
        let outcome = run(&mut place, &program(profile, &hook), &RunSpec::new(Stdin::Null, roomy(profile)));
        assert_eq!((stdout(&outcome).as_str(), outcome.report.exit), ("", Exit::Exited(0)));
    }
}

#[test]
fn a068_slots_see_nothing_of_each_other() {
    let mut keeper = keeper(2);
    let (mut one, mut two) = (keeper.take_slot().expect("a slot"), keeper.take_slot().expect("a slot"));
    let leaver = "import time, os\nopen('/w/secret', 'w').write('s')\nopen('/tmp/secret2', 'w').write('s')\n\
                  print('there', flush=True)\ntime.sleep(20)";
    let looker = "import os\nprint(sorted(os.listdir('/w')), sorted(os.listdir('/tmp')))";
    let canceller = one.canceller();
    std::thread::scope(|scope| {
        let leaving = scope.spawn(move || {
            let mut session = one.open(&python(Profile::Build, leaver)).expect("a session opens");
            let limits = Limits { wall_ms: 60_000, ..Limits::build(10_000) };
            session.run(&RunSpec::new(Stdin::Null, limits)).expect("it runs")
        });
        std::thread::sleep(Duration::from_millis(500));
        let mut session = two.open(&python(Profile::Build, looker)).expect("a session opens");
        let outcome = session.run(&RunSpec::new(Stdin::Null, Limits::build(10_000))).expect("it runs");
        assert_eq!(stdout(&outcome), "['main.py'] ['main.py']\n");
        canceller.cancel();
        leaving.join().expect("the thread ends");
    });
}

#[test]
fn a072_a_link_that_comes_and_goes_is_never_followed() {
    let mut place = Place::new();
    let clean = place.compile("000_clean.c");
    let swapper = place.compile("072_swaps_its_output.c");
    let mut session = place.slot.open(&program(Profile::Build, &swapper)).expect("a session opens");
    let (mut taken, mut refused) = (0, 0);
    for round in 0..20 {
        let limits = Limits { cpu_ms: 30 + round, wall_ms: 20_000, ..Limits::build(1000) };
        let mut spec = RunSpec::new(Stdin::Null, limits);
        spec.collect = vec![Collect { name: "out".to_owned(), bytes_max: 64 << 20 }];
        let outcome = session.run(&spec).expect("the sandbox holds");
        match outcome.files.first() {
            Some((_, content)) => {
                let content = content.read_all().expect("it is sealed");
                assert!(content == b"mine\n" || content.is_empty(), "{} bytes", content.len());
                taken += 1;
            }
            None => {
                let reason = outcome.report.uncollected[0].reason;
                assert!(matches!(reason, CollectFailure::Link | CollectFailure::Missing), "{reason:?}");
                refused += 1;
            }
        }
    }
    println!("{taken} files taken, {refused} links refused");
    drop(session);
    assert_clean(&mut place, &clean);
}

#[test]
fn a078_a_fresh_binary_is_never_busy() {
    // Several slots start the same program, from memory that was sealed a moment before, while others still write
    // theirs; and a build starts its own copy from several processes at once.
    let clean = Place::new().compile("000_clean.c");
    let mut keeper = keeper(3);
    let slots: Vec<Slot> = std::iter::from_fn(|| keeper.take_slot()).collect();
    let bytes = clean.read_all().expect("it is sealed");
    std::thread::scope(|scope| {
        for mut slot in slots {
            let bytes = &bytes;
            scope.spawn(move || {
                for _ in 0..10 {
                    let fresh = SealedFile::from_bytes("self", bytes).expect("a memfd can be made");
                    let mut session = slot.open(&program(Profile::Run, &fresh)).expect("a session opens");
                    let outcome = session.run(&RunSpec::new(Stdin::Null, Limits::run(10_000)));
                    assert_eq!(stdout(&outcome.expect("it runs")), "contained\n");
                }
            });
        }
    });
    let mut job = Job {
        profile: Profile::Build,
        root: system(),
        files: vec![JobFile { name: "self".to_owned(), content: clean, executable: true }],
        directories: Vec::new(),
        needs: Needs::default(),
        argv: strings(&[
            "/bin/sh",
            "-c",
            "cp self mine; for i in 1 2 3 4 5 6 7 8; do ./self & ./mine & done; wait",
        ]),
        env: vec![("PATH".to_owned(), "/usr/bin".to_owned())],
        warm: false,
    };
    let mut place = Place::new();
    for _ in 0..3 {
        let outcome = run(&mut place, &job, &RunSpec::new(Stdin::Null, Limits::build(10_000)));
        assert_eq!(
            stdout(&outcome),
            "contained\n".repeat(16),
            "{}",
            String::from_utf8_lossy(&outcome.stderr)
        );
        job.argv[2] += " ";
    }
}

/// Drivers put a descriptor away where they hope that no program looks.
#[test]
fn high_descriptors_may_be_used() {
    let mut place = Place::new();
    for (profile, limits) in [(Profile::Run, Limits::run(1000)), (Profile::Build, Limits::build(1000))] {
        let limits = Limits { open_files: limits.open_files, ..roomy(profile) };
        let code = "import fcntl; print(fcntl.fcntl(1, fcntl.F_DUPFD, 200))";
        let outcome = run(&mut place, &python(profile, code), &RunSpec::new(Stdin::Null, limits));
        assert_eq!(stdout(&outcome), "200\n", "{}", String::from_utf8_lossy(&outcome.stderr));
    }
}

#[test]
fn a080_reading_leaves_no_mark_on_the_input() {
    let mut place = Place::new();
    let reader = "
import fcntl, os
for path in (0, '/dev/stdin', '/dev/stdout', '/dev/stderr'):
    times = os.stat(path)
    print(times.st_atime_ns, times.st_mtime_ns, times.st_ctime_ns)
fcntl.fcntl(0, fcntl.F_SETFL, 0)
os.read(0, 10)
";
    // Of empty inputs, too.
    for content in ["42\n", ""] {
        let input = SealedFile::from_bytes("input", content.as_bytes()).expect("a memfd can be made");
        for profile in [Profile::Run, Profile::Run, Profile::Build, Profile::Build] {
            let job = python(profile, reader);
            let mut session = place.slot.open(&job).expect("a session opens");
            for _ in 0..2 {
                let begun = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time");
                let outcome = session.run(&RunSpec::new(Stdin::Sealed(&input), roomy(profile)));
                let said = stdout(&outcome.expect("it runs"));
                let times: Vec<u64> =
                    said.split_whitespace().map(|word| word.parse().expect("a time")).collect();
                // The clock of file systems is up to a tick late.
                let first = begun.saturating_sub(Duration::from_millis(20)).as_nanos() as u64;
                assert!(times.len() == 12 && times.iter().all(|time| *time >= first), "{begun:?} {said}");
            }
        }
    }
}

/// Inputs are shared by all slots, and what a program can lock is its own.
#[test]
fn a081_a_lock_on_the_input_is_felt_by_nobody() {
    let mut keeper = keeper(2);
    let mut slots = [0, 1].map(|_| keeper.take_slot().expect("two slots"));
    let input = SealedFile::from_bytes("input", b"42\n").expect("a memfd can be made");
    let code = "
import fcntl, time
start = time.monotonic()
while time.monotonic() < start + 1:
    fcntl.flock(0, fcntl.LOCK_EX | fcntl.LOCK_NB)
    time.sleep(0.01)
print('free')
";
    let job = python(Profile::Build, code);
    let spec = RunSpec::new(Stdin::Sealed(&input), roomy(Profile::Build));
    let [one, other] = &mut slots;
    let (mut one, mut other) = (one.open(&job).expect("a session"), other.open(&job).expect("a session"));
    one.start(&spec).expect("it starts");
    other.start(&spec).expect("it starts");
    for session in [&mut one, &mut other] {
        let outcome = session.finish().expect("it runs");
        assert_eq!(stdout(&outcome), "free\n", "{}", String::from_utf8_lossy(&outcome.stderr));
    }
}

#[test]
fn a080_an_input_cannot_be_spoilt() {
    let mut place = Place::new();
    let spoiler = place.compile("080_spoils_its_input.c");
    let input = SealedFile::from_bytes("input", b"42\n").expect("a memfd can be made");
    let mut said = Vec::new();
    for profile in [Profile::Build, Profile::Run, Profile::Build, Profile::Run] {
        let spec = RunSpec::new(Stdin::Sealed(&input), roomy(profile));
        let text = stdout(&run(&mut place, &program(profile, &spoiler), &spec));
        assert!(text.ends_with("contained\n"), "{profile:?}: {text}");
        said.push(text.lines().next().unwrap_or_default().to_owned());
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
}

#[test]
fn a095_no_core_is_left() {
    let mut place = Place::new();
    let crasher = place.compile("095_core_dump.c");
    let mut spec = RunSpec::new(Stdin::Null, Limits::build(10_000));
    let names = ["core", "core.1", "core.2", "core.3"];
    spec.collect = names.map(|name| Collect { name: name.to_owned(), bytes_max: 64 << 20 }).to_vec();
    let outcome = run(&mut place, &program(Profile::Build, &crasher), &spec);
    assert_eq!(outcome.report.exit, Exit::Signaled(libc::SIGABRT), "{:?}", outcome.report);
    assert!(outcome.files.is_empty());
    assert!(outcome.report.uncollected.iter().all(|left| left.reason == CollectFailure::Missing));
}

#[test]
fn a124_a_program_cannot_tell_its_turn() {
    let mut place = Place::new();
    let guesser = place.compile("124_guesses_its_turn.c");
    let input = SealedFile::from_bytes("input", b"42\n").expect("a memfd can be made");
    let other = SealedFile::from_bytes("input", b"43\n").expect("a memfd can be made");
    let mut jobs: Vec<Job> = PROFILES.iter().map(|profile| program(*profile, &guesser)).collect();
    if place.can_warm() {
        jobs.push(place.interpreted("124_guesses_its_turn.c"));
    }
    for mut job in jobs {
        let profile = job.profile;
        job.env = vec![("LC_ALL".to_owned(), "C.UTF-8".to_owned())];
        let mut session = place.slot.open(&job).expect("a session opens");
        let mut said: Vec<String> = Vec::new();
        for input in [&input, &other, &input, &other] {
            let spec = RunSpec::new(Stdin::Sealed(input), roomy(profile));
            said.push(stdout(&session.run(&spec).expect("it runs")));
        }
        drop(session);
        // And in a session that has just begun.
        said.push(stdout(&run(&mut place, &job, &RunSpec::new(Stdin::Sealed(&input), roomy(profile)))));
        assert!(said[0].contains("LC_ALL=C.UTF-8"), "{}", said[0]);
        said.dedup();
        assert_eq!(said.len(), 1, "{said:#?}");
    }
}
