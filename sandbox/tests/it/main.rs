//! The sandbox as its users and its enemies meet it: real keepers, real compilers, hostile programs.
//!
//! Run it as root and as an ordinary user (`setpriv --reuid 65534 --clear-groups --bounding-set=-all …`): both must pass.

mod attacks;
mod builds;
mod contract;
mod endurance;
mod harness;
mod languages;
mod lifetime;
mod pairs;
mod singles;
mod tidy;
mod warm;
