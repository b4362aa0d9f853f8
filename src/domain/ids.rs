//! The identifiers of the domain: parsed once at the edge, after that the type is the proof.
//!
//! Identifiers that become a token of a NATS subject (`ProblemId`, `UserId`, `ContestId`) allow only
//! `[A-Za-z0-9_-]`, so that a name can never add a token or a wildcard to a subject.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A text that is not a valid identifier: what was read, what it should have been, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {kind}: {rule}")]
pub struct InvalidId {
    /// The kind of identifier, as a person would say it.
    pub kind: &'static str,
    /// The text that was refused, shortened to 64 characters.
    pub text: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

impl InvalidId {
    fn new(kind: &'static str, text: &str, rule: &'static str) -> Self {
        Self { kind, text: text.chars().take(64).collect(), rule }
    }
}

/// Declares an identifier that is a checked string: `Display`, `FromStr`, serde by way of `FromStr`.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $pattern:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(#[schemars(regex(pattern = $pattern))] String);

        impl $name {
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $check;
                if valid(text) { Ok(Self(text.to_owned())) } else { Err(InvalidId::new($kind, text, $rule)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// Whether `text` may be one token of a subject: 1 to 40 of `[A-Za-z0-9_-]`, and not the `_` that stands for
/// "none".
fn is_subject_token(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text != "_"
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

text_id!(
    /// The short name of a problem, for example `a`.
    ProblemId,
    "problem id",
    "1 to 40 of the characters A-Z, a-z, 0-9, _ and -, and not `_` alone",
    r"^[A-Za-z0-9_-]{1,40}$",
    is_subject_token
);
text_id!(
    /// The name of the person or team that submitted.
    UserId,
    "user id",
    "1 to 40 of the characters A-Z, a-z, 0-9, _ and -, and not `_` alone",
    r"^[A-Za-z0-9_-]{1,40}$",
    is_subject_token
);
text_id!(
    /// The short name of a contest.
    ContestId,
    "contest id",
    "1 to 40 of the characters A-Z, a-z, 0-9, _ and -, and not `_` alone",
    r"^[A-Za-z0-9_-]{1,40}$",
    is_subject_token
);
text_id!(
    /// The name of a worker: unique among the workers that run at one time.
    WorkerId,
    "worker id",
    "1 to 40 of the characters A-Z, a-z, 0-9, _ and -, and not `_` alone",
    r"^[A-Za-z0-9_-]{1,40}$",
    is_subject_token
);
text_id!(
    /// The code of a language, for example `cpp17`.
    LanguageId,
    "language code",
    "1 to 32 of the characters a-z, 0-9, _, + and -",
    r"^[a-z0-9_+-]{1,32}$",
    |text| {
        (1..=32).contains(&text.len())
            && text.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'+' | b'-')
            })
    }
);
text_id!(
    /// The routing class of a language: which consumer carries its submissions, for example `standard`.
    RoutingClass,
    "routing class",
    "1 to 24 of the characters a-z and 0-9",
    r"^[a-z0-9]{1,24}$",
    |text| {
        (1..=24).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    }
);
text_id!(
    /// The name of a testcase within its package, for example `secret/03-large`: path segments without `.in`.
    TestcaseName,
    "testcase name",
    "1 to 255 characters without control characters",
    r"^[^\x00-\x1f\x7f]{1,255}$",
    |text| (1..=255).contains(&text.chars().count()) && !text.chars().any(char::is_control)
);

/// A submission: UUIDv7 where the server chose it (time-ordered), UUIDv8 where it was derived from an
/// idempotency key (so that a retry names the same submission).
///
/// Its last byte is the partition of the history that holds it, so that a subject can be built from an id
/// alone. There is one partition now, `00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SubmissionId(Uuid);

impl SubmissionId {
    /// A new id from the time in milliseconds since 1970 and ten random bytes.
    pub fn mint(unix_ms: u64, random: [u8; 10]) -> Self {
        let mut random = random;
        random[9] = 0;
        Self(uuid::Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid())
    }

    /// The id that belongs to a user's idempotency key: the same for every retry.
    pub fn from_key(user: &UserId, key: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"assize submission\0");
        hasher.update(user.as_str());
        hasher.update(b"\0");
        hasher.update(key);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hasher.finalize()[..16]);
        bytes[15] = 0;
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// The partition of the history, 0 to 255.
    pub fn partition(&self) -> u8 {
        self.0.as_bytes()[15]
    }

    /// The sixteen bytes, big-endian.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id with these sixteen bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl FromStr for SubmissionId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        // Only the hyphenated lower-case form: one submission has one spelling, in paths and in subjects.
        let rule = "a UUID as 32 lower-case hexadecimal digits in groups of 8-4-4-4-12";
        match Uuid::try_parse(text) {
            Ok(uuid) if uuid.hyphenated().to_string() == text => Ok(Self(uuid)),
            _ => Err(InvalidId::new("submission id", text, rule)),
        }
    }
}

impl fmt::Display for SubmissionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// A SHA-256 digest, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256Digest(#[schemars(with = "String", regex(pattern = r"^[0-9a-f]{64}$"))] [u8; 32]);

impl Sha256Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest with these 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl FromStr for Sha256Digest {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let mut bytes = [0; 32];
        let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if lower => Ok(Self(bytes)),
            _ => Err(InvalidId::new("SHA-256 digest", text, "64 lower-case hexadecimal digits")),
        }
    }
}

impl TryFrom<String> for Sha256Digest {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<Sha256Digest> for String {
    fn from(digest: Sha256Digest) -> String {
        digest.to_string()
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_inject_into_a_subject() {
        for bad in ["", "_", "a.b", "*", ">", "a b", "é", "x\n", &"a".repeat(41)] {
            assert!(bad.parse::<ProblemId>().is_err(), "{bad:?}");
            assert!(bad.parse::<UserId>().is_err(), "{bad:?}");
        }
        assert!("a+b".parse::<ProblemId>().is_err());
        assert!("sum_of-2".parse::<ProblemId>().is_ok());
        assert!("secret/1\n".parse::<TestcaseName>().is_err());
        assert!("secret/01 größe".parse::<TestcaseName>().is_ok());
        assert!(serde_json::from_str::<ProblemId>("\"a.>\"").is_err());
    }

    #[test]
    fn a_minted_id_is_version_7_and_lies_in_partition_0() {
        let id = SubmissionId::mint(1_700_000_000_000, [0xff; 10]);
        assert_eq!(id.to_string(), "018bcfe5-6800-7fff-bfff-ffffffffff00");
        assert_eq!(id.partition(), 0);
        assert_eq!(id.to_string().parse::<SubmissionId>().expect("round trip"), id);
        assert!("018BCFE5-6800-7FFF-BFFF-FFFFFFFFFF00".parse::<SubmissionId>().is_err());
        assert!("018bcfe568007fffbfffffffffffff00".parse::<SubmissionId>().is_err());
    }

    #[test]
    fn a_key_names_one_submission_per_user() {
        let ann = "ann".parse().expect("user");
        let bob = "bob".parse().expect("user");
        assert_eq!(SubmissionId::from_key(&ann, "k"), SubmissionId::from_key(&ann, "k"));
        assert_ne!(SubmissionId::from_key(&ann, "k"), SubmissionId::from_key(&bob, "k"));
        assert_ne!(SubmissionId::from_key(&ann, "k"), SubmissionId::from_key(&ann, "l"));
    }

    #[test]
    fn a_digest_is_lower_case_hex() {
        let digest = Sha256Digest::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.parse::<Sha256Digest>().expect("digest"), digest);
        assert!(text.to_uppercase().parse::<Sha256Digest>().is_err());
    }
}
