//! Two programs that talk to each other: who ended first, who waited for whom, and that each has meters of its own.

use assize_sandbox::*;

use crate::harness::*;

/// Guesses a number between 1 and 1000 by halving.
const GUESSER: &str = "
low, high = 1, 1000
while True:
    guess = (low + high) // 2
    print(guess, flush=True)
    answer = input()
    if answer == 'right': break
    if answer == 'higher': low = guess + 1
    else: high = guess - 1
";

/// Knows the number 42, and says in the end how many guesses it took.
const KEEPER_OF_42: &str = "
import sys
for count in range(1, 100):
    guess = int(sys.stdin.readline())
    print('right' if guess == 42 else 'higher' if guess < 42 else 'lower', flush=True)
    if guess == 42: break
print(count, file=sys.stderr)
sys.exit(42)
";

/// Two slots of one keeper.
struct Two {
    one: Slot,
    other: Slot,
    _keeper: Keeper,
}

impl Two {
    fn new() -> Two {
        let mut keeper = keeper(2);
        let mut take = || keeper.take_slot().expect("a keeper of two slots has two");
        Two { one: take(), other: take(), _keeper: keeper }
    }

    fn talk(&mut self, one: &Job, other: &Job, limits: [Limits; 2]) -> PairOutcome {
        let mut first = self.one.open(one).expect("a session opens");
        let mut second = self.other.open(other).expect("a session opens");
        let [first_spec, second_spec] = limits.map(|limits| RunSpec::new(Stdin::Null, limits));
        let ran = run_pair((&mut first, &first_spec), (&mut second, &second_spec), 1000, partner);
        ran.expect("the sandbox holds")
    }

    /// Python programs in the profiles that a submission and a validator have.
    fn python(&mut self, submission: &str, validator: &str) -> PairOutcome {
        self.talk(&first(Profile::Run, submission), &second(validator), generous())
    }
}

fn first(profile: Profile, source: &str) -> Job {
    let mut job = python(profile, source);
    job.needs.talks = Some(Half::First);
    job
}

fn second(source: &str) -> Job {
    let mut job = python(Profile::Build, source);
    job.needs.talks = Some(Half::Second);
    job
}

/// Whoever ends with 42 is content, and the first may end before the second has said its last word.
fn partner(ended: Half, outcome: &Outcome) -> Partner {
    let goes_on = ended == Half::First || outcome.report.exit == Exit::Exited(42);
    if goes_on { Partner::WritesOn } else { Partner::Ends }
}

fn generous() -> [Limits; 2] {
    let limits = |limits: Limits| Limits { wall_ms: 60_000, ..limits };
    [limits(Limits::run(10_000)), limits(Limits::build(10_000))]
}

#[track_caller]
fn exits(outcome: &PairOutcome, first: Exit, second: Exit) {
    assert_eq!((outcome.first.report.exit, outcome.second.report.exit), (first, second), "{outcome:?}");
    assert_eq!((outcome.first.report.end, outcome.second.report.end), (End::Finished, End::Finished));
    assert!(!outcome.stalled);
}

#[test]
fn a_dialogue_comes_to_its_end() {
    let mut two = Two::new();
    for _ in 0..3 {
        let outcome = two.python(GUESSER, KEEPER_OF_42);
        exits(&outcome, Exit::Exited(0), Exit::Exited(42));
        assert_eq!(outcome.second.stderr, b"8\n");
        assert_eq!(outcome.first.stdout.len(), 0);
    }
}

#[test]
fn halves_of_pairs_are_that_and_nothing_else() {
    let mut two = Two::new();
    let (guesser, answerer) = (first(Profile::Run, GUESSER), second(KEEPER_OF_42));
    let [first_spec, second_spec] = generous().map(|limits| RunSpec::new(Stdin::Null, limits));
    let refused = two.one.open(&guesser).expect("a session opens").run(&first_spec);
    assert!(matches!(refused, Err(SandboxError::InvalidJob(_))), "{refused:?}");
    for (one, other) in [(&guesser, &guesser), (&answerer, &answerer), (&answerer, &guesser)] {
        let mut one = two.one.open(one).expect("a session opens");
        let mut other = two.other.open(other).expect("a session opens");
        let refused = run_pair((&mut one, &first_spec), (&mut other, &second_spec), 1000, partner);
        assert!(matches!(refused, Err(SandboxError::InvalidJob(_))), "{refused:?}");
    }
}

/// The second half has no names for its streams: what it wrote there would reach nobody.
#[test]
fn the_second_half_is_not_led_astray() {
    let mut two = Two::new();
    let looks = "
import os
names = [name for name in ('stdin', 'stdout', 'fd/0', 'fd/1') if os.path.exists('/dev/' + name)]
open('/dev/stderr', 'w').write(repr(names))
raise SystemExit(42)
";
    let outcome = two.python("", looks);
    assert_eq!(String::from_utf8_lossy(&outcome.second.stderr), "[]");
}

/// A program that is to talk finds its partner by the names of its streams, and nothing of the pair before.
#[test]
fn a_partner_is_found_by_name() {
    let by_name = "
import sys
sys.stdin, sys.stdout = open('/dev/stdin'), open('/dev/stdout', 'w')
";
    // What it says last is not listened to, and what it says then is not read.
    let verbose = "
print('left ' * 100, flush=True)
";
    let taciturn = KEEPER_OF_42.replace("sys.exit(42)", "print('left', flush=True); sys.exit(42)");
    let mut two = Two::new();
    for profile in [Profile::Run, Profile::Build] {
        let (guesser, answerer) =
            (first(profile, &format!("{by_name}{GUESSER}{verbose}")), second(&taciturn));
        let mut first = two.one.open(&guesser).expect("a session opens");
        let mut second = two.other.open(&answerer).expect("a session opens");
        let limits = if profile == Profile::Run { generous() } else { [generous()[1]; 2] };
        let [first_spec, second_spec] = limits.map(|limits| RunSpec::new(Stdin::Null, limits));
        for _ in 0..3 {
            let outcome = run_pair((&mut first, &first_spec), (&mut second, &second_spec), 1000, partner);
            let outcome = outcome.expect("it runs");
            assert_eq!(String::from_utf8_lossy(&outcome.second.stderr), "8\n", "{outcome:?}");
            exits(&outcome, Exit::Exited(0), Exit::Exited(42));
        }
    }
}

#[test]
fn the_one_that_ends_first_is_told() {
    let mut two = Two::new();
    // The submission sees the end of a validator that is content and fails of it, at once.
    let outcome = two.python("input(); input()", "print(1, flush=True); raise SystemExit(42)");
    assert_eq!(outcome.ended_first, Half::Second);
    exits(&outcome, Exit::Exited(1), Exit::Exited(42));
    // One that is not is the end of both, whatever the other does.
    for goes_on in ["while True: pass", "while True: print(1)", "import time; time.sleep(1000)"] {
        let outcome = two.python(goes_on, "raise SystemExit(43)");
        assert_eq!((outcome.ended_first, outcome.stalled), (Half::Second, false), "{outcome:?}");
        assert_eq!(outcome.first.report.end, End::PartnerEnded, "{outcome:?}");
        assert_eq!(outcome.second.report.exit, Exit::Exited(43), "{outcome:?}");
        assert!(outcome.first.report.cpu_us < 1_000_000, "{outcome:?}");
    }
    // And the other way round.
    let outcome = two
        .python("raise SystemExit(7)", "import sys; raise SystemExit(43 if sys.stdin.read() == '' else 42)");
    assert_eq!(outcome.ended_first, Half::First);
    exits(&outcome, Exit::Exited(7), Exit::Exited(43));
}

/// More than a pipe holds is written to one that has ended, and whoever may do so comes to its own end.
#[test]
fn what_is_said_to_one_that_has_ended_is_thrown_away() {
    let mut two = Two::new();
    let last_word = "
import sys
assert sys.stdin.read() == '1\\n'
sys.stdout.write('x' * (4 << 20)); sys.stdout.flush()
sys.stderr.write('said'); raise SystemExit(42)
";
    let outcome = two.python("print(1)", last_word);
    exits(&outcome, Exit::Exited(0), Exit::Exited(42));
    assert_eq!((outcome.ended_first, outcome.second.stderr.as_slice()), (Half::First, &b"said"[..]));
    // The second is content and gone.
    let goes_on = "
import sys
assert sys.stdin.read() == ''
sys.stdout.write('x' * (4 << 20)); sys.stdout.flush(); sys.stderr.write('said')
";
    let outcome = two.python(goes_on, "raise SystemExit(42)");
    exits(&outcome, Exit::Exited(0), Exit::Exited(42));
    assert_eq!((outcome.ended_first, outcome.first.stderr.as_slice()), (Half::Second, &b"said"[..]));
    // One that never ends is held to its own limits all the same.
    let flood = first(Profile::Run, "while True: print('x' * 10000)");
    let content = second("raise SystemExit(42)");
    let [flooding, contents] = generous();
    let outcome = two.talk(&flood, &content, [Limits { cpu_ms: 300, ..flooding }, contents]);
    assert_eq!(outcome.first.report.end, End::CpuLimit, "{outcome:?}");
}

#[test]
fn two_that_wait_for_each_other_are_ended() {
    let mut two = Two::new();
    // The guess is never flushed.
    let outcome = two.python("import sys; sys.stdout.write('1\\n'); sys.stdin.readline()", KEEPER_OF_42);
    assert!(outcome.stalled, "{outcome:?}");
    assert_eq!(outcome.first.report.end, End::WallLimit { idle: true });
    assert_eq!(outcome.second.report.end, End::WallLimit { idle: true });
    assert!(!outcome.first.report.slept && !outcome.second.report.slept, "{outcome:?}");
    assert!((1_000_000..20_000_000).contains(&outcome.first.report.wall_us), "{outcome:?}");
    // The slots go on.
    exits(&two.python(GUESSER, KEEPER_OF_42), Exit::Exited(0), Exit::Exited(42));
}

#[test]
fn waiting_for_a_partner_that_works_is_no_fault() {
    let mut two = Two::new();
    let works = "
import time
while time.process_time() < 2.5: pass
print(5, flush=True)
raise SystemExit(42)
";
    let outcome = two.python("assert input() == '5'", works);
    exits(&outcome, Exit::Exited(0), Exit::Exited(42));
    assert!(outcome.second.report.cpu_us >= 2_500_000, "{outcome:?}");
    assert!(outcome.first.report.cpu_us < 1_000_000, "each has a meter of its own: {outcome:?}");
}

#[test]
fn each_has_limits_of_its_own() {
    let mut two = Two::new();
    let (burner, patient) = (first(Profile::Run, "while True: pass"), second("input()"));
    let [limits, patience] = generous();
    let outcome = two.talk(&burner, &patient, [Limits { cpu_ms: 300, ..limits }, patience]);
    assert_eq!(outcome.first.report.end, End::CpuLimit, "{outcome:?}");
    assert_eq!(outcome.ended_first, Half::First);
    assert_eq!(outcome.second.report.exit, Exit::Exited(1), "{outcome:?}");

    let glutton = first(Profile::Run, "x = bytearray(1 << 30); print(1)");
    let outcome = two.talk(&glutton, &patient, [Limits { memory_bytes: 64 << 20, ..limits }, patience]);
    assert!(
        outcome.first.report.end == End::MemoryLimit || outcome.first.report.exit == Exit::Exited(1),
        "{outcome:?}"
    );
    assert_eq!(outcome.ended_first, Half::First);
}

#[test]
fn a_flood_that_nobody_reads_and_a_sleeper_are_idle() {
    let mut two = Two::new();
    let outcome = two.python("while True: print('x' * 1000)", "import time; time.sleep(1000)");
    assert!(outcome.stalled, "{outcome:?}");
    assert_eq!((outcome.first.report.slept, outcome.second.report.slept), (false, true), "{outcome:?}");
    let outcome = two.python("import time; time.sleep(1000)", "input()");
    assert_eq!((outcome.first.report.slept, outcome.second.report.slept), (true, false), "{outcome:?}");
    // Ways to wait for nothing, and for something.
    for (waits, slept) in [
        ("import signal; signal.pause()", true),
        ("import select; select.select([], [], [])", true),
        ("import select; select.poll().poll()", true),
        ("import select; select.select([0], [], [])", false),
        ("import threading; threading.Lock().acquire() and threading.Event().wait()", false),
    ] {
        let outcome = two.python("input()", waits);
        assert!(outcome.stalled, "{outcome:?}");
        assert_eq!(outcome.second.report.slept, slept, "{waits}: {outcome:?}");
    }
}

/// A partner that waits for more sees that no more will come.
#[test]
fn a_half_that_closes_its_output_and_lives_on_has_said_all() {
    let mut two = Two::new();
    let closes = "import os; os.write(1, b'1 2 3'); os.close(1)";
    let reads_all = "import sys; rest = sys.stdin.read()";
    for _ in 0..3 {
        // Either way, and what comes back is still heard.
        let outcome = two.python(
            &format!("{reads_all}; print(len(rest), flush=True)"),
            &format!("{closes}; raise SystemExit(42 if input() == '5' else 43)"),
        );
        exits(&outcome, Exit::Exited(0), Exit::Exited(42));
        let outcome = two.python(
            &format!("{closes}; assert input() == '5'"),
            &format!("{reads_all}; print(len(rest), flush=True); raise SystemExit(42)"),
        );
        exits(&outcome, Exit::Exited(0), Exit::Exited(42));
    }
    // One that will say nothing more has not ended.
    let sleeps = "import os, time; os.close(1); os.close(0); time.sleep(1000)";
    let outcome = two.python(sleeps, "import sys; sys.stdin.read(); raise SystemExit(43)");
    assert_eq!((outcome.stalled, outcome.ended_first), (false, Half::Second), "{outcome:?}");
    assert_eq!(outcome.first.report.end, End::PartnerEnded, "{outcome:?}");
    // And one that only waits for its turn has not closed anything.
    let works = "import time, sys\nwhile time.process_time() < 1: pass\nprint(5, flush=True); sys.exit(42)";
    let outcome = two.python("assert input() == '5'; input()", works);
    exits(&outcome, Exit::Exited(1), Exit::Exited(42));
}

#[test]
fn a_partner_outside_the_pair_cannot_be_reached_through_the_pipes() {
    let mut two = Two::new();
    // Flags and sizes of one end are its own; what is not granted stays so.
    let attack = "
import fcntl, os, sys
os.set_blocking(1, False)
for attempt in (lambda: fcntl.fcntl(1, 1031, 4096), lambda: os.lseek(1, 0, 0), lambda: os.pwrite(1, b'x', 0),
                lambda: fcntl.fcntl(0, 8, os.getpid()), lambda: os.open('/proc/self/fd/0', os.O_RDWR)):
    try: attempt(); print('ESCAPED', file=sys.stderr)
    except OSError: pass
os.set_blocking(1, True)
";
    let outcome = two.python(&format!("{attack}{GUESSER}"), KEEPER_OF_42);
    assert_eq!(String::from_utf8_lossy(&outcome.first.stderr), "");
    exits(&outcome, Exit::Exited(0), Exit::Exited(42));
}

/// Whatever one half does to its own ends, the other reads every byte, in order and as it likes.
#[test]
fn a055_a_half_cannot_change_what_the_other_reads() {
    let mut two = Two::new();
    let submission = "
import fcntl, os, sys
os.set_blocking(0, False)
fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | os.O_APPEND | os.O_NONBLOCK | 0x2000)  # O_ASYNC
data = bytes(range(256)) * 1024
while data:
    try: data = data[os.write(1, data[:5000]):]
    except BlockingIOError: pass
os.write(2, b'all of it')
";
    // Byte by byte at first, then in pieces of odd sizes.
    let validator = "
import os, sys
seen = b''
while len(seen) < 256 * 1024:
    part = os.read(0, 1 if len(seen) < 3000 else 4099)
    if not part: break
    seen += part
sys.exit(42 if seen == bytes(range(256)) * 1024 else 43)
";
    let outcome = two.python(submission, validator);
    assert_eq!(outcome.first.stderr, b"all of it", "{outcome:?}");
    exits(&outcome, Exit::Exited(0), Exit::Exited(42));
}

#[test]
fn a_pair_that_cannot_start_is_our_failure_and_the_slots_go_on() {
    let mut two = Two::new();
    {
        let text = SealedFile::from_bytes("x", b"no program").expect("a memfd can be made");
        let mut broken = program(Profile::Run, &text);
        broken.needs.talks = Some(Half::First);
        let waiter = second("input()");
        let mut first = two.one.open(&broken).expect("a session opens");
        let mut second = two.other.open(&waiter).expect("a session opens");
        let [first_spec, second_spec] = generous().map(|limits| RunSpec::new(Stdin::Null, limits));
        let error = run_pair((&mut first, &first_spec), (&mut second, &second_spec), 1000, partner);
        let error = error.expect_err("it cannot run");
        assert!(error.to_string().contains("execve"), "{error}");
    }
    exits(&two.python(GUESSER, KEEPER_OF_42), Exit::Exited(0), Exit::Exited(42));
}
