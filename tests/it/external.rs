//! Servers that are not ours: one behind TLS, and a cluster of three that keeps three copies.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use assize::judge::Judge;
use assize::nats_server::{self, ConnectSettings, Role};
use assize::store::jetstream::JetStreamStore;
use assize::streams;
use serde_json::{Value, json};

use crate::harness::judge::{PATIENCE, sample_package};
use crate::harness::process::Process;

/// A nats-server with settings of the test's own; killed with the value.
struct Server(Child);

impl Server {
    fn start(folder: &Path, name: &str, settings: &str) -> Server {
        let config = folder.join(format!("{name}.conf"));
        std::fs::write(&config, settings).unwrap();
        let binary = nats_server::find().unwrap();
        let child = Command::new(binary.path)
            .arg("-c")
            .arg(config)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Server(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already where the test killed it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ports that are free now.
fn ports<const N: usize>() -> [u16; N] {
    let listeners: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

async fn connected(settings: &ConnectSettings) -> JetStreamStore {
    let connect = async {
        loop {
            match JetStreamStore::connect(settings, PATIENCE).await {
                Ok(store) => return store,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, connect).await.expect("the server comes up")
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_runs_against_a_server_behind_tls() {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, private) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, key.cert.pem()).unwrap();
    std::fs::write(&private, key.signing_key.serialize_pem()).unwrap();
    let [port] = ports();
    let settings = format!(
        "listen: \"127.0.0.1:{port}\"\n\
         jetstream {{ store_dir: {:?}, sync_interval: always }}\n\
         tls {{ cert_file: {certificate:?}, key_file: {private:?} }}\n\
         authorization {{ user: judge, password: secret }}\n",
        folder.path().join("js")
    );
    let _server = Server::start(folder.path(), "tls", &settings);
    let url = format!("tls://judge:secret@localhost:{port}");
    let probe = ConnectSettings { ca: Some(certificate.clone()), ..ConnectSettings::new(&url, Role::Admin) };
    drop(connected(&probe).await);

    let problems = sample_package("");
    let judge = Process::start(
        &folder.path().join("data"),
        &[
            "up",
            "--listen",
            "127.0.0.1:0",
            "--problems",
            problems.to_str().unwrap(),
            "--nats",
            &url,
            "--nats-ca",
            certificate.to_str().unwrap(),
        ],
    );
    let at = judge.ready.trim().rsplit(' ').next().unwrap();
    let body = json!({
        "code": "a, b = map(int, input().split())\nprint(a + b)",
        "language": "python3",
        "question_id": "a",
    });
    let client = reqwest::Client::new();
    let id =
        client.post(format!("{at}/submit")).json(&body).send().await.unwrap().json::<Value>().await.unwrap();
    // The stream of events ends with the verdict.
    let events = format!("{at}/v1/submissions/{}/events/stream", id["submission_id"].as_str().unwrap());
    let told = reqwest::get(events).await.unwrap().text().await.unwrap();
    assert!(told.contains("event: assize.verdict_issued.v1"), "{told}");
    assert!(told.contains("\"verdict\":\"AC\""), "{told}");
    assert_eq!(judge.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_loses_a_server_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let clients: [u16; 3] = ports();
    let routes: [u16; 3] = ports();
    let route_list: Vec<String> = routes.iter().map(|port| format!("\"nats://127.0.0.1:{port}\"")).collect();
    let mut servers: Vec<Server> = (0..3)
        .map(|at| {
            let settings = format!(
                "server_name: n{at}\nlisten: \"127.0.0.1:{}\"\n\
                 jetstream {{ store_dir: {:?}, sync_interval: always }}\n\
                 cluster {{ name: c, listen: \"127.0.0.1:{}\", routes: [{}] }}\n",
                clients[at],
                folder.path().join(format!("js{at}")),
                routes[at],
                route_list.join(", "),
            );
            Server::start(folder.path(), &format!("n{at}"), &settings)
        })
        .collect();
    let urls: Vec<String> = clients.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
    let settings = ConnectSettings::new(urls.join(","), Role::Admin);
    let store = connected(&settings).await;
    // The cluster needs a moment to elect who places streams.
    let placed = async {
        while streams::create_or_verify(&store, 3).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, placed).await.expect("the cluster forms");
    crate::streams::event_store_contract(&store).await;

    // Two writers on one aggregate, and then one server fewer: each append is there once or refused.
    let judge = Judge::new(Arc::new(store.clone()), "/assize/api");
    let created = crate::streams::created(9);
    judge.submit(created.clone(), jiff::Timestamp::now(), None).await.unwrap();
    servers.pop();
    let appended = crate::streams::append_many(&store, &created, 30).await;
    let history = judge.load(created.submission).await.unwrap().expect("the submission");
    assert_eq!(history.tail, appended);
}
