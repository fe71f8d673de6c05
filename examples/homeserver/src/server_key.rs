//! The server's own key, in `DIR/server.key`: beside the database, and not in it, so that who reads the database
//! alone derives nothing. Below it lie the keys of session IDs, if they are rotated.

use crate::files;
use crate::id_keys::IdLines;
use crate::secrets::{ServerKey, opaque_id};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::io::{self, Write as _};
use std::path::Path;

const NAME: &str = "server.key";

/// The key of this directory, which is there; made at the first start. It appears whole: of two processes that start
/// at once, both get the same.
///
/// # Errors
///
/// One line that says what to do: it can't be read or written, or is no key.
pub fn get_or_make(dir: &Path) -> Result<ServerKey, String> {
    let path = dir.join(NAME);
    let failed =
        |error: io::Error| format!("{NAME}: {error}; give a directory that this server may write to");
    if let Some(key) = read(&path).map_err(failed)? {
        return key;
    }
    make(dir, &path).map_err(failed)?;
    read(&path).map_err(failed)?.unwrap_or_else(|| Err(format!("{NAME}: it was removed; start again")))
}

fn read(path: &Path) -> io::Result<Option<Result<ServerKey, String>>> {
    files::tighten(path)?;
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let damaged =
        || format!("{NAME}: it is no key; restore it from a backup, or remove it to have another made");
    let parse = || {
        let text = str::from_utf8(&text).map_err(|_| damaged())?;
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        let bytes = URL_SAFE_NO_PAD.decode(first.trim_ascii()).ok().and_then(|bytes| bytes.try_into().ok());
        let key = bytes.map(ServerKey::from_bytes).ok_or_else(damaged)?;
        IdLines::parse(rest).map(|ids| key.with_ids(ids)).map_err(|error| format!("{NAME}: {error}"))
    };
    Ok(Some(parse()))
}

/// Writes a fresh key under a name of its own, and gives it the key's name unless somebody was faster.
fn make(dir: &Path, path: &Path) -> io::Result<()> {
    let own = dir.join(format!(".{NAME}.{}", opaque_id()));
    let Some(mut file) = files::create_new(&own)? else { return Ok(()) };
    let text = URL_SAFE_NO_PAD.encode(ServerKey::generate().as_bytes());
    let made =
        writeln!(file, "{text}").and_then(|()| file.sync_all()).and_then(|()| {
            match std::fs::hard_link(&own, path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ => Ok(()),
            }
        });
    std::fs::remove_file(&own)?;
    made?;
    files::sync_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Scratch;

    fn key(dir: &Scratch) -> [u8; 32] {
        *get_or_make(dir.path()).unwrap().as_bytes()
    }

    #[test]
    fn lesson_78_the_key_lies_beside_the_database_and_is_its_owners_alone() {
        let (one, other) = (Scratch::new(), Scratch::new());
        for dir in [&one, &other] {
            files::private_dir(dir.path()).unwrap();
        }
        assert_eq!(key(&one), key(&one));
        assert_ne!(key(&one), key(&other));
        assert_eq!(one.names(), [NAME]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = one.path().join(NAME).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn first_starts_at_once_agree_on_one_key() {
        let dir = Scratch::new();
        files::private_dir(dir.path()).unwrap();
        let keys: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| key(&dir))).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
        assert_eq!(dir.names(), [NAME]);
    }

    #[test]
    fn a_damaged_key_is_named_and_not_replaced() {
        let dir = Scratch::new();
        files::private_dir(dir.path()).unwrap();
        for damaged in ["", "short", "!".repeat(43).as_str()] {
            std::fs::write(dir.path().join(NAME), damaged).unwrap();
            let line = get_or_make(dir.path()).unwrap_err();
            assert!(line.starts_with("server.key: it is no key; restore it"), "{line}");
        }
        assert!(get_or_make(&dir.path().join("none")).unwrap_err().contains("No such file"));
    }
}
