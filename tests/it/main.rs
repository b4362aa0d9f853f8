//! The integration suite: one binary, with a real nats-server, real compilers, the real sandbox.

#![expect(clippy::disallowed_methods, reason = "tests run programs and read the clock")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, helpers included")]

mod api;
mod architecture;
mod cli_events;
mod cli_problem;
mod cli_submit;
mod contract;
mod external;
mod feature_packages;
mod foreign;
mod harness;
mod judging;
mod nats_server;
mod package_cache;
mod polygon;
mod projection;
mod publish;
mod real_packages;
mod resilience;
mod scoring;
mod streams;
mod up;
