//! The private nats-server: who may do what on it, and that it is one, ours, and back after a crash.

use std::{fs, os::unix::fs::PermissionsExt, process::Command, time::Duration};

use assize::{
    data_dir::{DataDir, DataDirError},
    nats_server::{
        self, Auth, BinaryError, ConnectError, NatsServer, Options, Role, Secret, StartError, Status,
    },
};
use async_nats::{
    Client, HeaderMap,
    jetstream::{self, consumer, object_store, stream},
};
use futures::StreamExt;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::harness::nats::{TestNats, crash};

const SUBMISSION: &str = "assize.event.00.00sub1._.a.alice";
const SECOND: Duration = Duration::from_secs(1);

/// The streams as the design has them, in the fields that matter to rights.
async fn streams(nats: &TestNats) -> jetstream::Context {
    let admin = nats.jetstream(Role::Admin).await;
    admin
        .create_stream(stream::Config {
            name: "ASSIZE_00".into(),
            subjects: vec!["assize.event.00.>".into()],
            allow_direct: true,
            allow_atomic_publish: true,
            deny_delete: true,
            deny_purge: true,
            republish: Some(stream::Republish {
                source: "assize.event.>".into(),
                destination: "assize.live.>".into(),
                headers_only: false,
            }),
            ..Default::default()
        })
        .await
        .unwrap();
    admin
        .create_stream(stream::Config {
            name: "ASSIZE_BLOB".into(),
            subjects: vec!["assize.blob.*".into()],
            allow_direct: true,
            max_messages_per_subject: 1,
            discard: stream::DiscardPolicy::New,
            discard_new_per_subject: true,
            ..Default::default()
        })
        .await
        .unwrap();
    admin
        .create_object_store(object_store::Config { bucket: "ASSIZE_PACKAGES".into(), ..Default::default() })
        .await
        .unwrap();
    let events = admin.get_stream("ASSIZE_00").await.unwrap();
    events
        .create_consumer(consumer::pull::Config {
            durable_name: Some("w-live-standard".into()),
            filter_subject: "assize.event.*.*.*.*.*.cmd-live-standard".into(),
            ack_policy: consumer::AckPolicy::Explicit,
            ..Default::default()
        })
        .await
        .unwrap();
    admin
}

/// How many events are stored under a subject, whoever published them.
async fn stored(admin: &jetstream::Context, subject: &str) -> usize {
    let events = admin.get_stream("ASSIZE_00").await.unwrap();
    events.info_with_subjects(subject).await.unwrap().count().await
}

async fn append(role: &jetstream::Context, subject: String) -> Result<u64, jetstream::context::PublishError> {
    Ok(role.publish(subject, "{}".into()).await?.await?.sequence)
}

#[tokio::test]
async fn each_role_appends_its_own_kinds_and_no_other() {
    let nats = TestNats::start().await;
    let admin = streams(&nats).await;
    let kinds = ["cmd-live-standard", "cmd-rejudge-standard", "problem", "run", "verdict"];
    for (role, allowed) in [
        (Role::Admin, &kinds[..]),
        (Role::Api, &kinds[..3]),
        (Role::Worker, &kinds[3..]),
        (Role::Subscriber, &[]),
    ] {
        let context = nats.jetstream(role).await;
        for kind in kinds {
            let subject = format!("assize.event.00.00{role}._.a.alice.{kind}");
            if allowed.contains(&kind) {
                append(&context, subject).await.unwrap();
            } else {
                // A refusal has no answer: it is an event of the connection, and nothing stored.
                context.client().publish(subject, "{}".into()).await.unwrap();
            }
        }
        context.client().flush().await.unwrap();
        for kind in kinds {
            let subject = format!("assize.event.00.00{role}._.a.alice.{kind}");
            assert_eq!(stored(&admin, &subject).await, usize::from(allowed.contains(&kind)), "{role} {kind}");
        }
    }
}

#[tokio::test]
async fn no_answer_and_no_delivery_can_be_turned_into_an_event() {
    let nats = TestNats::start().await;
    let admin = streams(&nats).await;
    append(&admin, format!("{SUBMISSION}.cmd-live-standard")).await.unwrap();
    for role in [Role::Worker, Role::Subscriber] {
        let client = nats.client(role).await;
        let forged = format!("assize.event.00.00forged{role}._.a.alice.cmd-live-standard");
        // Each of these is a request that the role may make; JetStream would answer on the given subject.
        for (request, payload) in [
            ("STREAM.INFO.ASSIZE_00", ""),
            ("STREAM.MSG.GET.ASSIZE_00", r#"{"seq":1}"#),
            ("DIRECT.GET.ASSIZE_00", r#"{"seq":1}"#),
            ("CONSUMER.MSG.NEXT.ASSIZE_00.w-live-standard", r#"{"batch":1,"expires":100000000}"#),
            ("CONSUMER.INFO.ASSIZE_00.w-live-standard", ""),
        ] {
            // Under the role's own domain, and as one who does not know it would try.
            for prefix in ["$JS.ASSIZE.API", "$JS.API"] {
                let request = format!("{prefix}.{request}");
                client.publish_with_reply(request, forged.clone(), payload.into()).await.unwrap();
            }
        }
        // A consumer that would deliver onto an event's subject.
        let consumer = serde_json::json!({
            "stream_name": "ASSIZE_00",
            "config": { "name": "forger", "deliver_subject": "assize.blob.forged", "ack_policy": "none" },
        });
        let created = client.request("CONSUMER.CREATE.ASSIZE_00.forger", consumer.to_string().into()).await;
        assert!(created.is_err(), "{role}: {created:?}");
        client.flush().await.unwrap();
        tokio::time::sleep(SECOND / 4).await;
        assert_eq!(stored(&admin, &forged).await, 0, "{role}");
        let blobs = admin.get_stream("ASSIZE_BLOB").await.unwrap();
        assert_eq!(blobs.get_info().await.unwrap().state.messages, 0, "{role}");
    }
}

#[tokio::test]
async fn a_worker_takes_judgings_keeps_them_alive_and_finishes_them() {
    let nats = TestNats::start().await;
    streams(&nats).await;
    let api = nats.jetstream(Role::Api).await;
    let command = append(&api, format!("{SUBMISSION}.cmd-live-standard")).await.unwrap();
    let blob = "0123456789abcdef";
    api.publish(format!("assize.blob.{blob}"), "int main() {}".into()).await.unwrap().await.unwrap();
    let packages = api.get_object_store("ASSIZE_PACKAGES").await.unwrap();
    let package = vec![7_u8; 300_000];
    packages.put("digest", &mut package.as_slice()).await.unwrap();

    let worker = nats.jetstream(Role::Worker).await;
    let events = worker.get_stream("ASSIZE_00").await.unwrap();
    let consumer: consumer::PullConsumer = events.get_consumer("w-live-standard").await.unwrap();
    let mut judgings = consumer.stream().max_messages_per_batch(1).expires(SECOND).messages().await.unwrap();
    let taken = timeout(5 * SECOND, judgings.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(taken.subject.as_str(), format!("{SUBMISSION}.cmd-live-standard"));
    assert_eq!(taken.info().unwrap().stream_sequence, command);
    taken.ack_with(jetstream::AckKind::Progress).await.unwrap();

    // The source, by direct read of the last of its subject; the package, by an ordered consumer.
    let blobs = worker.get_stream("ASSIZE_BLOB").await.unwrap();
    let source = blobs.direct_get_last_for_subject(format!("assize.blob.{blob}")).await.unwrap();
    assert_eq!(source.payload.as_ref(), b"int main() {}");
    let packages = worker.get_object_store("ASSIZE_PACKAGES").await.unwrap();
    let mut read = Vec::new();
    timeout(5 * SECOND, packages.get("digest").await.unwrap().read_to_end(&mut read)).await.unwrap().unwrap();
    assert!(read == package, "{} bytes", read.len());

    // Conditional appends, the conflict, the tail from the leader, and the history of one submission.
    let filter = "assize.event.00.00sub1.>";
    let conditional = |tail: u64| {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", format!("run-{tail}").as_str());
        headers.insert("Nats-Expected-Last-Subject-Sequence", tail.to_string().as_str());
        headers.insert("Nats-Expected-Last-Subject-Sequence-Subject", filter);
        headers
    };
    let run = format!("{SUBMISSION}.run");
    let started =
        worker.publish_with_headers(run.clone(), conditional(command), "{}".into()).await.unwrap().await;
    let started = started.unwrap().sequence;
    let stale =
        worker.publish_with_headers(run.clone(), conditional(command - 1), "{}".into()).await.unwrap().await;
    assert_eq!(stale.unwrap_err().kind(), jetstream::context::PublishErrorKind::WrongLastSequence);
    let tail = events.get_last_raw_message_by_subject(filter).await.unwrap();
    assert_eq!(tail.sequence, started);
    let history = direct_batch(nats.client(Role::Worker).await, filter).await;
    assert_eq!(history, [command, started]);

    taken.double_ack().await.unwrap();
    let info = consumer.get_info().await.unwrap();
    assert_eq!((info.num_ack_pending, info.num_pending), (0, 0));

    // It tells the API that it lives; the API's core subscription crosses the accounts.
    let mut heartbeats = nats.client(Role::Api).await.subscribe("assize.worker.>").await.unwrap();
    let mut letters = nats.client(Role::Api).await.subscribe("assize.deadletter.>").await.unwrap();
    tokio::time::sleep(SECOND / 10).await;
    let client = nats.client(Role::Worker).await;
    client.publish("assize.worker.w1", "alive".into()).await.unwrap();
    client.publish("assize.deadletter.00sub1", "poison".into()).await.unwrap();
    assert_eq!(timeout(SECOND, heartbeats.next()).await.unwrap().unwrap().payload.as_ref(), b"alive");
    assert_eq!(timeout(SECOND, letters.next()).await.unwrap().unwrap().payload.as_ref(), b"poison");
}

/// A pull of a worker that died must not swallow a judging: the server has to see through the accounts that
/// nobody listens for the answer any more.
#[tokio::test]
async fn the_pull_of_a_dead_worker_takes_nothing() {
    let nats = TestNats::start().await;
    streams(&nats).await;
    let api = nats.jetstream(Role::Api).await;
    let settings = nats.settings(Role::Worker);
    for _ in 0..3 {
        let settings = settings.clone();
        let worker = std::thread::spawn(move || {
            let process = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            process.block_on(async {
                let mut judgings = pull(&settings, 30 * SECOND).await;
                assert!(timeout(SECOND / 5, judgings.next()).await.is_err(), "nothing to judge yet");
                // No goodbye: the socket closes with the runtime, as it does when a process is killed.
                std::mem::forget(judgings);
            });
        });
        worker.join().unwrap();
    }
    append(&api, format!("{SUBMISSION}.cmd-live-standard")).await.unwrap();
    let mut judgings = pull(&settings, SECOND).await;
    let taken = timeout(5 * SECOND, judgings.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(taken.info().unwrap().delivered, 1);
}

async fn pull(settings: &nats_server::ConnectSettings, expires: Duration) -> consumer::pull::Stream {
    let client = nats_server::connect(settings).await.unwrap();
    let events = nats_server::jetstream(&client, settings).get_stream("ASSIZE_00").await.unwrap();
    let consumer: consumer::PullConsumer = events.get_consumer("w-live-standard").await.unwrap();
    consumer.stream().max_messages_per_batch(1).expires(expires).messages().await.unwrap()
}

/// The sequences of everything under a filter, many messages in one request.
async fn direct_batch(client: Client, filter: &str) -> Vec<u64> {
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await.unwrap();
    let request = serde_json::json!({ "batch": 100, "seq": 1, "next_by_subj": filter }).to_string();
    client.publish_with_reply("$JS.ASSIZE.API.DIRECT.GET.ASSIZE_00", inbox, request.into()).await.unwrap();
    let mut sequences = Vec::new();
    loop {
        let answer = timeout(SECOND, answers.next()).await.unwrap().unwrap();
        match answer.headers.as_ref().and_then(|headers| headers.get("Nats-Sequence")) {
            Some(sequence) => sequences.push(sequence.as_str().parse().unwrap()),
            // The end of the batch has a status and no sequence.
            None => return sequences,
        }
    }
}

#[tokio::test]
async fn a_worker_cannot_make_or_unmake_consumers_and_streams() {
    let nats = TestNats::start().await;
    let admin = streams(&nats).await;
    for role in [Role::Worker, Role::Subscriber] {
        let client = nats.client(role).await;
        for request in [
            "STREAM.DELETE.ASSIZE_00",
            "STREAM.DELETE.ASSIZE_BLOB",
            "STREAM.PURGE.ASSIZE_BLOB",
            "STREAM.UPDATE.ASSIZE_00",
            "CONSUMER.DELETE.ASSIZE_00.w-live-standard",
            "CONSUMER.PAUSE.ASSIZE_00.w-live-standard",
            "STREAM.MSG.DELETE.ASSIZE_BLOB",
        ] {
            let answer = client.request(format!("$JS.ASSIZE.API.{request}"), "".into()).await;
            assert!(answer.is_err(), "{role} {request}: {answer:?}");
        }
    }
    // Nor does any role of ours delete the history.
    assert!(admin.delete_stream("ASSIZE_00").await.is_err());
    let events = admin.get_stream("ASSIZE_00").await.unwrap();
    assert!(events.purge().await.is_err());
    events.consumer_info("w-live-standard").await.unwrap();
}

#[tokio::test]
async fn a_subscriber_follows_what_is_stored_and_reads_the_past() {
    let nats = TestNats::start().await;
    streams(&nats).await;
    let api = nats.jetstream(Role::Api).await;
    let subscriber = nats.client(Role::Subscriber).await;
    let mut live = subscriber.subscribe("assize.live.*.*.*.*.alice.>").await.unwrap();
    subscriber.flush().await.unwrap();
    tokio::time::sleep(SECOND / 10).await;
    let first = append(&api, format!("{SUBMISSION}.cmd-live-standard")).await.unwrap();
    let event = timeout(SECOND, live.next()).await.unwrap().unwrap();
    assert_eq!(event.subject.as_str(), "assize.live.00.00sub1._.a.alice.cmd-live-standard");
    assert_eq!(event.headers.unwrap().get("Nats-Sequence").unwrap().as_str(), first.to_string());

    let context = nats_server::jetstream(&subscriber, &nats.settings(Role::Subscriber));
    let events = context.get_stream("ASSIZE_00").await.unwrap();
    assert_eq!(events.direct_get(first).await.unwrap().sequence, first);
    assert_eq!(events.get_raw_message(first).await.unwrap().sequence, first);
    assert_eq!(direct_batch(subscriber.clone(), "assize.event.>").await, [first]);

    // Neither the subject on which refused events can be seen, nor sources, nor other people's answers.
    for hidden in ["assize.event.>", "_INBOX_api.>", "_INBOX_worker.>", "assize.blob.*", "$JS.>", ">"] {
        let mut subscription = subscriber.subscribe(hidden).await.unwrap();
        append(&api, format!("{SUBMISSION}.cmd-live-standard")).await.unwrap();
        let seen = timeout(SECOND / 5, subscription.next()).await;
        assert!(!matches!(seen, Ok(Some(_))), "{hidden}: {seen:?}");
    }
    let blobs = subscriber.request("$JS.ASSIZE.API.DIRECT.GET.ASSIZE_BLOB", r#"{"seq":1}"#.into()).await;
    assert!(blobs.is_err(), "{blobs:?}");
}

#[tokio::test]
async fn the_api_follows_the_history_with_an_ordered_consumer() {
    let nats = TestNats::start().await;
    streams(&nats).await;
    let api = nats.jetstream(Role::Api).await;
    let first = append(&api, format!("{SUBMISSION}.cmd-live-standard")).await.unwrap();
    let events = api.get_stream("ASSIZE_00").await.unwrap();
    let ordered = events
        .create_consumer(consumer::push::OrderedConfig {
            deliver_subject: api.client().new_inbox(),
            ..Default::default()
        })
        .await
        .unwrap();
    let mut messages = ordered.messages().await.unwrap();
    let seen = timeout(5 * SECOND, messages.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(seen.info().unwrap().stream_sequence, first);
}

#[tokio::test]
async fn strangers_are_refused() {
    let nats = TestNats::start().await;
    for auth in [Auth::Url, Auth::Password { user: "api".into(), password: Secret::new("guess") }] {
        let settings = nats_server::ConnectSettings { auth, ..nats.settings(Role::Api) };
        let refused = nats_server::connect(&settings).await;
        assert!(matches!(refused, Err(ConnectError::Unreachable { .. })), "{refused:?}");
    }
    assert!(nats.url().starts_with("nats://127.0.0.1:"));
    // Who is known may also say so in the URL.
    let url = nats.url().replace("//", &format!("//api:{}@", nats.password(Role::Api).reveal()));
    nats_server::connect(&nats_server::ConnectSettings::new(url, Role::Api)).await.unwrap();
    assert_eq!(nats.password(Role::Api).reveal().len(), 64);
}

#[tokio::test]
async fn a_crashed_server_comes_back_on_its_port_with_everything_acknowledged() {
    let mut nats = TestNats::start().await;
    streams(&nats).await;
    let api = nats.jetstream(Role::Api).await;
    let before = nats.server().port();
    for _ in 0..20 {
        append(&api, format!("{SUBMISSION}.cmd-live-standard")).await.unwrap();
    }
    nats.kill9().await;
    assert!(append(&api, format!("{SUBMISSION}.cmd-live-standard")).await.is_err());
    nats.restart().await;
    assert_eq!(nats.server().port(), before);
    // The old connection finds it by itself.
    let last = timeout(10 * SECOND, async {
        loop {
            if let Ok(sequence) = append(&api, format!("{SUBMISSION}.cmd-live-standard")).await {
                break sequence;
            }
        }
    });
    // The append whose answer never came may or may not have been stored.
    assert!((21..=24).contains(&last.await.unwrap()));
}

#[tokio::test]
async fn the_supervisor_reports_a_crash_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::lock(folder.path()).unwrap();
    let server = NatsServer::start(&data, Options::default()).await.unwrap();
    let (mut status, port, old) = (server.status(), server.port(), server.pid().unwrap());
    crash(&server);
    let down = status.wait_for(|status| matches!(status, Status::Down { .. }));
    let down = timeout(5 * SECOND, down).await.unwrap().unwrap().clone();
    assert!(matches!(&down, Status::Down { restarts: 0, cause, .. } if cause.contains('9')), "{down:?}");
    let again = status.wait_for(|status| matches!(status, Status::Running { restarts: 1, .. }));
    timeout(5 * SECOND, again).await.unwrap().unwrap();
    assert_ne!(server.pid().unwrap(), old);
    assert_eq!(server.port(), port);
    let settings = server.connect_settings(Role::Api);
    timeout(5 * SECOND, async { while nats_server::connect(&settings).await.is_err() {} }).await.unwrap();
    let pid = server.pid().unwrap();
    assert!(alive(pid));
    let cause = timeout(5 * SECOND, server.stop()).await.unwrap();
    assert!(!alive(pid), "{cause}");
}

#[tokio::test]
async fn a_port_that_somebody_took_meanwhile_is_left_to_them() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::lock(folder.path()).unwrap();
    let server = NatsServer::start(&data, Options::default()).await.unwrap();
    let port = server.port();
    server.stop().await;
    let _somebody = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let server = NatsServer::start(&data, Options::default()).await.unwrap();
    assert_ne!(server.port(), port);
    assert_eq!(nats_server::settings_of(data.root(), Role::Api).unwrap().unwrap().urls, server.url());
}

#[tokio::test]
async fn a_server_left_by_a_crashed_run_is_stopped_first() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::lock(folder.path()).unwrap();
    NatsServer::start(&data, Options::default()).await.unwrap().stop().await;
    // As a crash of ours would leave it where nothing can tie a child to us.
    let conf = data.nats().join("nats.conf");
    let binary = nats_server::find().unwrap();
    let mut stale = Command::new(&binary.path)
        .arg("-c")
        .arg(&conf)
        .stdout(fs::File::create(folder.path().join("out")).unwrap())
        .spawn()
        .unwrap();
    tokio::time::sleep(SECOND / 5).await;
    assert!(stale.try_wait().unwrap().is_none(), "the stale server runs");
    // Its parent (here: we) has to reap it, as init does for a real one.
    let reaper = std::thread::spawn(move || stale.wait());
    let server = timeout(5 * SECOND, NatsServer::start(&data, Options::default())).await.unwrap().unwrap();
    reaper.join().unwrap().unwrap();
    nats_server::connect(&server.connect_settings(Role::Api)).await.unwrap();
}

/// Run by the next test in a process of its own; does nothing otherwise.
#[tokio::test]
async fn a_process_that_starts_a_server_and_is_killed() {
    let Some(root) = std::env::var_os("ASSIZE_IT_TIED") else { return };
    let data = DataDir::lock(&root).unwrap();
    let server = NatsServer::start(&data, Options::default()).await.unwrap();
    fs::write(data.root().join("tied"), server.pid().unwrap().to_string()).unwrap();
    tokio::time::sleep(60 * SECOND).await;
}

#[tokio::test]
async fn the_server_dies_with_us_however_we_die() {
    let folder = tempfile::tempdir().unwrap();
    let mut ours = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "nats_server::a_process_that_starts_a_server_and_is_killed"])
        .env("ASSIZE_IT_TIED", folder.path())
        .stdout(fs::File::create(folder.path().join("out")).unwrap())
        .spawn()
        .unwrap();
    let tied = folder.path().join("tied");
    let pid = timeout(20 * SECOND, async {
        loop {
            match fs::read_to_string(&tied).ok().and_then(|text| text.parse::<u32>().ok()) {
                Some(pid) => break pid,
                None => tokio::time::sleep(SECOND / 50).await,
            }
        }
    });
    let pid = pid.await.unwrap();
    assert!(alive(pid));
    // And while it lives, nobody else gets its data.
    match DataDir::lock(folder.path()) {
        Err(DataDirError::Held { pid, .. }) => assert_eq!(pid, ours.id().to_string()),
        other => panic!("{other:?}"),
    }
    ours.kill().unwrap();
    ours.wait().unwrap();
    timeout(5 * SECOND, async {
        while alive(pid) {
            tokio::time::sleep(SECOND / 50).await
        }
    })
    .await
    .unwrap();
    DataDir::lock(folder.path()).unwrap();
}

#[tokio::test]
async fn an_old_server_is_not_started() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nats-server");
    fs::write(&path, "#!/bin/sh\necho 'nats-server: v2.9.10'\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let data = DataDir::lock(folder.path().join("data")).unwrap();
    let options = Options { binary: Some(path), ..Options::default() };
    let refused = NatsServer::start(&data, options).await.unwrap_err();
    assert!(matches!(refused, StartError::Binary(BinaryError::TooOld { .. })), "{refused:?}");
}

/// Greets as Debian's server does and answers pings, which is all that a client needs to call itself connected.
async fn greeting_as_old(listener: tokio::net::TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let (read, mut write) = stream.into_split();
            let info = r#"INFO {"server_id":"OLD","version":"2.9.10","proto":1,"headers":true,"max_payload":1048576}"#;
            write.write_all(format!("{info}\r\n").as_bytes()).await.unwrap();
            let mut lines = tokio::io::BufReader::new(read).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if line.starts_with("PING") && write.write_all(b"PONG\r\n").await.is_err() {
                    break;
                }
            }
        });
    }
}

#[tokio::test]
async fn an_old_server_elsewhere_is_refused_at_once_and_when_it_appears() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let settings = nats_server::ConnectSettings::new(format!("nats://{address}"), Role::Api);
    let old = tokio::spawn(greeting_as_old(listener));
    let refused = nats_server::connect(&settings).await.unwrap_err();
    assert!(matches!(&refused, ConnectError::TooOld { found, .. } if found == "2.9.10"), "{refused:?}");
    old.abort();
    assert!(old.await.is_err());

    let settings = nats_server::ConnectSettings { retry_on_initial_connect: true, ..settings };
    let client = nats_server::connect(&settings).await.unwrap();
    tokio::spawn(greeting_as_old(tokio::net::TcpListener::bind(address).await.unwrap()));
    let given_up = async {
        while client.publish("assize.worker.w1", "".into()).await.is_ok() {
            tokio::time::sleep(SECOND / 50).await
        }
    };
    timeout(5 * SECOND, given_up).await.unwrap();
}

#[tokio::test]
async fn a_server_that_cannot_live_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::lock(folder.path()).unwrap();
    // The store's place is taken by a file.
    fs::create_dir_all(data.nats()).unwrap();
    fs::write(data.nats().join("js"), "").unwrap();
    let refused =
        timeout(10 * SECOND, NatsServer::start(&data, Options::default())).await.unwrap().unwrap_err();
    assert!(
        matches!(&refused, StartError::Ended { said, .. } if said.contains("storage directory is not a directory")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_absent_server_is_an_error_or_is_waited_for() {
    let mut nats = TestNats::start().await;
    nats.kill9().await;
    let refused = nats_server::connect(&nats.settings(Role::Api)).await;
    assert!(matches!(refused, Err(ConnectError::Unreachable { .. })), "{refused:?}");
    let settings =
        nats_server::ConnectSettings { retry_on_initial_connect: true, ..nats.settings(Role::Api) };
    let client = timeout(SECOND, nats_server::connect(&settings)).await.unwrap().unwrap();
    nats.restart().await;
    let connected =
        async { while client.flush().await.is_err() || client.server_info().version.is_empty() {} };
    timeout(5 * SECOND, connected).await.unwrap();
}

/// Whether a process is there and is more than a zombie.
fn alive(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|arguments| !arguments.is_empty())
}
