//! The HTTP API: reads the read model, appends submissions through `judge`, never decides anything itself.
//!
//! `first` is the interface that came first, the rest lies below `/v1`; `document` makes the OpenAPI document fit
//! for generators; `error` turns every refusal into problem details. The API never writes sled.

mod body;
mod catalogue;
mod detail_body;
mod document;
mod error;
mod events;
mod first;
mod health;
mod packages;
mod submissions;
mod views;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use futures::StreamExt;
use poem::http::uri::Scheme;
use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::listener::{Acceptor, TcpAcceptor};
use poem::web::{Html, LocalAddr, RemoteAddr};
use poem::{Body, Endpoint, EndpointExt, IntoResponse, Request, Response, Route, Server, get, handler};
use poem_openapi::Tags;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::judge::Judge;
use crate::languages::Languages;
use crate::package_cache::PackageCache;
use crate::projection::{ModelError, Projection, View};
use crate::publish::Publisher;
use crate::store::jetstream::JetStreamStore;
use crate::store::presence::Directory;

use error::ApiError;

pub use detail_body::DetailBodies;
pub use document::document;

/// The largest body that is read, in bytes: a source of the usual limit in JSON that escapes every character.
const BODY_BYTES_MAX: usize = 2 << 20;
/// How much of a body that is too large is read and thrown away, so that its sender gets to read the answer.
const BODY_BYTES_DRAINED: usize = 64 << 20;
/// No sequence is as large: what JavaScript can count up to, and one.
const SEQUENCE_MAX: u64 = 1 << 53;
/// How long an answer waits for the read model to pass a sequence: `min_seq`, or that of what was just recorded.
const READ_MODEL_DEADLINE: Duration = Duration::from_secs(2);
/// How long open requests may take to end when the API stops.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// What the handlers share.
pub struct State {
    /// Where events are appended and read.
    pub store: JetStreamStore,
    /// How submissions are recorded.
    pub judge: Judge,
    /// The read model.
    pub projection: Projection,
    /// The languages that can be submitted in.
    pub languages: Languages,
    /// The workers that are here.
    pub directory: Directory,
    /// The packages that statements and attachments are read from.
    pub packages: PackageCache,
    /// How packages are published.
    pub publisher: Publisher,
    /// Answers that are written already.
    pub bodies: DetailBodies,
    /// Cancelled when the API is to stop: open streams end.
    pub stopping: CancellationToken,
    /// The last sequence that a client was told.
    pub acknowledged: Acknowledged,
}

/// The last sequence of what was recorded for a client, who may ask for it before the read model has it.
#[derive(Debug, Default)]
pub struct Acknowledged(AtomicU64);

impl Acknowledged {
    fn note(&self, sequence: u64) {
        self.0.fetch_max(sequence, Ordering::Relaxed);
    }
}

impl State {
    /// Looks for something, and once more when the read model has all that clients were told of.
    async fn find<T>(
        &self,
        look: impl Fn(&View<'_>) -> Result<Option<T>, ModelError>,
    ) -> Result<Option<T>, ApiError> {
        let found = self.projection.read(&look)?;
        if found.is_some() {
            return Ok(found);
        }
        self.at_least(Some(self.acknowledged.0.load(Ordering::Relaxed))).await?;
        Ok(self.projection.read(&look)?)
    }

    /// Waits until the read model has passed a sequence.
    async fn at_least(&self, sequence: Option<u64>) -> Result<(), ApiError> {
        match sequence {
            Some(SEQUENCE_MAX..) => Err(ApiError::parameter("min_seq", document::rule_of("min_seq"))),
            Some(sequence) if self.projection.position() < sequence => {
                if self.projection.wait_for(sequence, READ_MODEL_DEADLINE).await {
                    Ok(())
                } else {
                    let position = self.projection.position();
                    Err(ApiError::unavailable(format!(
                        "the read model is at sequence {position} and has not reached {sequence} yet"
                    )))
                }
            }
            _ => Ok(()),
        }
    }
}

impl From<ModelError> for ApiError {
    fn from(error: ModelError) -> Self {
        ApiError::internal(&error)
    }
}

/// The parts of the document.
#[derive(Tags)]
enum Tag {
    /// Submissions and what comes of them.
    Submissions,
    /// Problems, languages and workers.
    Catalogue,
    /// The interface that came first.
    First,
    /// Health of the process.
    Health,
}

/// All routes.
pub fn routes(state: Arc<State>) -> impl Endpoint {
    let service = document::service();
    let page = document::page(&service.swagger_ui_html());
    Route::new()
        .at("/openapi.json", get(json_file(document())))
        .at("/docs", get(poem::endpoint::make_sync(move |_| Html(page.clone()))))
        .at("/problems/:code", get(explain))
        .nest("/", service)
        .data(state)
        .around(bounded_body)
        .around(with_allow)
        .catch_all_error(error::catch_all)
}

/// Serves until `state.stopping` is cancelled; open requests then get ten seconds to end.
pub fn serve(
    listener: std::net::TcpListener,
    state: Arc<State>,
) -> std::io::Result<(SocketAddr, JoinHandle<std::io::Result<()>>)> {
    let address = listener.local_addr()?;
    let acceptor = TcpAcceptor::from_std(listener)?;
    debug_assert_eq!(acceptor.local_addr().len(), 1);
    let stopping = state.stopping.clone();
    let app = routes(state);
    let server = Server::new_with_acceptor(Prompt(acceptor));
    let done = tokio::spawn(async move {
        server.run_with_graceful_shutdown(app, stopping.cancelled_owned(), Some(STOP_DEADLINE)).await
    });
    Ok((address, done))
}

/// Accepts connections that send at once what they have. Otherwise a small event waits on the acknowledgement of
/// the one before: 40 ms each, measured.
struct Prompt(TcpAcceptor);

impl Acceptor for Prompt {
    type Io = TcpStream;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.0.local_addr()
    }

    async fn accept(&mut self) -> std::io::Result<(Self::Io, LocalAddr, RemoteAddr, Scheme)> {
        let accepted = self.0.accept().await?;
        // Slower where the system refuses, and just as right.
        let _ = accepted.0.set_nodelay(true);
        Ok(accepted)
    }
}

fn json_file(text: &'static str) -> impl Endpoint {
    poem::endpoint::make_sync(move |_| Response::builder().content_type("application/json").body(text))
}

/// Reads the body up to the limit, so that no handler ever holds more. Packages are read by their own handler, into a
/// file.
async fn bounded_body<E: Endpoint>(next: Arc<E>, mut request: Request) -> poem::Result<E::Output> {
    let is_package = request.method() == Method::PUT && request.uri().path().ends_with("/package");
    if !is_package && !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut chunks = request.take_body().into_bytes_stream();
        let (mut body, mut length) = (BytesMut::new(), 0);
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| ApiError::unreadable("unreadable_body", error.to_string()))?;
            length += chunk.len();
            if length <= BODY_BYTES_MAX {
                body.extend_from_slice(&chunk);
            } else if length > BODY_BYTES_DRAINED {
                break;
            }
        }
        if length > BODY_BYTES_MAX {
            let message = format!("the body is larger than {BODY_BYTES_MAX} bytes, which no request may be");
            return Err(ApiError::too_large(message).into());
        }
        request.set_body(Body::from(body.freeze()));
    }
    next.call(request).await
}

/// Says which methods a path knows when it does not know the one that was used.
async fn with_allow<E: Endpoint>(next: Arc<E>, request: Request) -> poem::Result<Response> {
    let path = request.uri().path().to_owned();
    match next.call(request).await {
        Err(error) if error.status() == StatusCode::METHOD_NOT_ALLOWED => {
            let mut response = error::catch_all(error).await;
            let allowed = document::methods_of(&path);
            if let Ok(value) = HeaderValue::from_str(&allowed.join(", ")) {
                response.headers_mut().insert(header::ALLOW, value);
            }
            Ok(response)
        }
        Ok(response) => Ok(response.into_response()),
        Err(error) => Err(error),
    }
}

/// What a problem type means: the page that `type` of an error points to.
#[handler]
fn explain(poem::web::Path(code): poem::web::Path<String>) -> Response {
    match error::explanation(&code) {
        Some(text) => Response::builder().content_type("text/plain; charset=utf-8").body(text),
        None => ApiError::not_found("kind of problem", &code).into_response(),
    }
}
