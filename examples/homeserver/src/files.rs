//! Files and directories that only their owner may read, from their first byte on.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::path::Path;

/// Makes a directory that only its owner may look into: it will hold password hashes, or messages with tokens. One
/// that is there keeps its mode.
pub fn private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Makes a file that only its owner may read; `None` if there is one.
pub fn create_new(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    match private(&mut options).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes an empty file that only its owner may read. One that is there keeps what is in it, and becomes as private.
pub fn create_or_tighten(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    private(&mut options).open(path)?;
    tighten(path)
}

/// Makes a file private that others could read. No file at all is as private.
pub fn tighten(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    let mode = <Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600);
    #[cfg(not(unix))]
    let mode = return Ok(());
    match std::fs::set_permissions(path, mode) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Has the names in a directory outlive a power cut.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(dir)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = dir;
    Ok(())
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// A directory that is gone after the test.
#[cfg(test)]
pub mod scratch {
    use std::path::{Path, PathBuf};

    #[derive(Debug)]
    pub struct Scratch(PathBuf);

    impl Scratch {
        /// A path where nothing is yet.
        pub fn new() -> Self {
            Self(std::env::temp_dir().join(format!("matrix-uia-{}", crate::secrets::opaque_id())))
        }

        pub fn path(&self) -> &Path {
            &self.0
        }

        /// The names of the files in it.
        pub fn names(&self) -> Vec<String> {
            let entries = std::fs::read_dir(&self.0).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::scratch::Scratch;
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_are_private_from_their_first_byte_whatever_the_directory() {
        let dir = Scratch::new();
        private_dir(dir.path()).unwrap();
        assert_eq!(mode(dir.path()), 0o700);
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let [new, open] = ["new", "open"].map(|name| dir.path().join(name));
        assert!(create_new(&new).unwrap().is_some() && create_new(&new).unwrap().is_none());
        assert_eq!(mode(&new), 0o600);
        std::fs::write(&open, "kept").unwrap();
        std::fs::set_permissions(&open, Permissions::from_mode(0o644)).unwrap();
        create_or_tighten(&open).unwrap();
        assert_eq!((mode(&open), std::fs::read_to_string(&open).unwrap().as_str()), (0o600, "kept"));
        tighten(&dir.path().join("none")).unwrap();
        assert_eq!(mode(dir.path()), 0o755, "it is somebody's who chose so");
    }
}
