//! Assize: an event-sourced judge for competitive programming.
//!
//! The tour: [`domain`] holds the rules, pure. [`judge`] is the one use case: it loads a history from the
//! [`store`], folds it, decides, and appends. [`problems`] and [`languages`] read packages and language files,
//! [`checktestdata`] the descriptions of inputs;
//! [`polygon`] makes packages of Polygon's; [`publish`] brings a package into the history, [`package_cache`] keeps them
//! on disk, [`statements`] makes HTML of theirs. A [`worker`] draws submissions, judges them in the sandbox and
//! records what came of it; the [`projection`] folds the history into a read model, which the [`api`] serves.
//! [`nats_server`], [`data_dir`] and [`streams`] see to the server, the data directory and the streams;
//! [`cli`] puts it all together.
#![forbid(unsafe_code)]

pub mod api;
pub mod checktestdata;
pub mod cli;
pub mod data_dir;
pub mod domain;
pub mod error_chain;
pub mod judge;
pub mod languages;
pub mod nats_server;
pub mod package_cache;
pub mod polygon;
pub mod problems;
pub mod projection;
pub mod publish;
pub mod statements;
pub mod store;
pub mod streams;
pub mod verify;
pub mod worker;
