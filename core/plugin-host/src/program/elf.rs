//! What an ELF file says of how it is run.

use object::{
    Endianness, FileKind,
    elf::{self, FileHeader32, FileHeader64},
    read::elf::{Dyn, FileHeader, ProgramHeader},
};
use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

type Elf32 = FileHeader32<Endianness>;
type Elf64 = FileHeader64<Endianness>;

/// A program, as opposed to a library.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Elf {
    /// What the system runs first, to load the program and its libraries; none for one that is linked statically.
    pub(super) loader: Option<PathBuf>,
}

impl Elf {
    /// Reads the headers; `None` if it is anything but a program.
    pub(super) fn of(data: &[u8]) -> Option<Self> {
        match FileKind::parse(data).ok()? {
            FileKind::Elf32 => read::<Elf32>(data),
            FileKind::Elf64 => read::<Elf64>(data),
            _ => None,
        }
    }
}

fn read<Header: FileHeader<Endian = Endianness>>(data: &[u8]) -> Option<Elf> {
    let header = Header::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let (mut loader, mut is_pie, mut is_named) = (None, false, false);
    for segment in header.program_headers(endian, data).ok()? {
        if let Ok(Some(path)) = segment.interpreter(endian, data) {
            loader = Some(Path::new(OsStr::from_bytes(path)).to_owned());
        }
        if let Ok(Some(entries)) = segment.dynamic(endian, data) {
            is_pie |= entries.iter().any(|entry| says_pie(entry, endian));
            is_named |= (entries.iter()).any(|entry| entry.d_tag(endian) == elf::DT_SONAME);
        }
    }
    // Old linkers do not say so of a program. The C library, too, has a loader and can be run, but is named for others.
    let is_program = match header.e_type(endian) {
        elf::ET_EXEC => true,
        elf::ET_DYN => is_pie || loader.is_some() && !is_named,
        _ => false,
    };
    is_program.then_some(Elf { loader })
}

/// What linkers write into a program that may lie anywhere in memory, and into no library.
fn says_pie<Entry: Dyn<Endian = Endianness>>(entry: &Entry, endian: Endianness) -> bool {
    let value: u64 = entry.d_val(endian).into();
    entry.d_tag(endian) == elf::DT_FLAGS_1 && value & elf::DF_1_PIE.0 != 0
}
