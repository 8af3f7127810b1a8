//! A file as text, within bounds.

use crate::{
    cli::output::Failure,
    plain_text::{self, NotText, without_mark},
};
use nix::unistd::Uid;
use std::{
    fs::File,
    io::{self, ErrorKind, Read},
    path::Path,
};

/// A directory of a hundred thousand people, with what else such files say of them. Photographs make them longer.
const LONGEST: u64 = 64 << 20;

/// The text of a file, or of stdin for `-`.
pub(super) fn read(file: &Path) -> Result<String, Failure> {
    let unreadable = |error: io::Error| {
        let as_owner = error.kind() == ErrorKind::PermissionDenied && !Uid::effective().is_root();
        let more = if as_owner {
            "; root's commands go on as the host's user: give it on stdin, with `-` and `< FILE`"
        } else {
            ""
        };
        Failure::new(format!("{} cannot be read: {error}{more}", file.display()))
    };
    let bytes = if file == Path::new("-") {
        bounded(io::stdin().lock())
    } else {
        File::open(file).and_then(bounded)
    };
    let bytes = bytes.map_err(unreadable)?;
    if bytes.len() as u64 > LONGEST {
        return Err(Failure::new(format!(
            "{} is larger than {} MiB, which no list of calendar users is; split it, or export fewer attributes",
            file.display(),
            LONGEST >> 20
        )));
    }
    match plain_text::decode(&bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(not) => Err(Failure::new(format!(
            "{}: {}",
            file.display(),
            why(not, without_mark(&bytes))
        ))),
    }
}

fn bounded(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(LONGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn why(not: NotText, bytes: &[u8]) -> String {
    let line = |at: usize| memchr::memchr_iter(b'\n', &bytes[..at]).count() + 1;
    match not {
        NotText::Utf16 => {
            "the file is UTF-16, as spreadsheets on Windows write it; save it as UTF-8: iconv -f UTF-16 -t UTF-8"
                .to_owned()
        }
        NotText::Zero { at } => format!(
            "line {}: a byte of zero, which stands in no text; save it as CSV or LDIF in UTF-8",
            line(at)
        ),
        NotText::NotUtf8 { at, byte } => format!(
            "line {}: the byte 0x{byte:02X} is no UTF-8; save the file as UTF-8, such as with iconv -f ISO-8859-1 -t UTF-8",
            line(at)
        ),
    }
}
