//! The folder of read models: which one is current, and what is moved aside or removed.
//!
//! `rm/<hash of the code>-<n>` holds one model each and `rm/current` names the one to open. A model that cannot be
//! used is renamed to `….aside`, where the latest such stays for whoever wants to know why.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::model::{Model, ModelError};

/// The folder `rm` of a data directory.
#[derive(Debug, Clone)]
pub(super) struct ModelFolder {
    root: PathBuf,
}

impl ModelFolder {
    pub(super) fn of(data: &Path) -> Result<Self, ModelError> {
        let root = data.join("rm");
        fs::create_dir_all(&root).map_err(|source| ModelError::Folder { path: root.clone(), source })?;
        Ok(Self { root })
    }

    /// The current model, or an empty one where there is none that can be used.
    pub(super) fn open_current(&self) -> Result<Model, ModelError> {
        if let Ok(name) = fs::read_to_string(self.pointer()) {
            let folder = self.root.join(name.trim());
            let current = name.starts_with(&Model::schema()) && folder.is_dir();
            match if current { Model::open(&folder).map(Some) } else { Ok(None) } {
                Ok(Some(model)) => return Ok(model),
                Ok(None) => tracing::info!("the read model is of another version and is built anew"),
                Err(error @ ModelError::Unusable { .. }) => {
                    tracing::warn!(%error, "the read model is built anew");
                }
                Err(error) => return Err(error),
            }
            self.set_aside(&folder)?;
        }
        let model = self.create()?;
        self.make_current(&model)?;
        Ok(model)
    }

    /// A new, empty model beside the current one. Nothing else may be building one.
    pub(super) fn create(&self) -> Result<Model, ModelError> {
        let schema = Model::schema();
        let number = self.names()?.iter().filter_map(|name| number_of(name, &schema)).max().unwrap_or(0) + 1;
        Model::open(&self.root.join(format!("{schema}-{number}")))
    }

    /// Names the model as the one to open next time. All others that lie here unused are removed.
    pub(super) fn make_current(&self, model: &Model) -> Result<(), ModelError> {
        model.flush()?;
        let name = model.folder().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (pointer, draft) = (self.pointer(), self.root.join("current.new"));
        fs::write(&draft, &name)
            .and_then(|()| fs::rename(&draft, &pointer))
            .map_err(|source| ModelError::Folder { path: pointer, source })
    }

    /// Removes what a rebuild that was cut short left behind. Only at start, before any rebuild.
    pub(super) fn tidy(&self, current: &Model) -> Result<(), ModelError> {
        for name in self.names()? {
            let path = self.root.join(&name);
            if path.is_dir() && path != current.folder() && !name.ends_with(".aside") {
                remove(&path)?;
            }
        }
        Ok(())
    }

    /// Moves a model out of the way that cannot be used. It must not be open.
    pub(super) fn set_aside(&self, folder: &Path) -> Result<(), ModelError> {
        if !folder.is_dir() || folder.parent() != Some(self.root.as_path()) {
            return Ok(());
        }
        for name in self.names()?.iter().filter(|name| name.ends_with(".aside")) {
            remove(&self.root.join(name))?;
        }
        let mut aside = folder.as_os_str().to_owned();
        aside.push(".aside");
        fs::rename(folder, &aside).map_err(|source| ModelError::Folder { path: aside.into(), source })
    }

    fn pointer(&self) -> PathBuf {
        self.root.join("current")
    }

    fn names(&self) -> Result<Vec<String>, ModelError> {
        let list = || -> io::Result<Vec<String>> {
            fs::read_dir(&self.root)?
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect()
        };
        list().map_err(|source| ModelError::Folder { path: self.root.clone(), source })
    }
}

fn number_of(name: &str, schema: &str) -> Option<u64> {
    name.strip_prefix(schema)?.strip_prefix('-')?.trim_end_matches(".aside").parse().ok()
}

fn remove(path: &Path) -> Result<(), ModelError> {
    fs::remove_dir_all(path).map_err(|source| ModelError::Folder { path: path.to_owned(), source })
}
