//! Scores that a validator gives in files, and where it may.

use super::{Aggregation, Grading, InvalidScore, Rules, Score};

/// What a validator gave for a testcase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stated {
    /// `score.txt`: the score.
    Score(Score),
    /// `score_multiplier.txt`: the part of the testcase's points, from 0 to 1.
    Multiplier(Score),
}

/// What it left in its feedback directory. Any bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScoreFiles {
    /// `score.txt`.
    pub score: Option<Vec<u8>>,
    /// `score_multiplier.txt`.
    pub multiplier: Option<Vec<u8>>,
}

/// A score, or none, where the format forbids that: the package's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScoreFault {
    /// Only accepted outputs have scores.
    #[error("gave a score for an output that it did not accept")]
    NotAccepted,
    /// Nothing asks for one.
    #[error("gave a score where it may not")]
    NotAsked,
    /// It must give one.
    #[error("gave no score.txt for an accepted output")]
    Missing,
    /// Only one of the two files may be there.
    #[error("gave both score.txt and score_multiplier.txt")]
    Both,
    /// A part of points without a bound.
    #[error("gave a score_multiplier.txt where the score has no bound")]
    Unbounded,
    /// What it says is out of bounds.
    #[error("gave the score {score}, which is not from 0 to {max}")]
    OutOfBounds {
        /// What it gave.
        score: String,
        /// The most.
        max: String,
    },
    /// What it says is no number.
    #[error("gave a score that is none")]
    Invalid(#[from] InvalidScore),
}

impl Grading {
    /// What the files say of a testcase, if they may be there and say something sensible. In a pass-fail problem nobody
    /// reads them, nor for the samples of 2025-09.
    pub fn stated(
        &self,
        index: u32,
        accepted: bool,
        files: &ScoreFiles,
    ) -> Result<Option<Stated>, ScoreFault> {
        let Some(group) = self.root.holder_of(index).filter(|_| self.scoring) else { return Ok(None) };
        if matches!(group.rules, Rules::Samples | Rules::Whole) {
            return Ok(None);
        }
        let (score, multiplier) = (files.score.as_deref(), files.multiplier.as_deref());
        if !accepted {
            // Validators of legacy packages leave one beside a refusal, and judges of the time did not look.
            let is_legacy = matches!(group.rules, Rules::Legacy(_));
            return if is_legacy || score.is_none() && multiplier.is_none() {
                Ok(None)
            } else {
                Err(ScoreFault::NotAccepted)
            };
        }
        let Rules::Points(rules) = &group.rules else {
            return match score {
                Some(score) if self.custom_score => Ok(Some(Stated::Score(number(score)?))),
                Some(_) => Err(ScoreFault::NotAsked),
                None if self.custom_score => Err(ScoreFault::Missing),
                None => Ok(None),
            };
        };
        if rules.aggregation == Aggregation::PassFail && (score.is_some() || multiplier.is_some()) {
            return Err(ScoreFault::NotAsked);
        }
        let max = group.case_max(rules, index);
        match (score, multiplier) {
            (Some(_), Some(_)) => Err(ScoreFault::Both),
            (Some(score), None) => Ok(Some(Stated::Score(within(number(score)?, max.as_ref())?))),
            (None, Some(_)) if max.is_none() => Err(ScoreFault::Unbounded),
            (None, Some(part)) => Ok(Some(Stated::Multiplier(within(number(part)?, Some(&Score::from(1)))?))),
            (None, None) if max.is_none() && rules.aggregation != Aggregation::PassFail => {
                Err(ScoreFault::Missing)
            }
            (None, None) => Ok(None),
        }
    }
}

fn number(bytes: &[u8]) -> Result<Score, InvalidScore> {
    String::from_utf8_lossy(bytes).trim_ascii().parse()
}

fn within(score: Score, max: Option<&Score>) -> Result<Score, ScoreFault> {
    if score.is_negative() || max.is_some_and(|max| score.exceeds(max)) {
        let max = max.map_or_else(|| "infinity".to_owned(), Score::to_string);
        return Err(ScoreFault::OutOfBounds { score: score.to_string(), max });
    }
    Ok(score)
}
