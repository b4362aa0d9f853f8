//! What every test needs: a keeper of its own, programs compiled inside the sandbox, and a clean run to compare with.

use std::hash::{Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use assize_sandbox::*;

const FLAGS: &[&str] = &["-O1", "-w", "-static", "-pthread"];
/// Enough for an emulated machine, and for what a compiler must be stopped at.
const COMPILE_CPU_MS: u64 = 20_000;

/// A keeper with one slot; dropping it checks that its cgroups went with it.
pub(crate) struct Place {
    pub(crate) slot: Slot,
    keeper: Option<Keeper>,
    pid: u32,
    /// Programs of this host that were made for the test.
    kept: Vec<tempfile::TempDir>,
}

impl Place {
    pub(crate) fn new() -> Place {
        let mut keeper = keeper(1);
        let slot = keeper.take_slot().expect("a keeper of one slot has one");
        let pid = keeper.pid();
        Place { slot, keeper: Some(keeper), pid, kept: Vec::new() }
    }

    pub(crate) fn keeper_pid(&self) -> u32 {
        self.pid
    }

    /// Compiles `source`, statically, the way a submission is compiled. What was compiled once is kept beside the build
    /// of these tests: on a slow machine, compilers take most of the time.
    pub(crate) fn compile(&mut self, source: &str) -> SealedFile {
        self.compile_as(source, FLAGS, &[])
    }

    /// A job that runs `source` as what an interpreter is given: linked with one, a program of the host, which is it
    /// once it has opened its own.
    pub(crate) fn interpreted(&mut self, source: &str) -> Job {
        let flags = [FLAGS, &["-Dmain=guest_main", "-c"]].concat();
        let guest = self.compile_as(source, &flags, &[]);
        let flags = [FLAGS, &["guest.o", if source.ends_with(".cpp") { "-lstdc++" } else { "-lc" }]].concat();
        let interpreter = self.compile_as("interpreter.c", &flags, &[("guest.o", &guest)]);
        let place = tempfile::tempdir().expect("there is room for a program");
        let path = place.path().join("interpreter");
        let bytes = interpreter.read_all().expect("it is sealed");
        std::fs::write(&path, bytes).expect("there is room for a program");
        for path in [place.path(), &path] {
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(path, mode).expect("what is ours can be opened");
        }
        let name = path.to_str().expect("temporary names are text").to_owned();
        let root = system().into_iter().chain([path]).collect();
        self.kept.push(place);
        let files = vec![file("interpreted", b"")];
        let (profile, argv) = (Profile::Run, vec![name]);
        Job {
            profile,
            root,
            files,
            directories: Vec::new(),
            needs: Needs::default(),
            argv,
            env: Vec::new(),
            warm: true,
        }
    }

    /// Whether interpreters can be started ahead here; says so if not.
    pub(crate) fn can_warm(&self) -> bool {
        let host = self.keeper.as_ref().expect("the keeper lives").host();
        let fact = host.facts.iter().find(|fact| fact.name == "warm_interpreters");
        let fact = fact.expect("the doctor looks for it");
        let can = fact.state == doctor::FactState::Good;
        if !can {
            println!("SKIPPED: {}", fact.found);
        }
        can
    }

    fn compile_as(&mut self, source: &str, flags: &[&str], with: &[(&str, &SealedFile)]) -> SealedFile {
        let text = std::fs::read(hostile(source)).expect("the source is there");
        let header = std::fs::read(hostile("hostile.h")).expect("the header is there");
        let mut hasher = std::hash::DefaultHasher::new();
        (&text, &header, flags).hash(&mut hasher);
        for (_, content) in with {
            content.read_all().expect("it is sealed").hash(&mut hasher);
        }
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{source}-{:016x}", hasher.finish()));
        if let Ok(program) = std::fs::read(&kept) {
            return SealedFile::from_bytes(source, &program).expect("a memfd can be made");
        }
        let outcome = self.build_as(source, &text, flags, with);
        let error = String::from_utf8_lossy(&outcome.stderr).into_owned();
        // A compiler that was ended by a limit may leave half a program.
        assert_eq!(
            (outcome.report.end, outcome.report.exit),
            (End::Finished, Exit::Exited(0)),
            "{source} does not compile: {error}"
        );
        let [(_, program)] =
            outcome.files.try_into().unwrap_or_else(|_| panic!("{source} leaves no program: {error}"));
        // Whole or not at all, and no matter if not: another user may own the place.
        let half = kept.with_extension(format!("{}.half", std::process::id()));
        if std::fs::write(&half, program.read_all().expect("it is sealed")).is_ok() {
            let _ = std::fs::rename(&half, &kept);
        }
        program
    }

    /// Compiles `text` and says how it went.
    pub(crate) fn build(&mut self, name: &str, text: &[u8]) -> Outcome {
        self.build_as(name, text, FLAGS, &[])
    }

    fn build_as(&mut self, name: &str, text: &[u8], flags: &[&str], with: &[(&str, &SealedFile)]) -> Outcome {
        let compiler = if name.ends_with(".cpp") { "/usr/bin/g++" } else { "/usr/bin/gcc" };
        let header = std::fs::read(hostile("hostile.h")).expect("the header is there");
        let mut files = vec![file(name, text), file("hostile.h", &header)];
        for (name, content) in with {
            let content = content.try_clone().expect("a descriptor can be copied");
            files.push(JobFile { name: (*name).to_owned(), content, executable: false });
        }
        let job = Job {
            profile: Profile::Build,
            root: system(),
            files,
            directories: Vec::new(),
            needs: Needs::default(),
            argv: [&[compiler, "-o", "program", name], flags]
                .concat()
                .iter()
                .map(|word| (*word).to_owned())
                .collect(),
            env: vec![("PATH".to_owned(), "/usr/bin".to_owned())],
            warm: false,
        };
        let mut session = self.slot.open(&job).expect("a build session opens");
        let mut spec = RunSpec::new(Stdin::Null, Limits::build(COMPILE_CPU_MS));
        spec.collect = vec![Collect { name: "program".to_owned(), bytes_max: 64 << 20 }];
        session.run(&spec).expect("the compiler runs")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.keeper = None;
        if std::thread::panicking() {
            return;
        }
        for hierarchy in std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
            let left = hierarchy.path().join(format!("assize-{}", self.pid));
            assert!(!left.exists(), "{} was left behind", left.display());
        }
    }
}

pub(crate) fn keeper(slots: usize) -> Keeper {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_assize-sandbox"));
    Keeper::start(KeeperConfig { binary, slots, pin: false, policy: Policy::default() })
        .expect("a keeper starts")
}

pub(crate) fn hostile(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile").join(name)
}

pub(crate) fn file(name: &str, content: &[u8]) -> JobFile {
    let content = SealedFile::from_bytes(name, content).expect("a memfd can be made");
    JobFile { name: name.to_owned(), content, executable: false }
}

/// The host's programs and libraries, as far as this host has them.
pub(crate) fn system() -> Vec<PathBuf> {
    let usual = ["/usr", "/bin", "/lib", "/lib64", "/etc/alternatives"].map(PathBuf::from);
    usual.into_iter().filter(|path| path.symlink_metadata().is_ok()).collect()
}

pub(crate) fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A job for a compiled program; `/usr` is there so that there is something to attack.
pub(crate) fn program(profile: Profile, content: &SealedFile) -> Job {
    let content = content.try_clone().expect("a descriptor can be copied");
    let files = vec![JobFile { name: "self".to_owned(), content, executable: true }];
    Job {
        profile,
        root: system(),
        files,
        directories: Vec::new(),
        needs: Needs::default(),
        argv: strings(&["./self"]),
        env: Vec::new(),
        warm: false,
    }
}

/// A job for a Python source.
pub(crate) fn python(profile: Profile, source: &str) -> Job {
    Job {
        profile,
        root: system(),
        files: vec![file("main.py", source.as_bytes())],
        directories: Vec::new(),
        needs: Needs::default(),
        argv: strings(&["/usr/bin/python3", "-ISB", "main.py"]),
        env: Vec::new(),
        warm: false,
    }
}

/// Limits that let a test be quick.
pub(crate) fn limits(profile: Profile) -> Limits {
    match profile {
        Profile::Run => {
            Limits { wall_ms: 1500, memory_bytes: 128 << 20, stdout_bytes: 4 << 20, ..Limits::run(500) }
        }
        Profile::Build => Limits {
            wall_ms: 1500,
            memory_bytes: 128 << 20,
            stdout_bytes: 4 << 20,
            tmpfs_bytes: 64 << 20,
            stack_bytes: None,
            ..Limits::build(500)
        },
    }
}

pub(crate) fn stdout(outcome: &Outcome) -> String {
    String::from_utf8_lossy(&outcome.stdout.read_all().expect("a sealed file can be read")).into_owned()
}

/// Runs a program that must behave as if nothing had ever happened.
#[track_caller]
pub(crate) fn assert_clean(place: &mut Place, clean: &SealedFile) {
    let mut session = place.slot.open(&program(Profile::Run, clean)).expect("a clean session opens");
    let outcome = session.run(&RunSpec::new(Stdin::Null, Limits::run(10_000))).expect("a clean program runs");
    assert_eq!(stdout(&outcome), "contained\n", "{:?}", outcome.report);
    assert_eq!(outcome.report.end, End::Finished);
    assert_eq!(outcome.report.exit, Exit::Exited(0));
    assert_eq!(outcome.report.processes_reaped, 1);
    // Nothing of what ran before: what is left is the size of the cell, which is more in a debug build.
    assert!(outcome.report.memory_bytes_peak < 8 << 20, "{:?}", outcome.report);
}
