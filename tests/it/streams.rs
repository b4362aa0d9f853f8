//! The streams: created once, verified ever after, and never silently other than they must be.

use assize::domain::event::{Envelope, RejudgeApplied, SubmissionCreated};
use assize::domain::ids::{Sha256Digest, SubmissionId};
use assize::nats_server::Role;
use assize::store::jetstream::JetStreamStore;
use assize::store::memory::MemoryStore;
use assize::store::{Address, Aggregate, AppendError, EventStore, StoreError};
use assize::streams;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::harness::judge::{PATIENCE, TestJudge};

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_drifted_is_refused_with_both_values() {
    let judge = TestJudge::start().await;
    let admin = JetStreamStore::connect(&judge.nats.settings(Role::Admin), PATIENCE).await.unwrap();
    streams::create_or_verify(&admin, 1).await.unwrap();
    streams::verify(&admin).await.unwrap();
    let stream = admin.context().get_stream("ASSIZE_BLOB").await.unwrap();
    let mut config = stream.cached_info().config.clone();
    config.max_message_size = 4096;
    admin.context().update_stream(config).await.unwrap();
    let refused = streams::create_or_verify(&admin, 1).await.unwrap_err().to_string();
    assert!(refused.starts_with("stream ASSIZE_BLOB differs from streams/ASSIZE_BLOB.json: "), "{refused}");
    assert!(refused.contains("max_msg_size is 4096 and should be 1048576"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_the_definition_does_not_have_is_refused() {
    let judge = TestJudge::start().await;
    let admin = JetStreamStore::connect(&judge.nats.settings(Role::Admin), PATIENCE).await.unwrap();
    let client = judge.nats.client(Role::Admin).await;
    let ask = async |subject: &str, request: Value| -> Value {
        let answer = client.request(format!("$JS.API.{subject}"), request.to_string().into()).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
        assert_eq!(answer["error"], Value::Null, "{subject}");
        answer["config"].clone()
    };
    let refused = async || streams::create_or_verify(&admin, 1).await.unwrap_err().to_string();

    let consumer = "judge-standard-live";
    let config = ask(&format!("CONSUMER.INFO.ASSIZE_00.{consumer}"), json!({})).await;
    for (key, value) in [("headers_only", json!(true)), ("max_batch", json!(1))] {
        let mut other = config.clone();
        other[key] = value.clone();
        let request = json!({ "stream_name": "ASSIZE_00", "config": other });
        let now = ask(&format!("CONSUMER.DURABLE.CREATE.ASSIZE_00.{consumer}"), request).await;
        assert_eq!(now[key], value, "{now}");
        let said = refused().await;
        assert!(said.contains(&format!("{key} is {value} and should not be set")), "{said}");
        let request = json!({ "stream_name": "ASSIZE_00", "config": config });
        ask(&format!("CONSUMER.DURABLE.CREATE.ASSIZE_00.{consumer}"), request).await;
    }
    streams::create_or_verify(&admin, 1).await.unwrap();

    // The last, for it cannot be taken back.
    let mut config = ask("STREAM.INFO.ASSIZE_00", json!({})).await;
    config["allow_msg_ttl"] = json!(true);
    ask("STREAM.UPDATE.ASSIZE_00", config).await;
    let said = refused().await;
    assert!(said.contains("allow_msg_ttl is true and should not be set"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_cannot_be_deleted_or_purged() {
    let judge = TestJudge::start().await;
    judge.publish("a").await;
    let admin = JetStreamStore::connect(&judge.nats.settings(Role::Admin), PATIENCE).await.unwrap();
    let stream = admin.context().get_stream("ASSIZE_00").await.unwrap();
    assert!(stream.delete_message(1).await.is_err());
    assert!(stream.purge().await.is_err());
    assert!(admin.context().delete_stream("ASSIZE_00").await.is_err());
    assert_eq!(admin.last_sequence().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_is_never_seen_live() {
    use futures::StreamExt;
    let judge = TestJudge::start().await;
    let mut live = judge.nats.client(Role::Subscriber).await.subscribe("assize.live.>").await.unwrap();
    event_store_contract(&judge.store).await;
    // Exactly what is stored, in its order.
    for sequence in 1..=judge.store.last_sequence().await.unwrap() {
        let message = tokio::time::timeout(PATIENCE, live.next()).await.unwrap().unwrap();
        let headers = message.headers.unwrap();
        assert_eq!(headers.get("Nats-Sequence").unwrap().as_str(), sequence.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_a_damaged_event_is_not_lost_with_it() {
    let judge = TestJudge::start().await;
    let created = created(1);
    judge
        .store
        .append(&Address::of_submission(&created), 0, &envelope(created.clone().into()))
        .await
        .unwrap();
    let last = append_many(&judge.store, &created, 40).await;
    let admin = judge.nats.jetstream(Role::Admin).await;
    admin.publish("assize.event.00.p-x._.x._.problem", "{}".into()).await.unwrap().await.unwrap();
    let mut history = judge.store.follow(1);
    let mut came = Vec::new();
    let damage = loop {
        match history.recv().await.expect("the damage is told") {
            Ok(batch) => came.extend(batch.into_iter().map(|stored| stored.recorded.sequence)),
            Err(error) => break error,
        }
    };
    assert_eq!(came, (1..=last).collect::<Vec<_>>());
    assert!(matches!(damage, StoreError::Damaged { sequence, .. } if sequence == last + 1), "{damage:?}");
}

#[tokio::test]
async fn the_store_in_memory_keeps_the_same_contract() {
    event_store_contract(&MemoryStore::default()).await;
}

/// What every event store promises to its writers.
pub(crate) async fn event_store_contract(store: &impl EventStore) {
    let created = created(1);
    let address = Address::of_submission(&created);
    let other = Address::of_submission(&self::created(2));
    let first = envelope(created.clone().into());
    assert!(store.load(&address.aggregate).await.unwrap().is_empty());
    let sequence = store.append(&address, 0, &first).await.unwrap();
    // The same again is acknowledged again; the same id with other content is a conflict.
    assert_eq!(store.append(&address, 0, &first).await.unwrap(), sequence);
    let changed = SubmissionCreated { idempotency_key: Some("other".to_owned()), ..created.clone() };
    let changed = store.append(&address, 0, &envelope(changed.into())).await;
    assert!(matches!(changed, Err(AppendError::Conflict { expected: 0 })), "{changed:?}");
    // Another aggregate does not disturb.
    store.append(&other, 0, &envelope(self::created(2).into())).await.unwrap();
    let applied = |judging| {
        let by = "jury".parse().unwrap();
        envelope(RejudgeApplied { submission: created.submission, judging, applied_by: by }.into())
    };
    let second = store.append(&address, sequence, &applied(2)).await.unwrap();
    assert!(second > sequence);
    // Who saw less conflicts.
    let late = store.append(&address, sequence, &applied(3)).await;
    assert!(matches!(late, Err(AppendError::Conflict { .. })), "{late:?}");
    let history = store.load(&address.aggregate).await.unwrap();
    assert_eq!(history.iter().map(|recorded| recorded.sequence).collect::<Vec<_>>(), [sequence, second]);
    assert_eq!(history[0].envelope, first);
    assert_eq!(store.load(&Aggregate::Problem("a".parse().unwrap())).await.unwrap(), []);
    // Many at once: in order, all or nothing, and the same again is acknowledged again.
    let many: Vec<Envelope> = (10..110).map(applied).collect();
    let last = store.append_all(&address, second, &many).await.unwrap();
    assert_eq!(store.append_all(&address, second, &many).await.unwrap(), last);
    let late: Vec<Envelope> = (200..220).map(applied).collect();
    let refused = store.append_all(&address, second, &late).await;
    assert!(matches!(refused, Err(AppendError::Conflict { .. })), "{refused:?}");
    // One of them is stored already, though it is not the last.
    let mixed: Vec<Envelope> = (100..120).map(applied).collect();
    assert!(store.append_all(&address, second, &mixed).await.is_err());
    let history = store.load(&address.aggregate).await.unwrap();
    assert!(history[2..].iter().map(|recorded| &recorded.envelope).eq(&many));
    assert_eq!(history.last().unwrap().sequence, last);
    // A few at once, and none.
    let few: Vec<Envelope> = (300..303).map(applied).collect();
    let tail = store.append_all(&address, last, &few).await.unwrap();
    assert!(tail > last);
    assert_eq!(store.append_all(&address, tail, &[]).await.unwrap(), tail);
    assert_eq!(store.load(&address.aggregate).await.unwrap().len(), history.len() + few.len());
}

pub(crate) fn created(number: u8) -> SubmissionCreated {
    SubmissionCreated {
        submission: SubmissionId::mint(0, [number; 10]),
        problem: "a".parse().unwrap(),
        package: Sha256Digest::of(b"package"),
        user: "ann".parse().unwrap(),
        contest: None,
        language: "cpp17".parse().unwrap(),
        routing_class: "standard".parse().unwrap(),
        sources: vec![],
        submitted_at: Timestamp::UNIX_EPOCH,
        idempotency_key: None,
    }
}

/// Appends events to a submission by two writers who race, and returns the last sequence. Each writer that loses
/// reads the tail again, as workers do.
pub(crate) async fn append_many(store: &JetStreamStore, created: &SubmissionCreated, count: u32) -> u64 {
    let address = Address::of_submission(created);
    let writer = |first: u32| {
        let (store, address, submission) = (store.clone(), address.clone(), created.submission);
        tokio::spawn(async move {
            let by: assize::domain::ids::UserId = "jury".parse().unwrap();
            for number in (first..count).step_by(2) {
                let event =
                    envelope(RejudgeApplied { submission, judging: number, applied_by: by.clone() }.into());
                loop {
                    let tail = store.load(&address.aggregate).await.unwrap().last().unwrap().sequence;
                    match store.append(&address, tail, &event).await {
                        Ok(_) => break,
                        Err(AppendError::Conflict { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        })
    };
    let (one, other) = tokio::join!(writer(0), writer(1));
    one.unwrap();
    other.unwrap();
    let history = store.load(&address.aggregate).await.unwrap();
    let ids: std::collections::BTreeSet<&str> =
        history.iter().map(|recorded| recorded.envelope.id.as_str()).collect();
    assert_eq!(ids.len(), history.len(), "no event twice");
    assert_eq!(history.len(), count as usize + 1, "no event lost");
    history.last().unwrap().sequence
}

fn envelope(event: assize::domain::event::Event) -> Envelope {
    Envelope {
        id: event.id(),
        time: Timestamp::UNIX_EPOCH,
        source: "/assize/api".to_owned(),
        causation: None,
        traceparent: None,
        event,
    }
}
