//! `/v1/problems/{id}/package`, `/statement` and `/attachments`: publishing a package, and what contestants may see of it.
//!
//! Everything is read from the package of a revision, by digest, checked. It comes from whoever publishes packages, so
//! it is served as what it is and nothing else: with its media type, `nosniff`, and a policy that lets nothing run.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use poem::http::{HeaderValue, StatusCode, header};
use poem::web::Data;
use poem::{IntoResponse, Response};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::registry::{
    MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::{ApiResponse, OpenApi};

use crate::domain::event::ProblemPublished;
use crate::domain::ids::{ProblemId, Sha256Digest};
use crate::package_cache::{CacheError, CachedPackage};
use crate::problems::{self, Constants, Mode, Package, StatementKind};
use crate::publish::{Verify, Wish};
use crate::statements::{self, Figure, Markup, ShownSample, Statement};

use super::body::ZipBody;
use super::error::ApiError;
use super::views::{PackagePublished, PackageWarning};
use super::{READ_MODEL_DEADLINE, State};

/// How many packages, and how many rendered statements, are kept at hand.
const KEPT_MAX: usize = 32;
/// How much of a sample's file is shown, in bytes.
const SAMPLE_BYTES_MAX: usize = 64 << 10;
/// Where statements and their images lie.
const STATEMENT_FOLDERS: [&str; 2] = ["problem_statement", "statement"];
/// Images that browsers show, with their media types. What TeX takes for one comes last.
const IMAGES: [(&str, &str); 8] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("svg", "image/svg+xml"),
    ("webp", "image/webp"),
    ("bmp", "image/bmp"),
    ("pdf", PDF),
];
const PAGE: &str = "text/html; charset=utf-8";
const PDF: &str = "application/pdf";

/// Packages at hand. They never change, so neither does what is made of them.
#[derive(Default)]
pub(super) struct Packages {
    loaded: Mutex<Vec<(Sha256Digest, Arc<Readable>)>>,
    pages: Mutex<Vec<(PageKey, Arc<str>)>>,
}

/// What a page was made from: the package, the problem and revision in its addresses, and the statement's path.
type PageKey = (Sha256Digest, String, u32, String);

/// A package that can be read.
struct Readable {
    package: Package,
    files: CachedPackage,
}

/// The answer to a package.
#[derive(ApiResponse)]
enum PublishAnswer {
    /// Its content was current already; nothing has changed.
    #[oai(status = 200)]
    Unchanged(
        Json<PackagePublished>,
        /// Names the revision, for `If-Match` of the next one.
        #[oai(header = "ETag")]
        String,
        /// The sequence of its event in the history.
        #[oai(header = "Assize-Sequence")]
        u64,
    ),
    /// It is the problem's current revision now; submissions that were made before are judged by theirs.
    #[oai(status = 201)]
    Published(
        Json<PackagePublished>,
        /// Names the revision, for `If-Match` of the next one.
        #[oai(header = "ETag")]
        String,
        /// The sequence of its event in the history.
        #[oai(header = "Assize-Sequence")]
        u64,
    ),
}

/// The name of a revision in HTTP.
pub(super) fn tag_of(revision: u32) -> String {
    format!("\"{revision}\"")
}

/// Packages of problems.
#[OpenApi(prefix_path = "/v1", tag = "super::Tag::Catalogue")]
impl Packages {
    /// Publish a problem package.
    ///
    /// The body is a zip. The package is loaded and, unless `verify=false`, the jury's accepted submissions are run; a
    /// package that is broken or whose submissions are not accepted changes nothing, and the answer names each fault
    /// by file and line. With `If-Match: "3"` it is published only as the successor of revision 3, with
    /// `If-None-Match: *` only as the first.
    #[oai(path = "/problems/:id/package", method = "put", operation_id = "publish_package")]
    async fn publish(
        &self,
        state: Data<&Arc<State>>,
        /// The problem's short name: a-z and 0-9.
        id: Path<String>,
        /// Whether the jury's accepted submissions are run first.
        #[oai(default = "yes")]
        verify: Query<bool>,
        /// The ETag of the revision that must be current.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// `*` where there must be no revision yet.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
        body: ZipBody,
    ) -> Result<PublishAnswer, ApiError> {
        let problem: ProblemId = id
            .0
            .parse()
            .map_err(|error: crate::domain::ids::InvalidId| ApiError::parameter("id", error.to_string()))?;
        let expected_revision = expected(if_match.0.as_deref(), if_none_match.0.as_deref())?;
        let verify = if verify.0 { Verify::Always } else { Verify::Never };
        let wish = Wish { verify, expected_revision, problem: Some(problem) };
        let published = state.publisher.publish(&body.path, &wish, Timestamp::now()).await?;
        // Who has the answer submits to it next. It stands in the history, whether the read model has it in time or not.
        state.projection.wait_for(published.sequence, READ_MODEL_DEADLINE).await;
        let revision = published.revision;
        let warnings = published.warnings.into_iter().map(|warning| PackageWarning {
            file: warning.place.file,
            line: warning.place.line,
            what: warning.what,
        });
        let answer = Json(PackagePublished {
            id: revision.problem.to_string(),
            revision: revision.revision,
            package_sha256: revision.package.to_string(),
            package_bytes: revision.package_bytes,
            testcases_total: revision.testcases_total,
            verified: revision.verified,
            warnings: warnings.collect(),
            sequence: published.sequence,
        });
        let tag = tag_of(revision.revision);
        Ok(match published.is_new {
            true => PublishAnswer::Published(answer, tag, published.sequence),
            false => PublishAnswer::Unchanged(answer, tag, published.sequence),
        })
    }

    /// Read a problem's statement: a page of HTML with MathML, or a PDF where that is what the package has.
    #[oai(path = "/problems/:id/statement", method = "get", operation_id = "get_statement")]
    async fn statement(
        &self,
        state: Data<&Arc<State>>,
        /// The problem's short name.
        id: Path<String>,
        /// The wanted language, for example `sv`; without such a statement, the English or the first one.
        lang: Query<Option<String>>,
        /// The revision; the current one by default.
        revision: Query<Option<u32>>,
    ) -> Result<FileAnswer, ApiError> {
        let revision = find(&state, &id.0, revision.0).await?;
        let readable = self.readable(&state, &revision).await?;
        let wanted = lang.0.unwrap_or_else(|| "en".to_owned());
        // Of several in one language, one that becomes a page; Markdown before TeX, as in newer packages.
        let rank = |kind| match kind {
            StatementKind::Markdown => 0,
            StatementKind::Tex => 1,
            StatementKind::Pdf => 2,
        };
        let best = readable.package.statements.iter().min_by_key(|statement| {
            let language = &statement.language;
            (*language != wanted, language != "en", language.clone(), rank(statement.kind))
        });
        let Some(statement) = best else {
            return Err(ApiError::not_found("statement of problem", &id.0));
        };
        let path = statement.path.clone();
        if statement.kind == StatementKind::Pdf {
            let bytes = blocking(move || readable.files.read(&path)).await?;
            return Ok(FileAnswer::new(bytes, PDF, &revision));
        }
        let key: PageKey = (revision.package, revision.problem.to_string(), revision.revision, path);
        if let Some(page) = recall(&self.pages, &key) {
            return Ok(FileAnswer::new(page.as_bytes().to_vec(), PAGE, &revision));
        }
        let (problem, number, place) = (key.1.clone(), key.2, key.3.clone());
        let page: Arc<str> = blocking(move || page_of(&readable, &place, &problem, number)).await?.into();
        keep(&self.pages, key, page.clone());
        Ok(FileAnswer::new(page.as_bytes().to_vec(), PAGE, &revision))
    }

    /// Read an image of a problem's statement.
    #[oai(
        path = "/problems/:id/statement/images/:name",
        method = "get",
        operation_id = "get_statement_image"
    )]
    async fn image(
        &self,
        state: Data<&Arc<State>>,
        /// The problem's short name.
        id: Path<String>,
        /// The image's file name beside the statement.
        name: Path<String>,
        /// The revision; the current one by default.
        revision: Query<Option<u32>>,
    ) -> Result<FileAnswer, ApiError> {
        let revision = find(&state, &id.0, revision.0).await?;
        let readable = self.readable(&state, &revision).await?;
        let found = STATEMENT_FOLDERS.iter().find_map(|folder| image_in(&readable.files, folder, &name.0));
        let Some((path, kind)) = found else { return Err(ApiError::not_found("image", &name.0)) };
        let bytes = blocking(move || readable.files.read(&path)).await?;
        Ok(FileAnswer::new(bytes, kind, &revision))
    }

    /// Download a file that a problem has for contestants.
    #[oai(path = "/problems/:id/attachments/:name", method = "get", operation_id = "get_attachment")]
    async fn attachment(
        &self,
        state: Data<&Arc<State>>,
        /// The problem's short name.
        id: Path<String>,
        /// The file's name; slashes in it are written as %2F.
        name: Path<String>,
        /// The revision; the current one by default.
        revision: Query<Option<u32>>,
    ) -> Result<FileAnswer, ApiError> {
        let revision = find(&state, &id.0, revision.0).await?;
        let readable = self.readable(&state, &revision).await?;
        let path = format!("attachments/{}", name.0);
        if !readable.package.attachments.contains(&path) {
            return Err(ApiError::not_found("attachment", &name.0));
        }
        let bytes = blocking(move || readable.files.read(&path)).await?;
        Ok(FileAnswer {
            disposition: Some(disposition(&name.0)),
            ..FileAnswer::new(bytes, "application/octet-stream", &revision)
        })
    }

    /// The package of a revision.
    async fn readable(&self, state: &State, revision: &ProblemPublished) -> Result<Arc<Readable>, ApiError> {
        if let Some(readable) = recall(&self.loaded, &revision.package) {
            return Ok(readable);
        }
        let mut tries = 0;
        let readable = loop {
            tries += 1;
            let files = Arc::new(state.packages.get(&state.store, revision).await?);
            let (of, name) = (files.clone(), revision.problem.to_string());
            let loading = blocking(move || {
                // Testcases are not shown, but for samples, which are checked when they are read.
                of.check(|path| path.starts_with("data/") && !path.ends_with(".yaml"))?;
                Ok(problems::load_as(of.root(), &name, Mode::Lenient)?.package)
            });
            match (loading.await, Arc::try_unwrap(files)) {
                (Ok(package), Ok(files)) => break Readable { package, files },
                (Err(CacheError::Damaged { path }), Ok(files)) if tries < 3 => {
                    tracing::warn!(package = %revision.package, path, "fetched again");
                    state.packages.put_aside(revision.package, &files).await?;
                }
                (Err(error), _) => return Err(error.into()),
                (Ok(_), Err(_)) => {}
            }
        };
        let readable = Arc::new(readable);
        keep(&self.loaded, revision.package, readable.clone());
        Ok(readable)
    }
}

fn yes() -> bool {
    true
}

/// The revision that is to be current.
fn expected(if_match: Option<&str>, if_none_match: Option<&str>) -> Result<Option<u32>, ApiError> {
    match (if_match, if_none_match) {
        (None, None) => Ok(None),
        (None, Some("*")) => Ok(Some(0)),
        (None, Some(_)) => Err(ApiError::parameter("If-None-Match", "`If-None-Match` can only be `*`")),
        (Some(tag), _) => {
            let number = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag);
            number.parse().map(Some).map_err(|_| {
                ApiError::parameter(
                    "If-Match",
                    "`If-Match` must be the ETag of a revision, for example \"3\"",
                )
            })
        }
    }
}

/// A revision of a problem, the current one where none is named.
pub(super) async fn find(
    state: &State,
    id: &str,
    revision: Option<u32>,
) -> Result<ProblemPublished, ApiError> {
    let problem: ProblemId = id.parse().map_err(|_| ApiError::not_found("problem", id))?;
    let history = state.judge.revisions(&problem).await?;
    let Some(last) = history.last() else { return Err(ApiError::not_found("problem", id)) };
    match revision {
        None => Ok(last.clone()),
        Some(number) => history
            .iter()
            .find(|found| found.revision == number)
            .cloned()
            .ok_or_else(|| ApiError::no_revision(number, id)),
    }
}

/// The page of a statement.
fn page_of(readable: &Arc<Readable>, path: &str, problem: &str, revision: u32) -> Result<String, CacheError> {
    let statement = readable.package.statements.iter().find(|statement| statement.path == path);
    let (language, kind) = match statement {
        Some(statement) => (statement.language.as_str(), statement.kind),
        None => ("en", StatementKind::Markdown),
    };
    let constants = &readable.package.constants;
    let text = match kind {
        StatementKind::Tex => readable.files.read(path)?,
        _ => constants.put_into(readable.files.read(path)?),
    };
    // Old packages are in whatever encoding their TeX took.
    let text = String::from_utf8_lossy(&text);
    let mut text = text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned();
    if kind == StatementKind::Tex && !constants.is_empty() {
        text = with_constants(&text, constants);
    }
    let samples = samples_of(readable)?;
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let (of, problem) = (readable.clone(), problem.to_owned());
    let image = move |name: &str| {
        let (path, kind) = image_in(&of.files, &folder, name)?;
        let name = percent_encoded(path.strip_prefix(&folder)?.trim_start_matches('/'));
        let address = format!("/v1/problems/{problem}/statement/images/{name}?revision={revision}");
        Some(if kind == PDF { Figure::Document(address) } else { Figure::Picture(address) })
    };
    Ok(statements::page(&Statement {
        text: &text,
        markup: if kind == StatementKind::Tex { Markup::Tex } else { Markup::Markdown },
        language,
        title: readable.package.title(&[language]),
        samples: &samples,
        image: Arc::new(image),
    }))
}

/// TeX with the constants in the places of `\constant{name}`. One that there is not stays visible as it is written.
fn with_constants(tex: &str, constants: &Constants) -> String {
    const COMMAND: &str = "\\constant{";
    let mut out = String::with_capacity(tex.len());
    let mut rest = tex;
    while let Some((before, after)) = rest.split_once(COMMAND) {
        out.push_str(before);
        match after.split_once('}').and_then(|(name, after)| Some((constants.get(name.trim())?, after))) {
            Some((text, after)) => {
                out.push_str(text);
                rest = after;
            }
            None => {
                out.push_str(COMMAND);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The samples as contestants are to see them: what is there to be shown goes before what is run.
fn samples_of(readable: &Readable) -> Result<Vec<ShownSample>, CacheError> {
    let files = &readable.files;
    let in_samples = |path: &&str| path.starts_with("data/sample/") && !path.contains(".files/");
    let names: BTreeSet<&str> = (files.files().filter(in_samples))
        .filter_map(|path| {
            [".interaction", ".in.statement", ".in"].iter().find_map(|end| path.strip_suffix(end))
        })
        .collect();
    let shown = |paths: &[String]| -> Result<Option<String>, CacheError> {
        let Some(path) = paths.iter().find(|path| files.has(path)) else { return Ok(None) };
        let mut bytes = files.read(path)?;
        let is_cut = bytes.len() > SAMPLE_BYTES_MAX;
        bytes.truncate(SAMPLE_BYTES_MAX);
        let text = String::from_utf8_lossy(&bytes);
        Ok(Some(if is_cut { format!("{text}\n[…]") } else { text.into_owned() }))
    };
    let mut samples = Vec::new();
    for name in names {
        let interaction = format!("{name}.interaction");
        if files.has(&interaction) {
            let lines = shown(&[interaction])?.unwrap_or_default();
            samples.push(ShownSample::Interaction(lines));
            continue;
        }
        if readable.package.hides_sample_files() {
            continue;
        }
        let input = shown(&[format!("{name}.in.statement"), format!("{name}.in")])?;
        let answers = ["ans.statement", "out", "ans"].map(|end| format!("{name}.{end}"));
        let answer = shown(&answers)?;
        if let (Some(input), Some(answer)) = (input, answer) {
            samples.push(ShownSample::Files { input, answer });
        }
    }
    Ok(samples)
}

/// The path and media type of an image that a statement in this folder names, with or without its extension. Only
/// names that the package has can be found, so none leads out of it.
fn image_in(files: &CachedPackage, folder: &str, name: &str) -> Option<(String, &'static str)> {
    let name = name.strip_prefix("./").unwrap_or(name);
    let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    let kind_of = |path: &str| {
        let extension = path.rsplit_once('.')?.1.to_ascii_lowercase();
        IMAGES.iter().find(|(known, _)| *known == extension).map(|(_, kind)| *kind)
    };
    if let Some(kind) = kind_of(&path).filter(|_| files.has(&path)) {
        return Some((path, kind));
    }
    IMAGES.iter().find_map(|(extension, kind)| {
        let path = format!("{path}.{extension}");
        files.has(&path).then_some((path, *kind))
    })
}

fn recall<K: PartialEq, V: Clone>(kept: &Mutex<Vec<(K, V)>>, key: &K) -> Option<V> {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let at = kept.iter().position(|(of, _)| of == key)?;
    let entry = kept.remove(at);
    let value = entry.1.clone();
    kept.push(entry);
    Some(value)
}

fn keep<K: PartialEq, V>(kept: &Mutex<Vec<(K, V)>>, key: K, value: V) {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.retain(|(of, _)| *of != key);
    if kept.len() >= KEPT_MAX {
        kept.remove(0);
    }
    kept.push((key, value));
}

/// Runs what reads files where it holds up no other request.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CacheError> + Send + 'static,
) -> Result<T, CacheError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Has a browser save the file under its name, whatever is in that.
fn disposition(name: &str) -> String {
    let name = name.rsplit('/').next().unwrap_or(name);
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' })
        .collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", percent_encoded(name))
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// A file of a package, served as what it is.
struct FileAnswer {
    bytes: Vec<u8>,
    kind: &'static str,
    disposition: Option<String>,
    tag: String,
}

impl FileAnswer {
    fn new(bytes: Vec<u8>, kind: &'static str, revision: &ProblemPublished) -> Self {
        Self { bytes, kind, disposition: None, tag: tag_of(revision.revision) }
    }

    /// What a browser may do with it: show it, and with a page its images and its style, and run nothing.
    fn policy(&self) -> String {
        match self.kind {
            PAGE => format!(
                "default-src 'none'; img-src 'self'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
                *statements::STYLE_DIGEST
            ),
            // Browsers show PDFs with their own viewer, which a sandbox would keep out.
            PDF => "default-src 'none'; object-src 'self'; plugin-types application/pdf".to_owned(),
            _ => "default-src 'none'; style-src 'unsafe-inline'; sandbox".to_owned(),
        }
    }
}

impl IntoResponse for FileAnswer {
    fn into_response(self) -> Response {
        let policy = self.policy();
        let mut response = Response::builder()
            .status(StatusCode::OK)
            .content_type(self.kind)
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .header(header::CONTENT_SECURITY_POLICY, policy)
            .header(header::REFERRER_POLICY, "no-referrer")
            .header(header::ETAG, self.tag)
            .body(self.bytes);
        if let Some(value) = self.disposition.and_then(|text| HeaderValue::from_str(&text).ok()) {
            response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
        }
        response
    }
}

impl ApiResponse for FileAnswer {
    fn meta() -> MetaResponses {
        let binary = || {
            MetaSchemaRef::Inline(Box::new(MetaSchema {
                format: Some("binary"),
                ..MetaSchema::new("string")
            }))
        };
        let content = ["text/html", PDF, "image/*", "application/octet-stream"];
        let content = content.map(|content_type| MetaMediaType { content_type, schema: binary() });
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The file",
                status: Some(200),
                status_range: None,
                content: content.into(),
                headers: vec![],
            }],
        }
    }

    fn register(_: &mut Registry) {}
}
