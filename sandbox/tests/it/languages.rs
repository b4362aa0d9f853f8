//! Attacks by way of a language's own runtime: interpreters, virtual machines, shells.

use std::path::Path;

use assize_sandbox::*;

use crate::harness::*;

fn run(job: &Job, limits: Limits) -> Outcome {
    let mut place = Place::new();
    let mut session = place.slot.open(job).expect("a session opens");
    session.run(&RunSpec::new(Stdin::Null, limits)).expect("the sandbox holds")
}

fn job(profile: Profile, argv: &[&str], files: Vec<JobFile>) -> Job {
    let env = vec![("PATH".to_owned(), "/usr/bin".to_owned())];
    Job {
        profile,
        root: system(),
        files,
        directories: Vec::new(),
        needs: Needs::default(),
        argv: strings(argv),
        env,
        warm: false,
    }
}

/// Whether this host has `program`; says loudly that a test is skipped where it has not.
fn has(program: &str) -> bool {
    let there = Path::new(program).exists();
    if !there {
        println!("SKIPPED: this host has no {program}");
    }
    there
}

#[test]
fn a116_files_beside_the_program_do_not_poison_the_interpreter() {
    let poison = b"print('ESCAPED')";
    for profile in [Profile::Run, Profile::Build] {
        let mut job = python(profile, "import os, json, random; print('contained')");
        for name in
            ["sitecustomize.py", "usercustomize.py", "x.pth", "os.py", "json.py", "random.py", "python3.py"]
        {
            job.files.push(file(name, poison));
        }
        job.files.push(file("__pycache__/json.cpython-311.pyc", poison));
        job.files.push(file("pyvenv.cfg", b"home = /w"));
        job.files.push(file("lib/python3.11/os.py", poison));
        let limits = if profile == Profile::Run { Limits::run(10_000) } else { Limits::build(10_000) };
        let outcome = run(&job, limits);
        assert_eq!(stdout(&outcome), "contained\n", "{}", String::from_utf8_lossy(&outcome.stderr));
    }
}

#[test]
fn a117_the_seed_of_hashes_is_what_the_caller_says() {
    let source = std::fs::read_to_string(hostile("117_hash_seed.py")).expect("the source is there");
    let mut place = Place::new();
    for profile in [Profile::Run, Profile::Build] {
        let limits = if profile == Profile::Run { Limits::run(10_000) } else { Limits::build(10_000) };
        // Isolated mode would not read the variable.
        let mut job = python(profile, &source);
        job.argv = strings(&["/usr/bin/python3", "-sSB", "main.py"]);
        job.env = vec![("PYTHONHASHSEED".to_owned(), "0".to_owned())];
        let mut session = place.slot.open(&job).expect("a session opens");
        let said =
            [(); 3].map(|()| stdout(&session.run(&RunSpec::new(Stdin::Null, limits)).expect("it runs")));
        assert!(said[0].contains('['), "{said:?}");
        assert!(said.iter().all(|text| *text == said[0]), "{said:?}");
    }
}

const JAVAC: &str = "/usr/bin/javac";

/// Compiles and runs Java sources in one build. In the script `$JAVAC` compiles, and `$JAVA` has the flags that a judge
/// would give. Without `/proc` the loader cannot find libraries beside a program, so their places are named.
fn java(script: &str, files: Vec<JobFile>, limits: Limits) -> Outcome {
    let home = Path::new(JAVAC).canonicalize().expect("a link leads somewhere");
    let home = home.ancestors().nth(2).expect("a JDK has a home").display().to_string();
    let java = format!("{home}/bin/java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx128m -Xss4m");
    let script = format!("JAVAC='{home}/bin/javac'; JAVA='{java}'; {script}");
    let mut job = job(Profile::Build, &["/bin/sh", "-c", &script], files);
    job.env.push(("LD_LIBRARY_PATH".to_owned(), format!("{home}/lib:{home}/lib/server")));
    let settings = std::fs::read_dir("/etc").into_iter().flatten().flatten().map(|entry| entry.path());
    job.root.extend(settings.filter(|path| path.to_string_lossy().starts_with("/etc/java-")));
    run(&job, limits)
}

/// Room for what a virtual machine reserves, where address space is what is limited.
fn java_limits() -> Limits {
    Limits { memory_bytes: 8 << 30, wall_ms: 120_000, ..Limits::build(60_000) }
}

#[test]
fn a118_java_is_as_confined_as_any() {
    if !has(JAVAC) {
        return;
    }
    let source = br#"
        import java.io.*; import java.net.*; import java.nio.file.*; import java.lang.reflect.*;
        public class Main {
            static int escaped = 0;
            interface Attempt { void run() throws Throwable; }
            static void fails(String name, Attempt attempt) {
                try { attempt.run(); escaped++; System.out.println("ESCAPED " + name); }
                catch (Throwable error) { System.out.println("denied " + name); }
            }
            public static void main(String[] arguments) throws Throwable {
                fails("passwd", () -> Files.readAllBytes(Path.of("/etc/passwd")));
                fails("traversal", () -> Class.forName("../../etc/passwd"));
                fails("network", () -> new Socket("127.0.0.1", 4222));
                fails("listen", () -> new ServerSocket(0));
                fails("jni", () -> System.load("/w/evil.so"));
                fails("library", () -> Files.write(Path.of("/usr/lib/x"), new byte[1]));
                fails("root", () -> Files.write(Path.of("/x"), new byte[1]));
                fails("unsafe", () -> {
                    Field field = Class.forName("jdk.internal.misc.Unsafe").getDeclaredField("theUnsafe");
                    field.setAccessible(true);
                });
                Process child = new ProcessBuilder("/usr/bin/env").redirectErrorStream(true).start();
                String environment = new String(child.getInputStream().readAllBytes());
                for (String line : environment.split("\n"))
                    if (!line.startsWith("PATH=") && !line.startsWith("PWD=") && !line.startsWith("_=") && !line.isEmpty()
                        && !line.startsWith("SHLVL=") && !line.startsWith("OLDPWD=") && !line.startsWith("JAVA")
                        && !line.startsWith("LD_LIBRARY_PATH") && !line.startsWith("NLSPATH")) {
                        escaped++;
                        System.out.println("ESCAPED " + line);
                    }
                System.out.println(escaped == 0 ? "contained" : "ESCAPED");
            }
        }
    "#;
    // Options from the environment of the judge, were they to get through, would be told on standard error.
    let outcome =
        java("$JAVAC Main.java && exec $JAVA -cp /w Main", vec![file("Main.java", source)], java_limits());
    let error = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(stdout(&outcome).ends_with("contained\n"), "{:?}\n{}{error}", outcome.report, stdout(&outcome));
    assert!(!stdout(&outcome).contains("ESCAPED"), "{}", stdout(&outcome));
    assert!(!error.contains("Picked up"), "{error}");
    assert_eq!(outcome.report.exit, Exit::Exited(0));
}

#[test]
fn a118_the_end_of_a_virtual_machine_is_a_code() {
    if !has(JAVAC) {
        return;
    }
    let source = b"public class Main { public static void main(String[] a) { System.out.println(1); System.exit(143); } }";
    let script = "$JAVAC Main.java && exec $JAVA -cp /w Main";
    let outcome = java(script, vec![file("Main.java", source)], java_limits());
    let error = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert_eq!((outcome.report.end, outcome.report.exit), (End::Finished, Exit::Exited(143)), "{error}");
    // A heap that is reserved and not used is no memory, where memory is what a cgroup counts.
    let script = "$JAVAC Main.java && exec $JAVA -Xmx30g -cp /w Main";
    let limits = Limits { memory_bytes: 1 << 30, ..java_limits() };
    let outcome = java(script, vec![file("Main.java", source)], limits);
    if outcome.report.layers.iter().any(|layer| layer.name == "memory_cgroup") {
        assert_eq!(outcome.report.exit, Exit::Exited(143), "{}", String::from_utf8_lossy(&outcome.stderr));
    } else {
        println!("SKIPPED: without a memory cgroup a reserved heap counts as memory");
    }
}

#[test]
fn a109_an_annotation_processor_is_confined_as_the_compiler_is() {
    if !has(JAVAC) {
        return;
    }
    let processor = br#"
        import java.nio.file.*; import java.util.*; import javax.annotation.processing.*; import javax.lang.model.element.*;
        @SupportedAnnotationTypes("*")
        public class Evil extends AbstractProcessor {
            public boolean process(Set<? extends TypeElement> types, RoundEnvironment round) {
                try { Files.readAllBytes(Path.of("/etc/passwd")); System.out.println("ESCAPED passwd"); }
                catch (Throwable error) { System.out.println("denied passwd"); }
                try { Files.write(Path.of("/usr/lib/x"), new byte[1]); System.out.println("ESCAPED write"); }
                catch (Throwable error) { System.out.println("denied write"); }
                try { new java.net.Socket("127.0.0.1", 1); System.out.println("ESCAPED socket"); }
                catch (Throwable error) { System.out.println("denied socket"); }
                return false;
            }
        }
    "#;
    let files = vec![file("Evil.java", processor), file("Main.java", b"public class Main {}")];
    let script = "$JAVAC -proc:none Evil.java && exec $JAVAC -cp /w -processor Evil Main.java";
    let outcome = java(script, files, java_limits());
    let text = stdout(&outcome);
    assert!(text.contains("denied passwd") && text.contains("denied socket"), "{text}{:?}", outcome.report);
    assert!(!text.contains("ESCAPED"), "{text}");
}

#[test]
fn a119_a_runtime_with_too_few_threads_fails_as_itself() {
    if !has(JAVAC) {
        return;
    }
    let source = b"public class Main { public static void main(String[] a) { System.out.println(42); } }";
    let script = "$JAVAC Main.java && $JAVA -cp /w Main";
    // With the room that a language is given it works…
    let outcome = java(script, vec![file("Main.java", source)], Limits { processes: 64, ..java_limits() });
    assert_eq!(stdout(&outcome), "42\n", "{}", String::from_utf8_lossy(&outcome.stderr));
    // …and with too little it ends by itself and says so: no limit is blamed, and the slot goes on.
    let outcome = java(script, vec![file("Main.java", source)], Limits { processes: 4, ..java_limits() });
    assert_ne!(stdout(&outcome), "42\n");
    assert_eq!(outcome.report.end, End::Finished, "{:?}", outcome.report);
    assert_ne!(outcome.report.exit, Exit::Exited(0));
}

#[test]
fn a120_node_has_its_compiler_and_no_secrets() {
    if !has("/usr/bin/node") {
        return;
    }
    let source = br#"
        let x = 0; for (let i = 0; i < 1e7; i++) x = (x * 31 + i) | 0;
        const { execSync } = require('child_process');
        const child = require('child_process');
        console.log('environment:');
        console.log(child.execSync('/usr/bin/printenv').toString().trim());
        console.log('end');
        const fs = require('fs');
        for (const path of ['/etc/passwd', '/proc/self/environ', '/root'])
            try { fs.readFileSync(path); console.log('ESCAPED', path); } catch (error) { console.log('denied', path); }
        const socket = require('net').connect(4222, '127.0.0.1');
        socket.on('connect', () => { console.log('ESCAPED'); process.exit(1); });
        socket.on('error', () => { console.log('contained'); process.exit(0); });
    "#;
    let job = job(Profile::Build, &["/usr/bin/node", "main.js"], vec![file("main.js", source)]);
    let outcome = run(&job, Limits { memory_bytes: 2 << 30, wall_ms: 120_000, ..Limits::build(30_000) });
    let text = stdout(&outcome);
    let error = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(text.ends_with("contained\n"), "{:?}\n{text}{error}", outcome.report);
    assert!(text.contains("environment:\nPATH=/usr/bin\n"), "{text}");
    assert!(!text.contains("ESCAPED"), "{text}");
}

#[test]
fn a121_shells_start_programs_only_where_many_processes_are_meant() {
    let script = "cat <<EOF\nhere\nEOF\nawk 'BEGIN { system(\"echo awk\") }'\nperl -e 'system(\"echo perl\")'\necho end";
    let build = run(&job(Profile::Build, &["/bin/sh", "-c", script], Vec::new()), Limits::build(10_000));
    let text = stdout(&build);
    assert!(text.starts_with("here\n") && text.ends_with("end\n"), "{text}");
    let outcome = run(&job(Profile::Run, &["/bin/sh", "-c", script], Vec::new()), Limits::run(10_000));
    assert_eq!(stdout(&outcome), "", "{}", String::from_utf8_lossy(&outcome.stderr));
    assert_ne!(outcome.report.exit, Exit::Exited(0));
    assert_eq!(outcome.report.processes_reaped, 1);
}
