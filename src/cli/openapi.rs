//! `assize openapi`: the contract of the API, as it is committed in `openapi/assize.json`.

use std::io::Write;

use super::Exit;

/// Prints the document.
pub(super) fn print() -> anyhow::Result<Exit> {
    std::io::stdout().lock().write_all(crate::api::document().as_bytes())?;
    Ok(Exit::Done)
}
