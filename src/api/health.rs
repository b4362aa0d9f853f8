//! `/livez` and `/readyz`: whether the process lives, and whether it can do its work.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::State;

pub(super) struct Health;

/// The process lives.
#[derive(Debug, Clone, Object)]
struct Alive {
    /// Always `alive`.
    status: String,
}

/// Whether each thing that is needed is there.
#[derive(Debug, Clone, Object)]
struct Readiness {
    /// Whether all of them are.
    ready: bool,
    /// Whether the NATS server is connected.
    nats_connected: bool,
    /// Whether the read model has everything that was in the history when this process started.
    caught_up: bool,
    /// The sequence that the read model is true at.
    sequence: u64,
    /// How many workers are here. None is no reason not to be ready: submissions wait.
    workers: u32,
    /// Why the read model has stopped, where it has.
    #[oai(skip_serializing_if_is_none)]
    failure: Option<String>,
}

/// The answer to a readiness probe.
#[derive(ApiResponse)]
enum ReadyAnswer {
    /// Requests can be served.
    #[oai(status = 200)]
    Ready(Json<Readiness>),
    /// Requests would fail or be answered out of date.
    #[oai(status = 503)]
    NotReady(Json<Readiness>),
}

/// Health of this process.
#[OpenApi(tag = "super::Tag::Health")]
impl Health {
    /// Whether the process lives.
    #[oai(path = "/livez", method = "get", operation_id = "get_liveness")]
    async fn livez(&self) -> Json<Alive> {
        Json(Alive { status: "alive".to_owned() })
    }

    /// Whether the process can serve requests.
    #[oai(path = "/readyz", method = "get", operation_id = "get_readiness")]
    async fn readyz(&self, state: Data<&Arc<State>>) -> ReadyAnswer {
        let health = state.projection.health();
        let nats_connected =
            state.store.client().connection_state() == async_nats::connection::State::Connected;
        let ready = nats_connected && health.caught_up && !state.stopping.is_cancelled();
        let readiness = Readiness {
            ready,
            nats_connected,
            caught_up: health.caught_up,
            sequence: health.position,
            workers: state.directory.live().len() as u32,
            failure: health.failure,
        };
        if ready { ReadyAnswer::Ready(Json(readiness)) } else { ReadyAnswer::NotReady(Json(readiness)) }
    }
}
