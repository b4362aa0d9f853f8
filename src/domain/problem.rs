//! The rules of a problem: which revision of its package is current.

use super::event::{Event, ProblemPublished};

/// What is asked of a problem: to publish a package. The revision number in it is ignored; `decide` gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Publish(pub ProblemPublished);

/// A problem as its events tell it: its current revision.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The revision that new submissions are judged by.
    pub current: ProblemPublished,
}

/// The events that publishing leads to. Publishing what is current already changes nothing.
pub fn decide(state: Option<&Problem>, Publish(mut published): Publish) -> Vec<Event> {
    published.revision = match state {
        None => 1,
        Some(problem) if problem.current.package == published.package => return vec![],
        Some(problem) => problem.current.revision + 1,
    };
    vec![published.into()]
}

/// The state after an event.
pub fn evolve(state: Option<Problem>, event: &Event) -> Option<Problem> {
    match event {
        Event::ProblemPublished(published) => Some(Problem { current: published.clone() }),
        _ => state,
    }
}
