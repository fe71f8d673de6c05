//! A disk that is full, where the test may mount a small one: nothing is answered with 200 that did not happen, and
//! everything goes on once there is room.
#![cfg(target_os = "linux")]

use crate::support::{Database, Kind, Setup, kept, password_auth_in};
use serde_json::json;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A small file system, until it is dropped.
struct Disk(PathBuf);

impl Disk {
    /// `None` where none may be mounted.
    fn mount(at: PathBuf, size: &str) -> Option<Self> {
        std::fs::create_dir_all(&at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "none"]).arg(&at);
        let mounted = mount.stdout(Stdio::null()).stderr(Stdio::null()).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(at));
        }
        eprintln!("skipped: no file system may be mounted here");
        None
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    fn fill(&self) {
        let mut filler = File::create(self.filler()).unwrap();
        while filler.write_all(&[b'x'; 1024]).is_ok() {}
    }

    fn empty(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn lesson_101_a_full_disk_is_no_success_wherever_sessions_live() {
    let redis = Database::start(Kind::Redis);
    if redis.is_none() {
        eprintln!("skipped: sessions in Redis, which is not installed");
    }
    let stores = [Some("memory"), Some("sqlite"), redis.as_ref().map(Database::url)];
    for store in stores.into_iter().flatten() {
        let mut setup = Setup::kept(json!({}));
        setup.sessions = Some(store);
        let Some(disk) = Disk::mount(setup.data_dir(), "4m") else { return };
        let server = setup.start();
        let client = server.client();
        let token = client.token("alice", "wonderland");
        let change = json!({ "new_password": "looking-glass" });
        let session = client.post("account/password", Some(&token), &change).asked();
        let change = kept(&change, password_auth_in(&session, "alice", "wonderland"));
        let device = client.whoami(&token).ok()["device_id"].as_str().unwrap().to_owned();
        let rename = |name: String| {
            let path = format!("devices/{device}");
            client.unchecked("PUT", &path, Some(&token), &json!({ "display_name": name })).0
        };
        disk.fill();
        let refused = (0..200).find(|n| rename(format!("Phone {n}")) == 503);
        assert!(refused.is_some(), "{store}: the disk is full");
        // Whether it comes to that depends on what was left of the last block.
        let (status, _, answer) = client.unchecked("POST", "account/password", Some(&token), &change);
        disk.empty();
        if status == 503 {
            client.login("alice", "looking-glass").rejected(403, "M_FORBIDDEN");
            client.post("account/password", Some(&token), &change).ok();
        } else {
            assert_eq!(status, 200, "{store}: {answer}");
        }
        client.login("alice", "looking-glass").ok();
        client.login("alice", "wonderland").rejected(403, "M_FORBIDDEN");
        assert_eq!(rename("Phone".to_owned()), 200);
        assert!(server.log().contains("the disk is full"), "{store}: {}", server.log());
        server.signal("TERM");
        assert_eq!(server.wait().status.code(), Some(0));
    }
}

/// The database of a few accounts has 200 KB: its journal must not be many times as large.
#[test]
fn a_small_disk_is_not_filled_by_the_journal() {
    let mut setup = Setup::kept(json!({}));
    setup.sessions = Some("sqlite");
    let Some(_disk) = Disk::mount(setup.data_dir(), "2m") else { return };
    let server = setup.start();
    let client = server.client();
    for _ in 0..300 {
        client.post("register", None, &json!({})).asked();
    }
}
