//! The compiler is judged code too: attacks at compile time, and files that are not what they seem.

use assize_sandbox::*;

use crate::harness::*;

/// A source that must not get through, and what its diagnostics must not say.
#[track_caller]
fn refuse(name: &str, text: &str) -> Outcome {
    let mut place = Place::new();
    let clean = place.compile("000_clean.c");
    let outcome = place.build(name, text.as_bytes());
    assert!(outcome.files.is_empty(), "it compiled: {:?}", outcome.report);
    assert!(outcome.stderr.len() as u64 <= Limits::STDERR_BYTES_MAX);
    assert!(!String::from_utf8_lossy(&outcome.stderr).contains("root:x:"));
    assert_clean(&mut place, &clean);
    outcome
}

#[test]
fn b101_includes_a_device_that_is_not_there() {
    refuse("a.c", "#include \"/dev/random\"\nint main(){}");
}

#[test]
fn b101_includes_an_endless_device() {
    let outcome = refuse("a.c", "#include \"/dev/zero\"\nint main(){}");
    assert_ne!(outcome.report.exit, Exit::Exited(0));
}

#[test]
fn b101_includes_its_standard_input() {
    refuse("a.c", "#include \"/dev/stdin\"\nint main(){}");
}

#[test]
fn b102_includes_the_passwords() {
    refuse("a.c", "#include \"/etc/passwd\"\nint main(){}");
}

#[test]
fn b103_assembles_the_passwords() {
    refuse("a.c", "asm(\".incbin \\\"/etc/passwd\\\"\");\nint main(){}");
}

#[test]
fn b105_recursive_templates() {
    refuse(
        "a.cpp",
        "template<long n> struct A { static const long v = A<n+1>::v + A<n+2>::v; };\nint main(){ return A<0>::v; }",
    );
}

#[test]
fn b105_endless_constexpr() {
    refuse(
        "a.cpp",
        "constexpr long f(){ long s=0; for(long i=0;i<(1L<<62);i++) s+=i; return s; }\nstatic_assert(f()>0);int main(){}",
    );
}

#[test]
fn b105_operator_arrow_storm() {
    refuse("a.cpp", "template<class T> struct L { L<L<T>> operator->(); };\nint main(){ L<int> i; i->x; }");
}

#[test]
fn b106_gigabytes_of_binary() {
    refuse("a.c", "int a[1 << 28] = {1};\nint main(){ return a[5]; }");
}

#[test]
fn b107_a_flood_of_errors_is_cut() {
    let text = "x y;\n".repeat(20_000);
    let outcome = refuse("a.c", &text);
    assert!(outcome.report.stderr_bytes > outcome.stderr.len() as u64);
}

#[test]
fn b104_includes_itself() {
    refuse("a.c", "#include __FILE__\n#include __FILE__\n");
}

#[test]
fn b104_a_billion_laughs() {
    let mut text = "#define L0 ha ha ha ha ha ha ha ha ha ha\n".to_owned();
    for level in 1..12 {
        text += &format!("#define L{level} {}\n", format!("L{} ", level - 1).repeat(10));
    }
    refuse("a.c", &(text + "int main() { return L11; }"));
}

#[test]
fn b103_probes_and_embeds_what_is_not_there() {
    refuse("a.c", "#if !__has_include(\"/etc/passwd\")\n#error contained\n#endif\nint main(){}");
    refuse("a.c", "asm(\".include \\\"/etc/passwd\\\"\");\nint main(){}");
}

#[test]
fn b107_a_very_long_name() {
    refuse("a.c", &format!("int main() {{ return {}; }}", "x".repeat(1 << 20)));
}

#[test]
fn b113_an_object_file_is_no_source() {
    let mut place = Place::new();
    let object = place.compile("000_clean.c").read_all().expect("it is sealed");
    let outcome = place.build("a.c", &object);
    assert!(outcome.files.is_empty());
}

#[test]
fn b114_the_output_is_replaced() {
    assert_eq!(leave("mkdir -p out/x").1, Some(CollectFailure::NotRegular));
    assert_eq!(leave("ln -s . d; echo x > d/out; rm out; ln -s d/out out").1, Some(CollectFailure::Link));
}

#[test]
fn b093_a_setuid_program_gains_nothing() {
    let script = "for f in /usr/bin/su /usr/bin/passwd /usr/bin/mount; do [ -x $f ] && $f -c id root < /dev/null; done; id -u";
    let (outcome, _) = leave(script);
    assert_eq!(stdout(&outcome).lines().last(), Some("1"));
}

/// Runs a shell script in a build and says what came of the file `out`.
#[track_caller]
fn leave(script: &str) -> (Outcome, Option<CollectFailure>) {
    let mut place = Place::new();
    let job = Job {
        profile: Profile::Build,
        root: system(),
        files: Vec::new(),
        directories: Vec::new(),
        argv: strings(&["/bin/sh", "-c", script]),
        env: vec![("PATH".to_owned(), "/usr/bin".to_owned())],
    };
    let mut session = place.slot.open(&job).expect("a session opens");
    let mut spec = RunSpec::new(Stdin::Null, Limits { tmpfs_bytes: 4 << 20, ..Limits::build(2000) });
    spec.collect = vec![Collect { name: "out".to_owned(), bytes_max: 1 << 20 }];
    let outcome = session.run(&spec).expect("the sandbox holds");
    let reason = outcome.report.uncollected.first().map(|left| left.reason);
    (outcome, reason)
}

#[test]
fn b071_a_plain_file_is_collected() {
    let (outcome, reason) = leave("echo hello > out");
    assert_eq!(reason, None);
    assert_eq!(outcome.files[0].1.read_all().expect("it is sealed"), b"hello\n");
}

#[test]
fn b071_a_symbolic_link_is_not() {
    assert_eq!(leave("ln -s /etc/passwd out").1, Some(CollectFailure::Link));
    assert_eq!(leave("ln -s /usr/bin/env out").1, Some(CollectFailure::Link));
    assert_eq!(leave("echo x > y; ln -s y out").1, Some(CollectFailure::Link));
}

#[test]
fn b073_a_second_name_is_not() {
    assert_eq!(leave("echo x > y; ln y out").1, Some(CollectFailure::HardLinked));
}

#[test]
fn b074_what_is_no_file_is_not() {
    assert_eq!(leave("mkdir out").1, Some(CollectFailure::NotRegular));
    assert_eq!(leave("mkfifo out; true").1, Some(CollectFailure::Missing));
    assert_eq!(leave("true").1, Some(CollectFailure::Missing));
}

#[test]
fn b074_a_large_or_sparse_file_is_not() {
    assert_eq!(leave("truncate -s 2M out").1, Some(CollectFailure::TooLarge));
    assert_eq!(leave("dd if=/dev/zero of=out bs=1M count=2").1, Some(CollectFailure::TooLarge));
}

#[test]
fn b074_an_unreadable_file_is_not() {
    assert_eq!(leave("echo x > out; chmod 000 out").1, Some(CollectFailure::Unreadable));
}

#[test]
fn b110_a_daemon_of_the_compile_step_dies_with_it() {
    let (outcome, _) = leave("(sleep 1000 & sleep 1000 &) ; echo x > out");
    assert_eq!(outcome.report.end, End::Finished);
    assert!(outcome.report.processes_reaped >= 3, "{:?}", outcome.report);
    assert!(outcome.report.wall_us < 1_000_000);
}

#[test]
fn b080_nothing_is_left_for_the_next_build() {
    let mut place = Place::new();
    let job = Job {
        profile: Profile::Build,
        root: system(),
        files: Vec::new(),
        directories: Vec::new(),
        argv: strings(&["/bin/sh", "-c", "ls -A /w /tmp; echo x > left; echo $$"]),
        env: vec![("PATH".to_owned(), "/usr/bin".to_owned())],
    };
    let mut session = place.slot.open(&job).expect("a session opens");
    let spec = RunSpec::new(Stdin::Null, Limits::build(2000));
    let first = stdout(&session.run(&spec).expect("it runs"));
    let second = stdout(&session.run(&spec).expect("it runs again"));
    assert_eq!(first, second);
    assert!(!first.contains("left"));
}
