//! One read model on disk: a sled tree of rows, advanced a batch at a time, read under one sequence.
//!
//! A batch of events and the sequence that they end at go into one `sled::Batch`, so that a crash repeats or skips
//! nothing. Nothing here is worth saving: whatever cannot be read is built anew from the history.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::{Duration, Instant};

use bincode::{Decode, Encode};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::domain::ids::{LanguageId, ProblemId, Sha256Digest, SubmissionId, UserId};
use crate::domain::verdict::Verdict;
use crate::store::StoredEvent;

use super::fold;
use super::rows::{self, List, ProblemRow, SubmissionRow, TestcaseRow};

/// Hash of the code that decides what the rows are: other code, other rows, and they are built anew.
static SCHEMA: LazyLock<Sha256Digest> = LazyLock::new(|| {
    Sha256Digest::of(
        concat!(include_str!("rows.rs"), include_str!("fold.rs"), include_str!("encoding.rs")).as_bytes(),
    )
});
/// How much of the tree sled keeps in memory.
const CACHE_BYTES: u64 = 128 << 20;
/// How long one that is closed may still be locked, and how often that is looked at.
const CLOSING_MAX: Duration = Duration::from_secs(1);
const CLOSING_PAUSE: Duration = Duration::from_millis(20);
/// How many rows one page of a list may look at before it ends early.
const SCAN_ROWS_MAX: usize = 5_000;

/// A read model cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Another process has it open.
    #[error("the read model {} is in use by another process", path.display())]
    InUse {
        /// Its folder.
        path: PathBuf,
    },
    /// It cannot be opened, or was written by other code: it must be built anew.
    #[error("the read model {} cannot be used: {reason}", path.display())]
    Unusable {
        /// Its folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The folder of read models cannot be written.
    #[error("cannot write to {}", path.display())]
    Folder {
        /// What could not be written.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The disk failed or is full.
    #[error("the read model failed")]
    Sled(#[from] sled::Error),
    /// A row cannot be read.
    #[error("the read model has an unreadable row: {row}")]
    Row {
        /// Which.
        row: String,
        /// Why.
        #[source]
        source: bincode::error::DecodeError,
    },
    /// Events are missing between the model's last and those that it was given.
    #[error("the read model is at sequence {at} and was given {given}")]
    Gap {
        /// The sequence that it is true at.
        at: u64,
        /// The sequence that does not follow.
        given: u64,
    },
    /// A row cannot be written.
    #[error("a row cannot be encoded")]
    Encode(#[from] bincode::error::EncodeError),
}

/// A read model.
pub struct Model {
    // An option only so that it is closed before its folder is removed.
    db: Option<sled::Db>,
    folder: PathBuf,
    /// The sequence that the rows are true at. Held for writing while a batch is applied, so that a reader never
    /// sees half of one.
    sequence: RwLock<u64>,
    remove_when_closed: AtomicBool,
}

impl Model {
    /// Opens a model or creates an empty one.
    pub(super) fn open(folder: &Path) -> Result<Self, ModelError> {
        let begun = Instant::now();
        loop {
            match Self::try_open(folder) {
                // The threads of one that was closed just now may hold its lock for a moment more.
                Err(ModelError::InUse { .. }) if begun.elapsed() < CLOSING_MAX => {
                    thread::sleep(CLOSING_PAUSE)
                }
                other => return other,
            }
        }
    }

    fn try_open(folder: &Path) -> Result<Self, ModelError> {
        let unusable = |reason: String| ModelError::Unusable { path: folder.to_owned(), reason };
        // After a power cut sled 0.34 may panic at open (1 of 40 tries).
        let opened = catch_unwind(AssertUnwindSafe(|| -> Result<(sled::Db, u64), ModelError> {
            let db = sled::Config::new()
                .path(folder)
                .cache_capacity(CACHE_BYTES)
                .flush_every_ms(Some(500))
                .open()?;
            match db.get(rows::SCHEMA)? {
                Some(schema) if schema.as_ref() == SCHEMA.as_bytes() => {}
                None if db.is_empty() => {
                    db.insert(rows::SCHEMA, SCHEMA.as_bytes())?;
                }
                _ => return Err(unusable("it was written by other code".to_owned())),
            }
            let sequence = number(db.get(rows::SEQUENCE)?);
            Ok((db, sequence))
        }));
        match opened {
            Ok(Ok((db, sequence))) => Ok(Self {
                db: Some(db),
                folder: folder.to_owned(),
                sequence: RwLock::new(sequence),
                remove_when_closed: AtomicBool::new(false),
            }),
            // A plain `Other` with this text is all that sled says of a lock that somebody else holds.
            Ok(Err(ModelError::Sled(sled::Error::Io(error))))
                if error.to_string().contains("could not acquire lock") =>
            {
                Err(ModelError::InUse { path: folder.to_owned() })
            }
            Ok(Err(error @ ModelError::Unusable { .. })) => Err(error),
            Ok(Err(ModelError::Sled(sled::Error::Io(source)))) => {
                Err(ModelError::Folder { path: folder.to_owned(), source })
            }
            Ok(Err(error)) => Err(unusable(error.to_string())),
            Err(_panic) => Err(unusable("it is damaged".to_owned())),
        }
    }

    /// What names the code that wrote a model, in the name of its folder.
    pub(super) fn schema() -> String {
        hex::encode(&SCHEMA.as_bytes()[..6])
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The sequence that it is true at.
    pub fn sequence(&self) -> u64 {
        *self.sequence.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the model as it is at one sequence.
    pub fn view(&self) -> View<'_> {
        View { db: self.db(), sequence: self.sequence.read().unwrap_or_else(PoisonError::into_inner) }
    }

    /// The id of the event that the model ends with.
    pub(super) fn last_event(&self) -> Result<Option<String>, ModelError> {
        Ok(self.db().get(rows::EVENT)?.map(|id| String::from_utf8_lossy(&id).into_owned()))
    }

    /// Takes events in, all or none. Those that it has already are passed over; the others must follow on it.
    pub(super) fn apply(&self, events: &[StoredEvent]) -> Result<(), ModelError> {
        let from = self.sequence();
        let Some(last) = events.last().filter(|last| last.recorded.sequence > from) else { return Ok(()) };
        let mut draft = Draft::new(self.db())?;
        let mut at = from;
        for event in events.iter().filter(|event| event.recorded.sequence > from) {
            let given = event.recorded.sequence;
            if given != at + 1 {
                return Err(ModelError::Gap { at, given });
            }
            fold::apply(&mut draft, event)?;
            at = given;
        }
        let sequence = last.recorded.sequence;
        draft.put_raw(rows::SEQUENCE.to_vec(), sequence.to_be_bytes().to_vec());
        draft.put_raw(rows::EVENT.to_vec(), last.recorded.envelope.id.clone().into_bytes());
        let batch = draft.finish()?;
        let mut applied = self.sequence.write().unwrap_or_else(PoisonError::into_inner);
        self.db().apply_batch(batch)?;
        *applied = sequence;
        Ok(())
    }

    /// SHA-256 over all keys and values in order, each with its length before it.
    pub fn digest(&self) -> Result<Sha256Digest, ModelError> {
        let mut hasher = Sha256::new();
        for entry in self.db().iter() {
            let (key, value) = entry?;
            for part in [&key, &value] {
                hasher.update((part.len() as u64).to_be_bytes());
                hasher.update(part);
            }
        }
        Ok(Sha256Digest::from_bytes(hasher.finalize().into()))
    }

    /// The first difference between two models in the order of keys, in words.
    pub(super) fn first_difference(&self, other: &Self) -> Result<Option<String>, ModelError> {
        let (mut ours, mut theirs) = (self.db().iter(), other.db().iter());
        loop {
            let (our, their) = (ours.next().transpose()?, theirs.next().transpose()?);
            return Ok(Some(match (our, their) {
                (None, None) => return Ok(None),
                (Some(our), Some(their)) if our == their => continue,
                (Some((our, our_value)), Some((their, their_value))) if our == their => {
                    format!(
                        "{}: {} here, {} in the rebuilt model",
                        rows::describe(&our),
                        in_words(&our, &our_value),
                        in_words(&our, &their_value)
                    )
                }
                (Some((our, _)), Some((their, _))) if our < their => {
                    format!("{} is not in the rebuilt model", rows::describe(&our))
                }
                (Some((our, _)), None) => {
                    format!("{} is not in the rebuilt model", rows::describe(&our))
                }
                (_, Some((their, _))) => format!("{} is only in the rebuilt model", rows::describe(&their)),
            }));
        }
    }

    /// Writes everything to the disk.
    pub(super) fn flush(&self) -> Result<(), ModelError> {
        self.db().flush()?;
        Ok(())
    }

    /// Removes the folder once the last reader has gone.
    pub(super) fn remove_when_closed(&self) {
        self.remove_when_closed.store(true, Ordering::Relaxed);
    }

    fn db(&self) -> &sled::Db {
        self.db.as_ref().expect("the model is closed only by being dropped")
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        drop(self.db.take());
        if self.remove_when_closed.load(Ordering::Relaxed)
            && let Err(error) = std::fs::remove_dir_all(&self.folder)
        {
            tracing::warn!(folder = %self.folder.display(), %error, "an old read model could not be removed");
        }
    }
}

/// A model at one sequence. Short-lived: no event is applied while it is held.
pub struct View<'a> {
    db: &'a sled::Db,
    sequence: RwLockReadGuard<'a, u64>,
}

/// Which submissions a list shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Only of this problem.
    pub problem: Option<ProblemId>,
    /// Only of this user.
    pub user: Option<UserId>,
    /// Only in this language.
    pub language: Option<LanguageId>,
    /// Only with this verdict.
    pub verdict: Option<Verdict>,
    /// Only those submitted at this time or later.
    pub since: Option<Timestamp>,
    /// Only those submitted before this time.
    pub until: Option<Timestamp>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The submissions, the newest first.
    pub submissions: Vec<SubmissionRow>,
    /// After which submission the next page begins; none at the end.
    pub next: Option<SubmissionId>,
}

impl View<'_> {
    /// The sequence that everything seen here is true at.
    pub fn sequence(&self) -> u64 {
        *self.sequence
    }

    /// A submission.
    pub fn submission(&self, id: SubmissionId) -> Result<Option<SubmissionRow>, ModelError> {
        get(self.db, &rows::submission(id))
    }

    /// The id of the submission with this rank.
    pub fn submission_of_rank(&self, rank: u64) -> Result<Option<SubmissionId>, ModelError> {
        let bytes = self.db.get(rows::rank(rank))?;
        Ok(bytes.and_then(|bytes| <[u8; 16]>::try_from(bytes.as_ref()).ok()).map(SubmissionId::from_bytes))
    }

    /// How many submissions there are.
    pub fn submissions_total(&self) -> Result<u64, ModelError> {
        Ok(number(self.db.get(rows::SUBMISSIONS)?))
    }

    /// The judged testcases of a judging, in order.
    pub fn testcases(&self, id: SubmissionId, judging: u32) -> Result<Vec<TestcaseRow>, ModelError> {
        let chunks: Vec<Vec<TestcaseRow>> = self.scan(&rows::testcases(id, judging))?;
        Ok(chunks.into_iter().flatten().collect())
    }

    /// What the compiler said, where it said something.
    pub fn diagnostics(&self, id: SubmissionId, judging: u32) -> Result<Option<String>, ModelError> {
        let text = self.db.get(rows::diagnostics(id, judging))?;
        Ok(text.map(|text| String::from_utf8_lossy(&text).into_owned()))
    }

    /// A problem.
    pub fn problem(&self, problem: &ProblemId) -> Result<Option<ProblemRow>, ModelError> {
        get(self.db, &rows::problem(problem.as_str()))
    }

    /// All problems by name.
    pub fn problems(&self) -> Result<Vec<ProblemRow>, ModelError> {
        self.scan(&rows::problem(""))
    }

    /// A page of the submissions that pass the filter: by the time they were submitted, the newest first, after
    /// the submission `after`. A page ends early where too many were looked at; `next` says whether more follow.
    pub fn list(
        &self,
        filter: &Filter,
        after: Option<&SubmissionRow>,
        limit: usize,
    ) -> Result<Page, ModelError> {
        // The list that is likely to be the shortest; what it does not filter is looked at row by row.
        let list = match filter {
            Filter { user: Some(user), .. } => List::User(user),
            Filter { problem: Some(problem), .. } => List::Problem(problem),
            Filter { verdict: Some(verdict), .. } => List::Verdict(*verdict),
            Filter { language: Some(language), .. } => List::Language(language),
            _ => List::All,
        };
        let prefix = list.prefix();
        let mut from = prefix.clone();
        if let Some(after) = after {
            from = list.key(after.submitted_at, after.rank);
            from.push(0);
        }
        if let Some(until) = filter.until {
            from = from.max([prefix.as_slice(), &rows::newest_first(until.as_millisecond())].concat());
        }
        let mut page = Page { submissions: vec![], next: None };
        let mut last_seen = None;
        for (looked_at, entry) in self.db.range(from..).enumerate() {
            let (key, value) = entry?;
            let Some(rest) = key.strip_prefix(prefix.as_slice()) else { break };
            if let Some(since) = filter.since
                && rest.get(..8) > Some(rows::newest_first(since.as_millisecond()).as_slice())
            {
                break;
            }
            if page.submissions.len() == limit || looked_at == SCAN_ROWS_MAX {
                page.next = last_seen;
                break;
            }
            let Ok(id) = <[u8; 16]>::try_from(value.as_ref()).map(SubmissionId::from_bytes) else { continue };
            last_seen = Some(id);
            if let Some(row) = self.submission(id)?
                && filter.admits(&row)
            {
                page.submissions.push(row);
            }
        }
        Ok(page)
    }

    fn scan<T: Decode<()>>(&self, prefix: &[u8]) -> Result<Vec<T>, ModelError> {
        self.db
            .scan_prefix(prefix)
            .map(|entry| {
                let (key, value) = entry?;
                decode(&key, &value)
            })
            .collect()
    }
}

impl Filter {
    fn admits(&self, row: &SubmissionRow) -> bool {
        let submitted_at = row.submitted_at.timestamp();
        self.problem.as_ref().is_none_or(|problem| *problem == row.problem)
            && self.user.as_ref().is_none_or(|user| *user == row.user)
            && self.language.as_ref().is_none_or(|language| *language == row.language)
            && self.verdict.is_none_or(|verdict| Some(verdict) == row.verdict())
            && self.since.is_none_or(|since| submitted_at >= since)
            && self.until.is_none_or(|until| submitted_at < until)
    }
}

/// The changes of one batch: each row is read once, changed in memory by all its events, and written once.
pub(super) struct Draft<'a> {
    db: &'a sled::Db,
    submissions: HashMap<SubmissionId, SubmissionRow>,
    testcases: HashMap<(SubmissionId, u32, u32), Vec<TestcaseRow>>,
    changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    submissions_total: u64,
}

impl<'a> Draft<'a> {
    fn new(db: &'a sled::Db) -> Result<Self, ModelError> {
        let submissions_total = number(db.get(rows::SUBMISSIONS)?);
        Ok(Self {
            db,
            submissions: HashMap::new(),
            testcases: HashMap::new(),
            changes: BTreeMap::new(),
            submissions_total,
        })
    }

    /// A submission's row for changing; it must be returned.
    pub(super) fn take_submission(&mut self, id: SubmissionId) -> Result<Option<SubmissionRow>, ModelError> {
        match self.submissions.remove(&id) {
            Some(row) => Ok(Some(row)),
            None => get(self.db, &rows::submission(id)),
        }
    }

    pub(super) fn return_submission(&mut self, row: SubmissionRow) {
        self.submissions.insert(row.id, row);
    }

    /// Puts a testcase in its place among those of its judging.
    pub(super) fn put_testcase(
        &mut self,
        id: SubmissionId,
        judging: u32,
        testcase: TestcaseRow,
    ) -> Result<(), ModelError> {
        let place = (id, judging, rows::chunk_of(testcase.index));
        let chunk = match self.testcases.entry(place) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let stored = get(self.db, &rows::testcase_chunk(place.0, place.1, place.2))?;
                entry.insert(stored.unwrap_or_default())
            }
        };
        match chunk.binary_search_by_key(&testcase.index, |known| known.index) {
            Ok(at) => chunk[at] = testcase,
            Err(at) => chunk.insert(at, testcase),
        }
        Ok(())
    }

    /// The rank of a submission that is being created.
    pub(super) fn next_rank(&mut self) -> u64 {
        self.submissions_total += 1;
        self.submissions_total
    }

    pub(super) fn put<T: Encode>(&mut self, key: Vec<u8>, row: &T) -> Result<(), ModelError> {
        let value = encode(row)?;
        self.put_raw(key, value);
        Ok(())
    }

    pub(super) fn put_raw(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.changes.insert(key, Some(value));
    }

    pub(super) fn remove(&mut self, key: Vec<u8>) {
        self.changes.insert(key, None);
    }

    fn finish(mut self) -> Result<sled::Batch, ModelError> {
        for (id, row) in std::mem::take(&mut self.submissions) {
            self.put(rows::submission(id), &row)?;
        }
        for ((id, judging, chunk), testcases) in std::mem::take(&mut self.testcases) {
            self.put(rows::testcase_chunk(id, judging, chunk), &testcases)?;
        }
        if self.submissions_total > 0 {
            self.put_raw(rows::SUBMISSIONS.to_vec(), self.submissions_total.to_be_bytes().to_vec());
        }
        let mut batch = sled::Batch::default();
        for (key, value) in self.changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        Ok(batch)
    }
}

fn encode<T: Encode>(row: &T) -> Result<Vec<u8>, ModelError> {
    Ok(bincode::encode_to_vec(row, bincode::config::standard())?)
}

fn decode<T: Decode<()>>(key: &[u8], value: &[u8]) -> Result<T, ModelError> {
    match bincode::decode_from_slice(value, bincode::config::standard()) {
        Ok((row, _)) => Ok(row),
        Err(source) => Err(ModelError::Row { row: rows::describe(key), source }),
    }
}

fn get<T: Decode<()>>(db: &sled::Db, key: &[u8]) -> Result<Option<T>, ModelError> {
    db.get(key)?.map(|value| decode(key, &value)).transpose()
}

fn number(bytes: Option<sled::IVec>) -> u64 {
    bytes.and_then(|bytes| <[u8; 8]>::try_from(bytes.as_ref()).ok()).map_or(0, u64::from_be_bytes)
}

/// A row in words, as far as its key tells what it is.
fn in_words(key: &[u8], value: &[u8]) -> String {
    match key.first() {
        Some(b's') => format!("{:?}", decode::<SubmissionRow>(key, value)),
        Some(b't') => format!("{:?}", decode::<Vec<TestcaseRow>>(key, value)),
        Some(b'p') => format!("{:?}", decode::<ProblemRow>(key, value)),
        _ => hex::encode(value),
    }
}
