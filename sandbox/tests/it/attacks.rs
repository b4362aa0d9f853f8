//! The catalogue: each hostile program in both profiles, what must come of it, and a clean run after it.

use assize_sandbox::{End, Exit, Limits, Outcome, Profile, RunSpec, Stdin};

use crate::harness::*;

/// What may come of an attack.
#[derive(Debug, Clone, Copy)]
enum May {
    /// All its attempts failed, and it said so.
    Contained,
    Cpu,
    Wall,
    Idle,
    Memory,
    Output,
    Forbidden,
    Exit(i32),
    /// It died of this signal, and not by our hand.
    Signal(i32),
}
use May::*;

const SEGV: May = Signal(libc::SIGSEGV);
const KILL: May = Signal(libc::SIGKILL);
const ABRT: May = Signal(libc::SIGABRT);

fn came(may: May, outcome: &Outcome) -> bool {
    let (end, exit) = (outcome.report.end, outcome.report.exit);
    match may {
        Contained => {
            end == End::Finished && exit == Exit::Exited(0) && stdout(outcome).ends_with("contained\n")
        }
        Cpu => end == End::CpuLimit,
        Wall => matches!(end, End::WallLimit { .. }),
        Idle => end == End::WallLimit { idle: true },
        Memory => end == End::MemoryLimit,
        Output => end == End::OutputLimit,
        Forbidden => end == End::ForbiddenSyscall,
        Exit(code) => end == End::Finished && exit == Exit::Exited(code),
        Signal(signal) => end == End::Finished && exit == Exit::Signaled(signal),
    }
}

/// How an attack is confined.
#[derive(Debug, Clone, Copy, Default)]
struct How {
    /// Forked from an interpreter that had been started before.
    warm: bool,
    /// With the calls of runtimes that have an event loop.
    runtime_calls: bool,
}

#[track_caller]
fn check(source: &str, profile: Profile, processes: u32, expected: &[May]) {
    check_job(&mut Place::new(), source, profile, How::default(), processes, expected);
}

/// As [`check`] in the profile for one process, with the filter for the runtimes of Node, Mono and others.
#[track_caller]
fn check_runtime(source: &str, processes: u32, expected: &[May]) {
    let how = How { runtime_calls: true, ..How::default() };
    check_job(&mut Place::new(), source, Profile::Run, how, processes, expected);
}

/// As [`check`] in the profile for one process, forked from an interpreter that had been started before.
#[track_caller]
fn check_warm(source: &str, processes: u32, expected: &[May]) {
    let mut place = Place::new();
    if place.can_warm() {
        let how = How { warm: true, ..How::default() };
        check_job(&mut place, source, Profile::Run, how, processes, expected);
    }
}

#[track_caller]
fn check_job(
    place: &mut Place,
    source: &str,
    profile: Profile,
    How { warm, runtime_calls }: How,
    processes: u32,
    expected: &[May],
) {
    let clean = place.compile("000_clean.c");
    let mut job = if source.ends_with(".py") {
        python(profile, &std::fs::read_to_string(hostile(source)).expect("the source is there"))
    } else if warm {
        place.interpreted(source)
    } else {
        let attack = place.compile(source);
        program(profile, &attack)
    };
    job.warm = warm;
    job.needs.runtime_calls = runtime_calls;
    // Which profile it is in.
    let kind = match profile {
        Profile::Run if runtime_calls => "runtime",
        Profile::Run => "run",
        Profile::Build => "build",
    };
    job.argv.push(kind.to_owned());
    let mut session = place.slot.open(&job).expect("a session opens");
    // Twice: the second must find nothing of the first.
    for round in 1..=2 {
        // On a busy machine a burner may need much longer than its CPU time; a sleeper need not be waited for.
        let idle = expected.iter().any(|may| matches!(may, Idle));
        // And on a slow one a memory bomb may need long to go off.
        let burns = expected.iter().any(|may| matches!(may, Cpu | Wall));
        // What a failed fork had allocated is charged until the kernel's next grace period, 100 MiB and more on a busy
        // machine: where memory is not the point, there must be room for that.
        let memory_bytes = if expected.iter().any(|may| matches!(may, Memory)) { 128 << 20 } else { 1 << 30 };
        let limits = Limits {
            processes,
            memory_bytes,
            wall_ms: match expected {
                _ if idle => 1000,
                _ if expected.iter().any(|may| matches!(may, Wall)) => 20_000,
                // An emulated machine takes its time.
                _ => 120_000,
            },
            cpu_ms: if burns { 500 } else { 60_000 },
            ..limits(profile)
        };
        let spec = RunSpec::new(Stdin::Null, limits);
        let outcome = session.run(&spec).expect("the sandbox holds");
        let text = stdout(&outcome);
        // Where memory is limited as address space, what has too much of it from the start cannot be started ahead.
        let too_large = source.contains("_bss_")
            && outcome.report.layers.iter().any(|layer| layer.name == "memory_rlimit");
        assert!(outcome.report.warm == warm || too_large, "{:?}", outcome.report);
        assert!(!text.contains("ESCAPED"), "round {round}: {text}");
        assert!(
            expected.iter().any(|may| came(*may, &outcome)),
            "round {round}: expected one of {expected:?}, not {:?}\n{text}{}",
            outcome.report,
            String::from_utf8_lossy(&outcome.stderr)
        );
    }
    drop(session);
    assert_clean(place, &clean);
}

macro_rules! attacks {
    ($($name:ident $file:literal run($run_processes:literal) [$($run:expr),*] build($build_processes:literal) [$($build:expr),*];)*) => {
        mod run {
            use super::*;
            $(#[test] fn $name() { check($file, Profile::Run, $run_processes, &[$($run),*]); })*
        }
        mod build {
            use super::*;
            $(#[test] fn $name() { check($file, Profile::Build, $build_processes, &[$($build),*]); })*
        }
        mod warm {
            use super::*;
            $(#[test] fn $name() { check_warm($file, $run_processes, &[$($run),*]); })*
        }
        mod runtime {
            use super::*;
            $(#[test] fn $name() { check_runtime($file, $run_processes, &[$($run),*]); })*
        }
    };
}

attacks! {
    a000_clean "000_clean.c" run(1) [Contained] build(16) [Contained];
    a001_fork_bomb "001_fork_bomb.c" run(1) [Cpu] build(16) [Cpu, Wall];
    a002_fork_bomb_setsid "002_fork_bomb_setsid.c" run(1) [Cpu] build(16) [Cpu, Wall];
    a003_respawn "003_respawn.c" run(1) [Cpu] build(16) [Contained, Exit(0)];
    a004_odd_clones "004_odd_clones.c" run(1) [Contained] build(16) [Contained];
    a005_children_unwaited "005_children_unwaited.c" run(1) [Contained] build(16) [Contained, Cpu];
    a005_daemon_burns "005_daemon_burns.c" run(1) [Contained] build(16) [Contained];
    a005_daemon_lingers "005_daemon_lingers.c" run(1) [Contained] build(16) [Contained];
    a006_late_writer "006_late_writer.c" run(1) [Contained] build(16) [Contained];
    a007_keeps_stdout "007_keeps_stdout.c" run(1) [Contained] build(16) [Contained];
    a008_spin "008_spin.c" run(1) [Cpu] build(16) [Cpu];
    a009_sleep "009_sleep.c" run(1) [Idle] build(16) [Idle];
    a010_answer_then_sleep "010_answer_then_sleep.c" run(1) [Idle] build(16) [Idle];
    a011_threads_burn "011_threads_burn.c" run(8) [Cpu] build(16) [Cpu];
    a012_kernel_burn "012_kernel_burn.c" run(1) [Cpu] build(16) [Cpu];
    a013_tick_dodger "013_tick_dodger.c" run(1) [Cpu] build(16) [Cpu];
    a014_ignores_signals "014_ignores_signals.c" run(1) [Cpu] build(16) [Cpu];
    a015_raise_limits "015_raise_limits.c" run(1) [Contained] build(16) [Contained];
    a016_raise_sigabrt "016_raise_sigabrt.c" run(1) [ABRT] build(16) [ABRT];
    a016_raise_sigkill "016_raise_sigkill.c" run(1) [KILL] build(16) [KILL];
    a016_raise_sigsegv "016_raise_sigsegv.c" run(1) [SEGV] build(16) [SEGV];
    a016_raise_sigsys "016_raise_sigsys.c" run(1) [Contained] build(16) [Contained];
    a016_raise_sigterm "016_raise_sigterm.c" run(1) [Signal(libc::SIGTERM)] build(16) [Signal(libc::SIGTERM)];
    a016_raise_sigxcpu "016_raise_sigxcpu.c" run(1) [Signal(libc::SIGXCPU)] build(16) [Signal(libc::SIGXCPU)];
    a016_raise_sigxfsz "016_raise_sigxfsz.c" run(1) [Signal(libc::SIGXFSZ)] build(16) [Signal(libc::SIGXFSZ)];
    a017_kill_everyone "017_kill_everyone.c" run(1) [Contained] build(16) [Contained];
    a018_stops_itself "018_stops_itself.c" run(1) [Idle] build(16) [Idle];
    a019_signals_to_the_slot "019_signals_to_the_slot.c" run(1) [Contained] build(16) [Contained];
    a020_zombies "020_zombies.c" run(1) [Contained] build(16) [Contained];
    a021_thread_bomb "021_thread_bomb.c" run(16) [Contained] build(16) [Contained];
    a022_exec "022_exec.c" run(1) [Contained] build(1) [Contained, Exit(0)];
    a023_death_signals "023_death_signals.c" run(1) [Contained] build(16) [Contained];
    a024_main_thread_ends "024_main_thread_ends.c" run(4) [Cpu] build(16) [Cpu];
    a025_scheduler "025_scheduler.c" run(1) [Contained] build(16) [Contained];
    a026_lies_about_time "026_lies_about_time.c" run(1) [Cpu] build(16) [Cpu];
    a027_set_clock "027_set_clock.c" run(1) [Contained] build(16) [Contained];
    a030_memory_touched "030_memory_touched.c" run(1) [Memory, Contained] build(16) [Memory, Contained];
    a031_memory_untouched "031_memory_untouched.c" run(1) [Contained] build(16) [Contained];
    a032_bss_untouched "032_bss_untouched.c" run(1) [Contained, SEGV, KILL] build(16) [Contained, SEGV, KILL];
    a033_bss_touched "033_bss_touched.c" run(1) [Memory, SEGV, KILL] build(16) [Memory, SEGV, KILL];
    a034_deep_recursion "034_deep_recursion.c" run(1) [Contained] build(16) [Contained];
    a035_endless_recursion "035_endless_recursion.c" run(1) [Memory, SEGV] build(16) [Memory, SEGV];
    a036_memfd "036_memfd.c" run(1) [Contained] build(16) [Contained];
    a037_ipc "037_ipc.c" run(1) [Contained] build(16) [Contained];
    a038_shared_memory "038_shared_memory.c" run(1) [Memory, Contained] build(16) [Memory, Contained];
    a039_sparse_and_real "039_sparse_and_real.c" run(1) [Contained] build(16) [Contained, Memory];
    a040_page_tables "040_page_tables.c" run(1) [Memory, Contained] build(16) [Memory, Contained];
    a041_locked_memory "041_locked_memory.c" run(1) [Contained] build(16) [Contained];
    a042_kernel_objects "042_kernel_objects.c" run(1) [Contained] build(16) [Contained];
    a043_stalls "043_stalls.c" run(1) [Contained] build(16) [Contained];
    a045_restarts_eater "045_restarts_eater.c" run(1) [Contained] build(16) [Memory, Cpu, Wall];
    a046_huge_and_merged_pages "046_huge_and_merged_pages.c" run(1) [Contained] build(16) [Contained];
    a047_stdout_flood "047_stdout_flood.c" run(1) [Output] build(16) [Output];
    a048_stderr_flood "048_stderr_flood.c" run(1) [Contained] build(16) [Contained];
    a052_no_stdout "052_no_stdout.c" run(1) [Exit(0)] build(16) [Exit(0)];
    a053_low_descriptors "053_low_descriptors.c" run(1) [Exit(0)] build(16) [Exit(0)];
    a054_rewrite_stdout "054_rewrite_stdout.c" run(1) [Contained] build(16) [Contained];
    a055_pipe_flags "055_pipe_flags.c" run(1) [Contained] build(16) [Contained];
    a057_broken_pipe "057_broken_pipe.c" run(1) [Signal(libc::SIGPIPE)] build(16) [Signal(libc::SIGPIPE)];
    a058_inherited_descriptors "058_inherited_descriptors.c" run(1) [Contained] build(16) [Contained];
    a059_climbs "059_climbs.c" run(1) [Contained] build(16) [Contained];
    a060_descriptors_in_flight "060_descriptors_in_flight.c" run(1) [Contained] build(16) [Contained];
    a061_races_its_reader "061_races_its_reader.c" run(1) [Contained] build(16) [Contained];
    a062_checker_words "062_checker_words.c" run(1) [Exit(42)] build(16) [Exit(42)];
    a064_terminate_hook "064_terminate_hook.cpp" run(1) [Exit(0)] build(16) [Exit(0)];
    a065_crashes_after_output "065_crashes_after_output.cpp" run(1) [SEGV] build(16) [SEGV];
    a065_quick_exit "065_quick_exit.c" run(1) [Exit(7)] build(16) [Exit(7)];
    a066_secrets "066_secrets.c" run(1) [Contained] build(16) [Contained];
    a067_guesses_tests "067_guesses_tests.c" run(1) [Contained] build(16) [Contained];
    a068_neighbours "068_neighbours.c" run(1) [Contained] build(16) [Contained];
    a069_chroot "069_chroot.c" run(1) [Contained] build(16) [Contained];
    a076_disk_fill "076_disk_fill.c" run(1) [Contained] build(16) [Contained, Cpu, Memory];
    a077_file_size "077_file_size.c" run(1) [Contained] build(16) [Contained];
    a079_rewrites_itself "079_rewrites_itself.c" run(1) [Contained] build(16) [Contained];
    a080_keeps_state "080_keeps_state.c" run(1) [Contained] build(16) [Contained];
    a081_covert_locks "081_covert_locks.c" run(1) [Contained] build(16) [Contained];
    a082_handles "082_handles.c" run(1) [Contained] build(16) [Contained];
    a083_odd_paths "083_odd_paths.c" run(1) [Contained] build(16) [Contained];
    a084_mounts "084_mounts.c" run(1) [Contained] build(16) [Contained];
    a085_namespaces "085_namespaces.c" run(1) [Contained] build(16) [Contained];
    a086_ptrace "086_ptrace.c" run(1) [Contained] build(16) [Contained];
    a087_io_uring "087_io_uring.c" run(1) [Contained] build(16) [Contained];
    a088_keyring "088_keyring.c" run(1) [Contained] build(16) [Contained];
    a089_kernel_doors "089_kernel_doors.c" run(1) [Contained] build(16) [Contained];
    a090_network "090_network.c" run(1) [Contained] build(16) [Contained];
    a091_abstract_sockets "091_abstract_sockets.c" run(1) [Contained] build(16) [Contained];
    a092_int80 "092_int80.c" run(1) [Forbidden] build(16) [Forbidden];
    a092_x32 "092_x32.c" run(1) [Forbidden] build(16) [Forbidden];
    a094_terminal "094_terminal.c" run(1) [Contained] build(16) [Contained];
    a095_core_dump "095_core_dump.c" run(1) [ABRT] build(16) [ABRT];
    a096_personality "096_personality.c" run(1) [Contained] build(16) [Contained];
    a097_sigsys_handler "097_sigsys_handler.c" run(1) [Forbidden] build(16) [Forbidden];
    a111_own_start "111_own_start.c" run(1) [Exit(3)] build(16) [Exit(3)];
    a116_big_number "116_big_number.py" run(1) [Cpu, Memory, Exit(1)] build(16) [Cpu, Memory, Exit(1)];
    a116_recursion "116_recursion.py" run(1) [SEGV, Memory, Cpu, Exit(1)] build(16) [SEGV, Memory, Cpu, Exit(1)];
    a117_collisions "117_collisions.py" run(1) [Cpu] build(16) [Cpu];
    a129_looks_for_the_key "129_looks_for_the_key.c" run(1) [Contained] build(16) [Contained];
    a130_gives_children_away "130_gives_children_away.c" run(1) [Contained] build(16) [Contained];
}

#[test]
fn a070_write_everywhere_in_run() {
    check("070_write_everywhere.c", Profile::Run, 1, &[Contained]);
}

#[test]
fn a070_write_everywhere_in_warm() {
    check_warm("070_write_everywhere.c", 1, &[Contained]);
}

// What is before `main` is before an interpreter opens its program, too.
#[test]
fn a111_before_main_in_run() {
    check("111_before_main.c", Profile::Run, 1, &[Cpu]);
}

#[test]
fn a111_before_main_in_build() {
    check("111_before_main.c", Profile::Build, 16, &[Cpu]);
}

#[test]
fn a116_python_in_run() {
    check("116_python.py", Profile::Run, 1, &[Contained]);
}

#[test]
fn a129_looks_for_the_key_in_warm_python() {
    check_warm("129_looks_for_the_key.py", 1, &[Contained]);
}

#[test]
fn a116_python_in_warm() {
    check_warm("116_python.py", 1, &[Contained]);
}
