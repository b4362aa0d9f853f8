//! What compiling costs, against the same compiler started by hand: with the header of everything compiled ahead, and
//! of a program that was compiled before.

use std::time::Instant;

use anyhow::{Context, ensure};

use crate::domain::event::CompileOutcome;
use crate::languages::Languages;
use crate::languages::sources::Sources;
use crate::worker::compile;
use crate::worker::launch::{LaunchError, Launcher};

use super::by_hand::ByHand;
use super::sections::ms;
use super::{Measured, median};

/// Rounds that count; those before make the header.
const ROUNDS: usize = 7;
const ROUNDS_AHEAD: usize = 3;

/// A program as contestants write them.
const CODE: &str = "#include <bits/stdc++.h>
using namespace std;
int main() {
    int n;
    cin >> n;
    vector<long long> numbers(n);
    for (auto& number : numbers) cin >> number;
    sort(numbers.begin(), numbers.end());
    map<long long, int> counts;
    for (auto number : numbers) counts[number]++;
    cout << counts.size() << endl;
}
";

pub(super) async fn compile() -> anyhow::Result<Vec<Measured>> {
    let language = Languages::embedded()?.get("cpp").cloned().context("there is no C++")?;
    let folder = tempfile::Builder::new().prefix("assize-bench-").tempdir()?;
    let launcher = tokio::task::spawn_blocking(|| Launcher::start(1)).await??;
    launcher.keep_builds(folder.path());
    let slot = &launcher.slots()[0];
    let (mut ahead, mut again, mut by_hand) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS_AHEAD + ROUNDS {
        let code = format!("{CODE}// {round}\n");
        // The second time it is kept.
        for times in [&mut ahead, &mut again] {
            let (language, sources) = (language.clone(), Sources::single(&language, &code));
            let started = Instant::now();
            let compiled = slot.call(move |confined| {
                Ok::<_, LaunchError>(compile::compile(confined, &language, &sources)?.outcome)
            });
            ensure!(compiled.await? == CompileOutcome::Succeeded, "the program does not compile");
            times.push(ms(started.elapsed()));
        }
        let program = ByHand::new(&language, &code)?;
        by_hand.push(ms(tokio::task::spawn_blocking(move || program.compile()).await??));
    }
    let late = |times: Vec<f64>| median(times.into_iter().skip(ROUNDS_AHEAD).collect());
    let baseline = late(by_hand);
    let row = |name, what: &str, value: f64, ratio_max: f64| Measured {
        name,
        what: what.to_owned(),
        value,
        baseline,
        unit: "ms",
        ratio: value / baseline,
        target: format!("at most {ratio_max}"),
        met: value / baseline <= ratio_max,
    };
    Ok(vec![
        row("compile_header", "C++ with bits/stdc++.h / by hand", late(ahead), 0.5),
        row("compile_again", "the same program again / by hand", late(again), 0.05),
    ])
}
