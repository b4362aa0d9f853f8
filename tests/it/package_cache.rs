//! The worker's packages: bounded, shared, checked when read, fetched again when damaged or late.

use std::fs;
use std::path::{Path, PathBuf};

use assize::domain::event::{Event, ProblemPublished};
use assize::domain::verdict::Verdict;
use assize::nats_server::Role;
use assize::package_cache::{CacheError, PackageCache};
use assize::store::jetstream::JetStreamStore;
use assize::store::{Aggregate, EventStore, StoreError};
use assize::worker::packages::JudgePackages;
use futures::StreamExt;

use crate::harness::judge::{PATIENCE, TestJudge, canonical_archive, sample_package};

const ADD: &str = "a, b = map(int, input().split())\nprint(a + b)\n";

async fn published(judge: &TestJudge, problem: &str) -> ProblemPublished {
    judge.publish(problem).await;
    judge.judge.problem(&problem.parse().unwrap()).await.unwrap().unwrap()
}

fn cache(judge: &TestJudge) -> PathBuf {
    judge.nats.root().join("cache/packages")
}

/// Changes a byte and nothing else.
fn spoil(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes[0] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Asserts that no attempt at any judging failed.
async fn assert_no_failure(judge: &TestJudge, id: assize::domain::ids::SubmissionId) {
    let history = judge.store.load(&Aggregate::Submission(id)).await.unwrap();
    let failed = |recorded: &assize::domain::event::Recorded| {
        matches!(recorded.envelope.event, Event::JudgingFailed(_))
    };
    assert!(!history.iter().any(failed), "{history:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_package_is_fetched_again_and_costs_no_attempt() {
    let judge = TestJudge::start().await;
    let revision = published(&judge, "a").await;
    let root = cache(&judge).join(revision.package.to_string());
    let worker = judge.worker("w1", 1).await;
    let first = judge.submit("a", "python3", ADD).await;
    assert_eq!(judge.verdict(first).await.verdict, Verdict::Ac);
    worker.stop().await;
    for damaged in ["data/secret/07-unsigned-max.ans", "data/secret/09-largest.in", "problem.yaml", ".files"]
    {
        spoil(&root.join(damaged));
        let worker = judge.worker("w1", 1).await;
        let id = judge.submit("a", "python3", ADD).await;
        assert_eq!(judge.verdict(id).await.verdict, Verdict::Ac, "{damaged}");
        assert_no_failure(&judge, id).await;
        worker.stop().await;
        assert_eq!(canonical_archive(&root).0, revision.package.to_string(), "{damaged}");
    }
    fs::remove_dir_all(root.join("data")).unwrap();
    let worker = judge.worker("w1", 1).await;
    let id = judge.submit("a", "python3", ADD).await;
    assert_eq!(judge.verdict(id).await.verdict, Verdict::Ac);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_vanishes_under_a_running_worker_is_fetched_again() {
    let judge = TestJudge::start().await;
    let revision = published(&judge, "a").await;
    let root = cache(&judge).join(revision.package.to_string());
    let worker = judge.worker("w1", 1).await;
    // Stops at the first testcase, so that the later ones are not in memory.
    let first = judge.submit("a", "python3", "print(0)").await;
    assert_eq!(judge.verdict(first).await.verdict, Verdict::Wa);
    spoil(&root.join("data/secret/05-int-max.in"));
    let second = judge.submit("a", "python3", ADD).await;
    assert_eq!(judge.verdict(second).await.verdict, Verdict::Ac);
    assert_no_failure(&judge, second).await;
    assert_eq!(canonical_archive(&root).0, revision.package.to_string());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_least_recently_used_goes_and_never_one_in_use() {
    let judge = TestJudge::start().await;
    let mut revisions = Vec::new();
    for problem in ["a", "brackets", "climb"] {
        revisions.push(published(&judge, problem).await);
    }
    let folder = cache(&judge);
    let held = |revision: &ProblemPublished| folder.join(revision.package.to_string()).is_dir();
    // Nothing fits, so whatever is not in use goes when the next one comes.
    let cache = PackageCache::new(folder.clone(), 1);
    let a = cache.get(&judge.store, &revisions[0]).await.unwrap();
    drop(cache.get(&judge.store, &revisions[1]).await.unwrap());
    assert!(held(&revisions[0]) && held(&revisions[1]), "both were in use when they came");
    let climb = cache.get(&judge.store, &revisions[2]).await.unwrap();
    assert!(held(&revisions[0]) && !held(&revisions[1]) && held(&revisions[2]));
    assert!(a.read("problem.yaml").is_ok());
    drop((a, climb));
    // With room for two, the one used longest ago goes.
    let bytes = |folder: PathBuf| -> u64 {
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut folders: Vec<PathBuf> = files.collect();
        let mut bytes = 0;
        while let Some(path) = folders.pop() {
            match path.is_dir() {
                true => folders.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path())),
                false => bytes += fs::metadata(path).unwrap().len(),
            }
        }
        bytes
    };
    let room = bytes(sample_package("a")) + bytes(sample_package("brackets"));
    let cache = PackageCache::new(folder.clone(), room);
    drop(cache.get(&judge.store, &revisions[0]).await.unwrap());
    fs::create_dir(folder.join(".fetching-and-killed")).unwrap();
    drop(cache.get(&judge.store, &revisions[1]).await.unwrap());
    assert!(held(&revisions[0]) && held(&revisions[1]) && !held(&revisions[2]));
    let mut left: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    let expected = [".fetch", ".lock"].map(str::to_owned);
    assert_eq!(left[..2], expected, "what fetches leave is cleared away: {left:?}");
    assert_eq!(left.len(), 4, "{left:?}");
    // A worker that has packages at hand uses them, and does not for that keep more than there may be.
    fs::remove_dir_all(&folder).unwrap();
    let at_hand = JudgePackages::new(PackageCache::new(folder.clone(), 1));
    for revision in &revisions {
        at_hand.get(&judge.store, revision).await.unwrap();
    }
    assert!(!held(&revisions[0]) && held(&revisions[2]), "the first is neither in use nor has it room");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_one_folder_share_it() {
    let judge = TestJudge::start().await;
    let revision = published(&judge, "a").await;
    let gets = (0..8).map(|_| {
        let (cache, store, revision) =
            (PackageCache::new(cache(&judge), 1 << 30), judge.store.clone(), revision.clone());
        tokio::spawn(async move { cache.get(&store, &revision).await })
    });
    for package in futures::future::join_all(gets).await {
        let package = package.unwrap().unwrap();
        package.check(|_| false).unwrap();
        assert!(matches!(package.read("data/none"), Err(CacheError::NoFile { .. })));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_that_a_replica_does_not_have_yet_is_waited_for() {
    let judge = TestJudge::start().await;
    let revision = published(&judge, "a").await;
    let admin = JetStreamStore::connect(&judge.nats.settings(Role::Admin), PATIENCE).await.unwrap();
    let bucket = admin.context().get_object_store(&revision.object.bucket).await.unwrap();
    bucket.delete(&revision.object.name).await.unwrap();
    let worker = judge.worker("w1", 1).await;
    let client = judge.nats.client(Role::Api).await;
    let mut asked = client.subscribe("$JS.EVENT.ADVISORY.API").await.unwrap();
    client.flush().await.unwrap();
    let id = judge.submit("a", "python3", ADD).await;
    let looked_twice = async {
        let mut looked = 0;
        while looked < 2 {
            let advisory = asked.next().await.expect("the server goes on");
            let text = String::from_utf8_lossy(&advisory.payload).into_owned();
            looked += usize::from(text.contains("STREAM.INFO.OBJ_ASSIZE_PACKAGES"));
        }
    };
    tokio::time::timeout(PATIENCE, looked_twice).await.expect("the worker looks for the package");
    let (_, content) = canonical_archive(&sample_package("a"));
    judge.store.put_package(revision.package, &content).await.unwrap();
    assert_eq!(judge.verdict(id).await.verdict, Verdict::Ac);
    assert_no_failure(&judge, id).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_the_package_are_refused() {
    let judge = TestJudge::start().await;
    let revision = published(&judge, "a").await;
    let cache = PackageCache::new(cache(&judge), 1 << 30);
    let other = ProblemPublished { package: published(&judge, "climb").await.package, ..revision.clone() };
    for wrong in [other, ProblemPublished { package_bytes: revision.package_bytes - 512, ..revision.clone() }]
    {
        let got = cache.get(&judge.store, &wrong).await;
        assert!(matches!(got, Err(CacheError::Store(StoreError::Corrupt { .. }))), "{got:?}");
    }
    cache.get(&judge.store, &revision).await.unwrap();
}
