//! Whether the clock can be right: signatures and certificates are held against it.

use super::finding::Findings;
use crate::config::Config;
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// What files may lie ahead, as file systems and machines differ a little.
const TOLERANCE: Duration = Duration::from_secs(60);

/// Where systemd-timesyncd says that it has the time.
const TIMESYNC: &str = "/run/systemd/timesync";

/// Looks for signs that it is wrong.
pub(super) fn look(config: &Config, findings: &mut Findings) {
    let now = SystemTime::now();
    if let Some((file, ahead)) = newest(config).filter(|(_, written)| *written > now + TOLERANCE) {
        let ahead = ahead.duration_since(now).unwrap_or_default().as_secs();
        let text = format!(
            "{} was written {ahead} s from now, so the clock of this machine is slow, or was fast: signatures of others would be \
             refused, and ours by them; set it, and keep it right by NTP",
            file.display()
        );
        findings.warn("clock", text);
    }
    if unsynchronised(Path::new(TIMESYNC)) {
        let text = "systemd-timesyncd has not set the clock yet: signatures are refused where it is wrong by more than some minutes; \
                    see `timedatectl timesync-status`";
        findings.warn("clock", text);
    }
}

/// Whether timesyncd runs, and has no time yet.
fn unsynchronised(folder: &Path) -> bool {
    folder.is_dir() && !folder.join("synchronized").exists()
}

/// What was written last of what the host uses, and when.
fn newest(config: &Config) -> Option<(PathBuf, SystemTime)> {
    let state = fs::read_dir(&config.server.state).into_iter().flatten();
    let files = state.flatten().map(|entry| entry.path());
    let written = |file: PathBuf| Some((fs::metadata(&file).ok()?.modified().ok()?, file));
    let newest = files
        .chain([config.file.clone()])
        .filter_map(written)
        .max_by_key(|(written, _)| *written)?;
    Some((newest.1, newest.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_runs_behind_what_was_written_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("convoke.toml");
        let text = format!(
            "[server]\ndomains = [\"example.org\"]\nstate = {:?}\n",
            folder.path().join("state")
        );
        fs::write(&file, &text).unwrap();
        let config = Config::read(&file).unwrap();
        let found = || {
            let mut findings = Findings::default();
            look(&config, &mut findings);
            findings.text()
        };
        assert!(!found().contains("was written"), "{}", found());
        let later = SystemTime::now() + Duration::from_secs(3600);
        fs::File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_modified(later)
            .unwrap();
        assert!(found().contains("was written"), "{}", found());
    }

    #[test]
    fn timesyncd_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!unsynchronised(&folder.path().join("none")));
        assert!(unsynchronised(folder.path()));
        fs::write(folder.path().join("synchronized"), "").unwrap();
        assert!(!unsynchronised(folder.path()));
    }
}
