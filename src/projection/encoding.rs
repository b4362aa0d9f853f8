//! How the domain's types lie in sled: compact bincode of checked values. Written and read by this build only.

use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};
use jiff::Timestamp;

use crate::domain::event::CompileOutcome;
use crate::domain::ids::{
    ContestId, LanguageId, ProblemId, Sha256Digest, SubmissionId, TestcaseName, UserId, WorkerId,
};
use crate::domain::verdict::{Exit, Verdict};

/// A point in time, in nanoseconds since 1970: up to the year 2262, clamped beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Time(i64);

impl Time {
    /// The time as it was recorded.
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or_default()
    }

    /// Milliseconds since 1970, rounded down.
    pub(super) fn milliseconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

impl From<Timestamp> for Time {
    fn from(timestamp: Timestamp) -> Self {
        let nanoseconds = timestamp.as_nanosecond();
        Self(i64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX }))
    }
}

/// Encodes `$name` as the value of `$stored` that `$to` makes of it, and decodes it with `$from`.
macro_rules! stored_as {
    ($name:ty, $stored:ty, $to:expr, $from:expr) => {
        impl Encode for $name {
            fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
                let to: fn(&$name) -> $stored = $to;
                to(self).encode(encoder)
            }
        }

        impl<C> Decode<C> for $name {
            fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
                let from: fn($stored) -> Option<$name> = $from;
                from(<$stored>::decode(decoder)?).ok_or(DecodeError::Other(stringify!($name)))
            }
        }

        impl<'de, C> BorrowDecode<'de, C> for $name {
            fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
                decoder: &mut D,
            ) -> Result<Self, DecodeError> {
                Self::decode(decoder)
            }
        }
    };
}

macro_rules! stored_as_text {
    ($($name:ty),*) => {
        $(stored_as!($name, String, |id| id.as_str().to_owned(), |text| text.parse().ok());)*
    };
}
stored_as_text!(ProblemId, UserId, ContestId, WorkerId, LanguageId, TestcaseName);

stored_as!(SubmissionId, [u8; 16], |id| *id.as_bytes(), |bytes| Some(SubmissionId::from_bytes(bytes)));
stored_as!(Sha256Digest, [u8; 32], |digest| *digest.as_bytes(), |bytes| Some(Sha256Digest::from_bytes(
    bytes
)));
stored_as!(Verdict, String, |verdict| verdict.code().to_owned(), |code| code.parse().ok());
stored_as!(
    Exit,
    (bool, u8),
    |exit| match exit {
        Exit::Code(code) => (false, *code),
        Exit::Signal(signal) => (true, *signal),
    },
    |(is_signal, number)| Some(if is_signal { Exit::Signal(number) } else { Exit::Code(number) })
);
stored_as!(
    CompileOutcome,
    u8,
    |outcome| match outcome {
        CompileOutcome::Succeeded => 0,
        CompileOutcome::Failed => 1,
        CompileOutcome::LimitExceeded => 2,
    },
    |code| match code {
        0 => Some(CompileOutcome::Succeeded),
        1 => Some(CompileOutcome::Failed),
        2 => Some(CompileOutcome::LimitExceeded),
        _ => None,
    }
);
