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
    // Which is empty.
    refuse("a.c", "#include \"/dev/stdin\"\n");
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

#[test]
fn b073_what_would_block_a_clean_up_does_not_outlive_its_run() {
    let script = "mkdir -p a/b/c locked; echo x > a/b/c/d; chmod 6777 a; chmod 000 a/b/c locked; ln /usr/bin/env stolen; \
                  ln -s / loop; mkdir out && chmod 000 out";
    let (outcome, reason) = leave(script);
    assert!(matches!(reason, Some(CollectFailure::NotRegular | CollectFailure::Unreadable)), "{reason:?}");
    // A file of the host cannot get a second name here.
    assert!(String::from_utf8_lossy(&outcome.stderr).contains("stolen"));
}

#[test]
fn b075_a_link_to_endless_bytes_is_not() {
    assert_eq!(leave("ln -s /dev/urandom out").1, Some(CollectFailure::Link));
    assert_eq!(leave("ln -s /dev/zero out").1, Some(CollectFailure::Link));
    assert_eq!(leave("mkdir d; ln -s /dev d/dev; ln -s d/dev/zero out").1, Some(CollectFailure::Link));
    assert_eq!(leave("ln /dev/zero out").1, Some(CollectFailure::Missing));
}

/// A source that may compile, and what comes of it when it runs.
#[track_caller]
fn accept(text: &str, end: End, exit: Exit) {
    let mut place = Place::new();
    let outcome = place.build("a.c", text.as_bytes());
    let error = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let [(_, content)] = outcome.files.try_into().unwrap_or_else(|_| panic!("it does not compile: {error}"));
    for profile in [Profile::Run, Profile::Build] {
        let limits = match profile {
            Profile::Run => Limits { wall_ms: 20_000, ..Limits::run(500) },
            Profile::Build => Limits { wall_ms: 20_000, ..Limits::build(500) },
        };
        let mut session = place.slot.open(&program(profile, &content)).expect("a session opens");
        let report = session.run(&RunSpec::new(Stdin::Null, limits)).expect("the sandbox holds").report;
        assert_eq!((report.end, report.exit), (end, exit), "{report:?}");
    }
}

#[test]
fn b108_pragmas_change_the_program_and_not_the_compiler() {
    let text = r#"
        #pragma GCC optimize("O3,unroll-loops")
        #pragma GCC plugin("/w/evil.so")
        #pragma GCC dependency "a.c"
        #pragma comment(linker, "/etc/passwd")
        #include <stdlib.h>
        static int count;
        __attribute__((constructor)) static void early(void) { count++; }
        int main(void) { return count + 6; }
    "#;
    accept(text, End::Finished, Exit::Exited(7));
}

/// Runs the real compiler with `extra` options and `files` beside the source, as if someone had let them through.
fn compile_with(extra: &[&str], files: Vec<JobFile>) -> Outcome {
    let mut place = Place::new();
    let mut argv = strings(&["/usr/bin/gcc", "-static", "-o", "out", "a.c"]);
    argv.extend(strings(extra));
    let mut all = vec![file("a.c", b"int main(void) { return 0; }")];
    all.extend(files);
    let job = Job {
        profile: Profile::Build,
        root: system(),
        files: all,
        directories: Vec::new(),
        needs: Needs::default(),
        argv,
        env: vec![("PATH".to_owned(), "/usr/bin".to_owned())],
        warm: false,
    };
    let mut session = place.slot.open(&job).expect("a session opens");
    session.run(&RunSpec::new(Stdin::Null, Limits::build(20_000))).expect("the sandbox holds")
}

#[test]
fn b108_a_plugin_that_is_none_is_an_error() {
    let fake = JobFile { executable: true, ..file("evil.so", b"not a library") };
    let outcome = compile_with(&["-fplugin=/w/evil.so"], vec![fake]);
    assert_ne!(outcome.report.exit, Exit::Exited(0));
    assert_eq!(outcome.report.end, End::Finished);
}

#[test]
fn b109_code_that_the_compiler_executes_is_confined_as_the_compiler_is() {
    // `-B` makes gcc run a compiler proper of our own: what a plugin, a macro of Rust or a generator of C# could do.
    let hostile = [
        "066_secrets.c",
        "069_chroot.c",
        "086_ptrace.c",
        "084_mounts.c",
        "085_namespaces.c",
        "090_network.c",
    ];
    for source in hostile {
        let content = Place::new().compile(source);
        let files = vec![JobFile { name: "cc1".to_owned(), content, executable: true }];
        let outcome = compile_with(&["-B/w/"], files);
        let text = stdout(&outcome);
        assert!(text.contains("contained\n") && !text.contains("ESCAPED"), "{text}");
    }
}

#[test]
fn b111_a_source_that_is_a_linker_script_is_no_program() {
    refuse("a.c", "INPUT(/etc/passwd)\nOUTPUT(/w/x)\nSECTIONS { . = 0; }");
    refuse("a.c", "asm(\".section .drectve\\n.ascii \\\"/etc/passwd\\\"\");\n");
}

#[test]
fn b111_a_program_that_names_a_loader_which_is_not_there_ends_by_itself() {
    let text = r#"
        extern const char loader[] __attribute__((section(".interp")));
        const char loader[] = "/no/such/loader";
        int main() {}
    "#;
    let mut place = Place::new();
    let clean = place.compile("000_clean.c");
    let content = place.build("a.cpp", text.as_bytes()).files.remove(0).1;
    for profile in [Profile::Run, Profile::Build] {
        let limits = if profile == Profile::Run { Limits::run(10_000) } else { Limits::build(10_000) };
        let mut session = place.slot.open(&program(profile, &content)).expect("a session opens");
        // The kernel refuses to start it, and a source made it so: no fault of ours.
        let outcome = session.run(&RunSpec::new(Stdin::Null, limits)).expect("the sandbox holds");
        assert_eq!((outcome.report.end, outcome.report.exit), (End::Finished, Exit::Exited(127)));
        drop(session);
        assert_clean(&mut place, &clean);
    }
}

#[test]
fn b112_a_name_is_only_a_name() {
    let mut place = Place::new();
    let odd = [
        "-o",
        "a b",
        "x;id;",
        "$(id)",
        "new\nline",
        "`id`",
        "@file",
        "-fplugin=x",
        "*",
        "\u{202e}c.a",
        "d/e/f",
    ];
    let job = Job {
        profile: Profile::Build,
        root: system(),
        files: odd.iter().map(|name| file(name, name.as_bytes())).collect(),
        directories: Vec::new(),
        needs: Needs::default(),
        argv: strings(&["/usr/bin/find", "/w", "-type", "f", "-printf", "%P\\0"]),
        env: Vec::new(),
        warm: false,
    };
    let mut session = place.slot.open(&job).expect("a session opens");
    let mut spec = RunSpec::new(Stdin::Null, Limits::build(10_000));
    spec.collect = odd.iter().map(|name| Collect { name: (*name).to_owned(), bytes_max: 100 }).collect();
    let outcome = session.run(&spec).expect("it runs");
    let text = stdout(&outcome);
    let mut names: Vec<&str> = text.split_terminator('\0').collect();
    names.sort_unstable();
    let mut expected = odd.to_vec();
    expected.sort_unstable();
    assert_eq!(names, expected, "{}", String::from_utf8_lossy(&outcome.stderr));
    for (name, content) in &outcome.files {
        assert_eq!(content.read_all().expect("it is sealed"), name.as_bytes());
    }
    assert_eq!(outcome.files.len(), odd.len());
    drop(session);
    // And what is no plain name never comes so far.
    for name in ["../x", "/x", "a/../../x", "a//../x", "x\0y", ""] {
        let mut job = python(Profile::Build, "");
        job.files.push(file("x", b""));
        job.files[1].name = name.to_owned();
        assert!(matches!(place.slot.open(&job), Err(SandboxError::InvalidJob(_))), "{name:?}");
    }
}

#[test]
fn b114_a_script_or_a_huge_file_in_place_of_the_program() {
    // The size of a file is limited, so that this one is never made large.
    let (outcome, _) = leave("truncate -s 100G out; true");
    assert!(outcome.files.iter().all(|(_, content)| content.is_empty()));
    // A script is a plain file; whoever runs it runs a shell as confined as any program.
    let (outcome, _) =
        leave("printf '#!/bin/sh\\ncat /etc/passwd; /bin/true; echo done\\n' > out; chmod 755 out");
    let [(_, content)] = outcome.files.try_into().expect("it is a file");
    let mut place = Place::new();
    let mut session = place.slot.open(&program(Profile::Run, &content)).expect("a session opens");
    let outcome = session.run(&RunSpec::new(Stdin::Null, Limits::run(10_000))).expect("the sandbox holds");
    assert!(!stdout(&outcome).contains("root:"), "{}", stdout(&outcome));
    assert_eq!(outcome.report.processes_reaped, 1);
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
        needs: Needs::default(),
        argv: strings(&["/bin/sh", "-c", script]),
        env: vec![("PATH".to_owned(), "/usr/bin".to_owned())],
        warm: false,
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

/// The owner of a directory can close it even to those who are to look into it afterwards: that is its own loss.
#[test]
fn b073_a_closed_directory_closes_nobody_else_out() {
    let (outcome, reason) = leave("echo x > out; chmod 0 /w");
    assert_eq!((outcome.report.exit, reason), (Exit::Exited(0), Some(CollectFailure::Unreadable)));
    let (all, left) = leave_all("", "echo x > a; chmod 0 /w");
    assert_eq!(all, []);
    assert_eq!(left.iter().map(|(_, reason)| *reason).collect::<Vec<_>>(), [CollectFailure::Unreadable]);
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
        needs: Needs::default(),
        argv: strings(&["/bin/sh", "-c", "ls -A /w /tmp; echo x > left; echo $$"]),
        env: vec![("PATH".to_owned(), "/usr/bin".to_owned())],
        warm: false,
    };
    let mut session = place.slot.open(&job).expect("a session opens");
    let spec = RunSpec::new(Stdin::Null, Limits::build(2000));
    let first = stdout(&session.run(&spec).expect("it runs"));
    let second = stdout(&session.run(&spec).expect("it runs again"));
    assert_eq!(first, second);
    assert!(!first.contains("left"));
}

type Named<T> = Vec<(String, T)>;

/// Runs a shell script in a build and says what came of all that is in `directory`, at most 4 files of 100 bytes.
#[track_caller]
fn leave_all(directory: &str, script: &str) -> (Named<Vec<u8>>, Named<CollectFailure>) {
    let mut place = Place::new();
    let job = Job {
        profile: Profile::Build,
        root: system(),
        files: Vec::new(),
        directories: vec!["d".to_owned()],
        needs: Needs::default(),
        argv: strings(&["/bin/sh", "-c", script]),
        env: vec![("PATH".to_owned(), "/usr/bin".to_owned())],
        warm: false,
    };
    let mut session = place.slot.open(&job).expect("a session opens");
    let mut spec = RunSpec::new(Stdin::Null, Limits { tmpfs_bytes: 4 << 20, ..Limits::build(2000) });
    spec.collect_all = Some(CollectAll { directory: directory.to_owned(), files_max: 4, bytes_max: 100 });
    let outcome = session.run(&spec).expect("the sandbox holds");
    let files = outcome.files.into_iter().map(|(name, file)| (name, file.read_all().expect("it is sealed")));
    let left = outcome.report.uncollected.into_iter().map(|left| (left.name, left.reason));
    (files.collect(), left.collect())
}

#[test]
fn b071_a_directory_is_collected_without_its_links() {
    let named = |name: &str, bytes: &[u8]| (name.to_owned(), bytes.to_vec());
    let left = |name: &str, reason| vec![(name.to_owned(), reason)];
    let script = "echo b > d/b; mkdir -p d/x/y; echo c > d/x/y/c; echo a > d/a; echo no > e";
    let (files, uncollected) = leave_all("d", script);
    assert_eq!(files, [named("d/a", b"a\n"), named("d/b", b"b\n"), named("d/x/y/c", b"c\n")]);
    assert_eq!(uncollected, []);
    let (files, _) = leave_all("", script);
    assert_eq!(files[0], named("e", b"no\n"));
    assert_eq!(leave_all("d", "true"), (vec![], vec![]));
    assert_eq!(leave_all("d", "ln -s /etc/passwd d/p").1, left("d/p", CollectFailure::Link));
    assert_eq!(leave_all("d", "ln -s /usr d/p").1, left("d/p", CollectFailure::Link));
    assert_eq!(leave_all("d", "rmdir d; ln -s /usr d").1, left("d", CollectFailure::NotRegular));
    assert_eq!(leave_all("d", "rmdir d").1, left("d", CollectFailure::Missing));
    assert_eq!(leave_all("d", "echo x > y; ln y d/y").1, left("d/y", CollectFailure::HardLinked));
    assert_eq!(leave_all("d", "head -c 101 /dev/zero > d/z").1, left("d/z", CollectFailure::TooLarge));
    let both = leave_all("d", "head -c 60 /dev/zero > d/y; head -c 60 /dev/zero > d/z");
    assert_eq!((both.0.len(), both.1), (1, left("d/z", CollectFailure::TooLarge)));
    let many = leave_all("d", "for i in 1 2 3 4 5; do echo $i > d/$i; done");
    assert_eq!((many.0.len(), many.1), (4, left("d", CollectFailure::TooMany)));
    // Neither a deep nest nor a crowd of what cannot be taken is more than a few reasons.
    let nest = "p=d; for i in $(seq 40); do p=$p/n; done; mkdir -p $p; echo x > $p/x";
    assert_eq!(leave_all("d", nest).1.len(), 1);
    let crowd = leave_all("d", "for i in $(seq 400); do ln -s x d/$i; done").1;
    assert_eq!((crowd.len(), &crowd[16..]), (17, &left("d", CollectFailure::TooMany)[..]));
    assert_eq!(leave_all("d", "touch d/$(printf 'a\\377')").1, left("d", CollectFailure::Unreadable));
}

/// As make starts compilers: with the ids that it has, which is no right to any other.
#[test]
fn programs_may_be_started_with_the_ids_that_there_are() {
    let mut place = Place::new();
    let source = "
import os
ended = os.posix_spawn('/usr/bin/true', ['true'], {}, resetids=True)
assert os.waitpid(ended, 0)[1] == 0
for ids in [(0, 0, 0), (-1, 0, -1), (1, 1, 1), (2, 2, 2)]:
    for call in (os.setresuid, os.setresgid):
        try: call(*ids); print('ESCAPED', call, ids)
        except OSError: pass
print('done')
";
    let job = python(Profile::Build, source);
    let mut session = place.slot.open(&job).expect("a session opens");
    let limits = Limits { processes: 16, ..Limits::build(10_000) };
    let outcome = session.run(&RunSpec::new(Stdin::Null, limits)).expect("it runs");
    assert_eq!(stdout(&outcome), "done\n", "{}", String::from_utf8_lossy(&outcome.stderr));
}
