//! Whether mail servers can hand mail over.

use super::{Findings, Verdict, listeners::address};
use crate::config::{Config, MailListener};
use std::{os::unix::fs::FileTypeExt, path::Path};

pub(super) fn look(config: &Config, findings: &mut Findings) {
    let what = "listener lmtp";
    for listener in &config.mail_listeners {
        match listener {
            MailListener::Tcp(at) => address(config, *at, what, findings),
            MailListener::Unix(path) => match usable(path) {
                Ok(()) => {
                    let text = format!("{}, for the host's group", path.display());
                    findings.add(Verdict::Ok, what, text);
                }
                Err(why) => findings.add(Verdict::Fail, what, why),
            },
        }
    }
}

/// Whether a socket can be made there.
fn usable(path: &Path) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    if !folder.is_dir() {
        return Err(format!(
            "{} is no folder; make it, or write another `address`",
            folder.display()
        ));
    }
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => Err(format!(
            "{} is there and no socket; remove it, or write another `address`",
            path.display()
        )),
        _ => Ok(()),
    }
}
