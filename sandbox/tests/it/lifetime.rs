//! Nothing outlives what it belongs to, and nothing grows.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use assize_sandbox::*;

use crate::harness::*;

/// Processes whose arguments contain `token`.
fn with_token(token: &str) -> Vec<u32> {
    let all = fs::read_dir("/proc").expect("/proc is there").flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(token))
        })
        .collect()
}

#[track_caller]
fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited in vain until {what}");
        std::thread::yield_now();
    }
}

/// Starts a program that sleeps, does `harm`, and expects the program to be gone and the caller to be told.
fn dies_after(token: &str, warm: bool, harm: impl FnOnce(&mut Option<Keeper>)) {
    let mut place = keeper(1);
    let mut slot = place.take_slot().expect("a slot");
    let mut job = python(Profile::Run, "import time\nwhile True: time.sleep(1000)");
    job.argv.push(token.to_owned());
    job.warm = warm;
    let runner = std::thread::spawn(move || {
        let mut session = slot.open(&job).expect("a session opens");
        let limits = Limits { wall_ms: 100_000, ..Limits::run(100_000) };
        session.run(&RunSpec::new(Stdin::Null, limits)).map(|outcome| outcome.report)
    });
    let mut place = Some(place);
    // The program is the only one that bears the token: cells bear the keeper's arguments.
    until("the program runs", || !with_token(token).is_empty());
    harm(&mut place);
    let result = runner.join().expect("the thread ends");
    assert!(matches!(result, Err(SandboxError::Lost { .. })), "{result:?}");
    until("the program is gone", || with_token(token).is_empty());
}

#[test]
fn a_run_dies_with_its_judge() {
    dies_after("token-of-dropped-keeper", false, |keeper| *keeper = None);
    dies_after("token-of-dropped-warm-keeper", true, |keeper| *keeper = None);
}

#[test]
fn a_run_dies_with_its_keeper() {
    for (token, warm) in [("token-of-killed-keeper", false), ("token-of-killed-warm-keeper", true)] {
        dies_after(token, warm, |keeper| {
            let pid = keeper.as_ref().expect("it lives").pid();
            Command::new("/bin/kill").args(["-9", &pid.to_string()]).status().expect("kill is there");
        });
    }
}

/// What is in a slot's group dies with the keeper, even if it depends on nothing else of the sandbox's.
#[test]
fn a_group_is_killed_as_one() {
    let keeper = keeper(1);
    let kill = keeper.host().facts.iter().find(|fact| fact.name == "cgroup_kill").expect("it is looked for");
    if kill.state != doctor::FactState::Good {
        println!("SKIPPED: {}", kill.found);
        return;
    }
    // The warden enters the group when it starts.
    let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(std::path::Path::new);
    let slot = || {
        let pid = keeper.pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        let warden = children.split_whitespace().next()?;
        let groups = fs::read_to_string(format!("/proc/{warden}/cgroup")).ok()?;
        let own =
            groups.lines().find_map(|line| line.strip_prefix("0::/").filter(|own| own.contains("slot")))?;
        roots.map(|root| root.join(own)).into_iter().find(|slot| slot.join("cgroup.kill").exists())
    };
    until("the slot has a group", || slot().is_some());
    let slot = slot().expect("it has one now");
    let mut stranger = Command::new("/bin/sleep").arg("1000").spawn().expect("sleep is there");
    fs::write(slot.join("cgroup.procs"), stranger.id().to_string()).expect("a process can be moved");
    drop(keeper);
    let status = stranger.wait().expect("it is our child");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGKILL));
    assert!(!slot.exists(), "{}", slot.display());
}

#[test]
fn slots_run_at_the_same_time() {
    let mut keeper = keeper(3);
    let slots: Vec<Slot> = std::iter::from_fn(|| keeper.take_slot()).collect();
    assert_eq!(slots.len(), 3);
    let barrier = std::sync::Arc::new(std::sync::Barrier::new(3));
    let threads: Vec<_> = slots
        .into_iter()
        .map(|mut slot| {
            let barrier = std::sync::Arc::clone(&barrier);
            std::thread::spawn(move || {
                let job = python(Profile::Run, "import time; time.sleep(0.3); print('done')");
                let mut session = slot.open(&job).expect("a session opens");
                barrier.wait();
                stdout(&session.run(&RunSpec::new(Stdin::Null, Limits::run(10_000))).expect("it runs"))
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().expect("the thread ends"), "done\n");
    }
}

#[test]
fn tie_ends_a_command_with_its_parent() {
    let binary = env!("CARGO_BIN_EXE_assize-sandbox");
    let token = "77777.125";
    let script = format!("{binary} tie -- sleep {token} & echo $!; read x");
    let mut shell = Command::new("/bin/sh")
        .args(["-c", &script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("a shell starts");
    let runs = || {
        with_token(token)
            .iter()
            .any(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n"))
    };
    until("the command runs", runs);
    shell.kill().expect("it can be killed");
    shell.wait().expect("it ends");
    until("the command is gone", || !runs());
}
