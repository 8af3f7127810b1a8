use super::Reason;
use crate::manifest::{Manifest, SECTION, SECTION_MACHO};
use object::{
    Architecture, BinaryFormat, FileKind, Object, ObjectSection, ObjectSegment,
    read::{File, ReadRef},
};

/// Reads the manifest of a library, and no more of its bytes than that takes.
pub(super) fn manifest<'data>(data: impl ReadRef<'data>) -> Result<Manifest, Reason> {
    match FileKind::parse(data) {
        Ok(FileKind::Archive) => return Err(Reason::Archive),
        Ok(_) => {}
        Err(_) => return Err(Reason::NotALibrary),
    }
    let file = File::parse(data).map_err(damaged)?;
    same_machine(&file)?;
    let size = data
        .len()
        .map_err(|()| Reason::Damaged("its length cannot be told".to_owned()))?;
    whole(&file, size)?;
    let section = file
        .section_by_name(SECTION)
        .or_else(|| file.section_by_name(SECTION_MACHO))
        .ok_or(Reason::NotAPlugin)?;
    Ok(Manifest::read(section.data().map_err(damaged)?)?)
}

fn damaged(error: object::Error) -> Reason {
    Reason::Damaged(error.to_string())
}

fn same_machine<'data>(file: &File<'data, impl ReadRef<'data>>) -> Result<(), Reason> {
    let native = BinaryFormat::native_object();
    if file.format() != native {
        return Err(Reason::OtherSystem(match file.format() {
            BinaryFormat::Elf => "ELF",
            BinaryFormat::MachO => "macOS",
            BinaryFormat::Pe | BinaryFormat::Coff => "Windows",
            _ => "an unknown format",
        }));
    }
    let expected = match std::env::consts::ARCH {
        "x86_64" => Architecture::X86_64,
        "aarch64" => Architecture::Aarch64,
        "x86" => Architecture::I386,
        "arm" => Architecture::Arm,
        "riscv64" => Architecture::Riscv64,
        "powerpc64" => Architecture::PowerPc64,
        "s390x" => Architecture::S390x,
        "loongarch64" => Architecture::LoongArch64,
        // The system's loader will say.
        _ => return Ok(()),
    };
    let found = file.architecture();
    if found == expected {
        return Ok(());
    }
    Err(Reason::OtherArchitecture {
        found: match found {
            Architecture::Unknown => "an unknown processor".to_owned(),
            known => format!("{known:?}").to_lowercase(),
        },
        expected: std::env::consts::ARCH,
    })
}

/// Every segment must lie in the file: the loader maps them, and touching a page beyond the end ends the process.
fn whole<'data>(file: &File<'data, impl ReadRef<'data>>, size: u64) -> Result<(), Reason> {
    for segment in file.segments() {
        let (start, length) = segment.file_range();
        if start.checked_add(length).is_none_or(|end| end > size) {
            return Err(Reason::Damaged(
                "it is shorter than its headers say".to_owned(),
            ));
        }
    }
    Ok(())
}
