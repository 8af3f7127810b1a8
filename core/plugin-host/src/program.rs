//! A plugin that is a program of its own and speaks the process protocol (`sdk/PROCESS.md`), in whatever language.
//!
//! What was checked is what runs: its bytes are handed over in sealed memory. A script is read from there by the program
//! that its first line names, which is found here, once, so that the process need not start anything else.

mod elf;

use convoke_file_access::Exposed;
use convoke_sdk::remote::{PluginFile, Refusal, Trust};
use elf::Elf;
use serde::{Deserialize, Serialize};
use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// What the first line of a script begins with.
const MARK: &[u8] = b"#!";
/// The longest first line, in bytes: what the system takes.
const LONGEST: usize = 256;
/// Where a script's `env` looks.
const SEARCHED: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

/// A program's file that was looked at, but not run.
pub struct Program {
    content: PluginFile,
    script: Option<Script>,
    /// What the system runs first.
    loader: Option<PathBuf>,
}

/// The form of a program's bytes.
pub(crate) enum Form {
    /// Text that another program reads.
    Script,
    /// The machine's own code.
    Elf(Elf),
}

impl Form {
    /// `None` if they are no program.
    pub(crate) fn of(data: &[u8]) -> Option<Self> {
        if data.starts_with(MARK) {
            Some(Self::Script)
        } else {
            Elf::of(data).map(Self::Elf)
        }
    }
}

/// How the bytes of a program are run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// How, if it is a script.
    pub(crate) script: Option<Script>,
    /// All files that the system has to run for it.
    pub(crate) run: Vec<PathBuf>,
}

/// The first line of a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Script {
    /// The program that reads it, where it really lies.
    pub(crate) interpreter: PathBuf,
    /// The one argument that may stand there.
    pub(crate) argument: Option<String>,
}

/// A program cannot be run: the file, why, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", .file.display())]
pub struct NotRun {
    /// The file.
    pub file: PathBuf,
    /// Why not.
    pub reason: Unrunnable,
}

/// Why a program cannot be run; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Unrunnable {
    /// A mode without `x`.
    #[error("is a program that its owner may not run; `chmod u+x` it")]
    NotExecutable,
    /// No absolute path after `#!`.
    #[error("has a first line that names no program; write `#!/usr/bin/python3`, for example")]
    NoInterpreter,
    /// `env` with options or variables.
    #[error(
        "has a first line that asks more of `env` than to find a program; name the program itself: `#!/usr/bin/python3`, for example"
    )]
    Env,
    /// `env` would not find it.
    #[error(
        "has a first line that asks for `{0}`, which is not in {places}; install it, or name the program itself",
        places = SEARCHED.join(", ")
    )]
    Searched(String),
    /// It cannot be read, or is no program.
    #[error("is to be read by {}, which is no program; correct its first line", .0.display())]
    Interpreter(PathBuf),
    /// Somebody could put something else in its place.
    #[error("is to be read by a program that is not to be trusted: {0}")]
    Exposed(Exposed),
    /// As a plugin's file is not to be.
    #[error("is to be read by a program that is not to be trusted: {0}")]
    Refused(Box<Refusal>),
}

impl Program {
    /// How a file is run, if that is known. Runs nothing of it.
    pub(crate) fn of(content: PluginFile, form: Form) -> Result<Self, NotRun> {
        let fit = match form {
            _ if !content.is_executable() => Err(Unrunnable::NotExecutable),
            Form::Elf(elf) => Ok((None, elf.loader)),
            Form::Script => script(content.data())
                .and_then(|script| Ok((loader(&script.interpreter)?, script)))
                .map(|(loader, script)| (Some(script), loader)),
        };
        match fit {
            Ok((script, loader)) => Ok(Self {
                content,
                script,
                loader,
            }),
            Err(reason) => Err(NotRun {
                file: content.path().to_owned(),
                reason,
            }),
        }
    }

    /// The file, whatever is in it.
    pub const fn content(&self) -> &PluginFile {
        &self.content
    }

    /// The program that reads it, if it is a script.
    pub fn interpreter(&self) -> Option<&Path> {
        let script = self.script.as_ref();
        script.map(|script| script.interpreter.as_path())
    }

    /// Whether the program that reads it, if it is a script, may be run: who may write that counts as who may write the
    /// script.
    pub(crate) fn check_interpreter(&self, trust: &Trust) -> Result<(), NotRun> {
        let Some(interpreter) = self.interpreter() else {
            return Ok(());
        };
        let unrunnable = |reason| NotRun {
            file: self.content.path().to_owned(),
            reason,
        };
        if let Some(exposed) = convoke_file_access::writable(interpreter) {
            return Err(unrunnable(Unrunnable::Exposed(exposed)));
        }
        // It comes with the system, and is nothing that a vendor of plugins signs.
        let trust = trust.clone().signed_by(Vec::new());
        let owned = PluginFile::read(interpreter).and_then(|file| file.check(&trust, None));
        owned.map_err(|refusal| unrunnable(Unrunnable::Refused(Box::new(refusal))))
    }

    pub(crate) fn run(&self) -> Run {
        let interpreter = self.interpreter().map(Path::to_owned);
        Run {
            script: self.script.clone(),
            run: interpreter.into_iter().chain(self.loader.clone()).collect(),
        }
    }
}

/// Reads the first line as the system does: a path, and all that follows as one argument. `env` is not run, as it would
/// have to start another program: what it would find is taken.
fn script(data: &[u8]) -> Result<Script, Unrunnable> {
    let line = &data[MARK.len()..data.len().min(LONGEST)];
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.trim_ascii();
    let end = line.iter().position(u8::is_ascii_whitespace);
    let (path, argument) = line.split_at(end.unwrap_or(line.len()));
    let path = Path::new(OsStr::from_bytes(path));
    let argument = String::from_utf8_lossy(argument.trim_ascii()).into_owned();
    if !path.is_absolute() {
        return Err(Unrunnable::NoInterpreter);
    }
    if path.file_name() == Some(OsStr::new("env")) {
        return found(&argument);
    }
    Ok(Script {
        interpreter: real(path)?,
        argument: Some(argument).filter(|it| !it.is_empty()),
    })
}

/// What `env` finds.
fn found(name: &str) -> Result<Script, Unrunnable> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._+-".contains(letter);
    if name.is_empty() || name.starts_with('-') || !name.chars().all(is_plain) {
        return Err(Unrunnable::Env);
    }
    let mut places = SEARCHED.iter().map(|folder| Path::new(folder).join(name));
    let found = places.find(|place| place.is_file());
    Ok(Script {
        interpreter: real(&found.ok_or_else(|| Unrunnable::Searched(name.to_owned()))?)?,
        argument: None,
    })
}

fn real(interpreter: &Path) -> Result<PathBuf, Unrunnable> {
    let real = interpreter.canonicalize();
    real.map_err(|_| Unrunnable::Interpreter(interpreter.to_owned()))
}

/// What the system runs first of a program that reads scripts.
fn loader(interpreter: &Path) -> Result<Option<PathBuf>, Unrunnable> {
    let file =
        PluginFile::read(interpreter).map_err(|refusal| Unrunnable::Refused(Box::new(refusal)))?;
    let elf = Elf::of(file.data());
    Ok(elf
        .ok_or_else(|| Unrunnable::Interpreter(interpreter.to_owned()))?
        .loader)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs,
        os::unix::fs::{PermissionsExt, symlink},
    };

    #[test]
    fn a_first_line_is_read_as_the_system_reads_it() {
        let shell = Path::new("/bin/sh").canonicalize().unwrap();
        for (line, argument) in [
            ("#!/bin/sh\n", None),
            ("#! /bin/sh \nexit", None),
            ("#!/usr/bin/env sh", None),
            ("#!/bin/sh -e -u\r\n", Some("-e -u")),
            ("#!/bin/sh\t-x", Some("-x")),
        ] {
            let read = script(line.as_bytes()).unwrap();
            assert_eq!(read.interpreter, shell, "{line:?}");
            assert_eq!(read.argument.as_deref(), argument, "{line:?}");
        }
        for (line, says) in [
            ("#!", "names no program"),
            ("#!python3", "names no program"),
            ("#!/nowhere/python3", "is no program"),
            ("#!/usr/bin/env", "more of `env`"),
            ("#!/usr/bin/env -S sh -e", "more of `env`"),
            ("#!/usr/bin/env A=b sh", "more of `env`"),
            ("#!/usr/bin/env ../sh", "more of `env`"),
            ("#!/usr/bin/env no-such-thing", "asks for `no-such-thing`"),
        ] {
            let sentence = script(line.as_bytes()).unwrap_err().to_string();
            assert!(sentence.contains(says), "{line:?}: {sentence}");
        }
    }

    #[test]
    fn programs_are_told_from_libraries_and_texts() {
        let me = fs::read(std::env::current_exe().unwrap()).unwrap();
        let Some(Form::Elf(elf)) = Form::of(&me) else {
            panic!("this test is a program");
        };
        assert!(elf.loader.is_some_and(|loader| loader.is_file()));
        for other in [&b""[..], b"Dear colleague,", &me[..64], b"\x7fELF"] {
            assert!(Form::of(other).is_none());
        }
        // It can be run, and says so; but it is none.
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let mut mapped = maps
            .lines()
            .filter_map(|line| line.split_whitespace().nth(5));
        let library = mapped.find(|file| file.contains("libc.so")).unwrap();
        assert!(Form::of(&fs::read(library).unwrap()).is_none());
    }

    fn look(path: &Path) -> Result<Program, NotRun> {
        let content = PluginFile::read(path).unwrap();
        let form = Form::of(content.data()).unwrap();
        Program::of(content, form)
    }

    #[test]
    fn who_may_write_the_interpreter_is_looked_at_too() {
        let folder = tempfile::tempdir().unwrap();
        let [shell, link, script] = ["sh", "link", "acme"].map(|name| folder.path().join(name));
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        fs::copy("/bin/sh", &shell).unwrap();
        symlink(&shell, &link).unwrap();
        fs::write(&script, format!("#!{}\n", link.display())).unwrap();
        mode(&script, 0o644);
        let sentence = look(&script).err().unwrap().to_string();
        assert!(
            sentence.ends_with("acme: is a program that its owner may not run; `chmod u+x` it")
        );
        mode(&script, 0o755);
        let trust = Trust::of_this_process();
        let program = look(&script).unwrap();
        let real = shell.canonicalize().unwrap();
        assert_eq!(program.interpreter(), Some(&*real));
        assert_eq!(program.run().run.first(), Some(&real));
        assert!(program.check_interpreter(&trust).is_ok());
        mode(&shell, 0o757);
        let sentence = program.check_interpreter(&trust).unwrap_err().to_string();
        for part in [
            "acme: is to be read by a program that is not to be trusted: ",
            "everybody on this machine can write it",
        ] {
            assert!(sentence.contains(part), "{sentence}");
        }
        // A script that another script reads would have to start it.
        fs::write(&shell, "#!/bin/sh\n").unwrap();
        let sentence = look(&script).err().unwrap().to_string();
        let end = "which is no program; correct its first line";
        assert!(sentence.ends_with(end), "{sentence}");
    }
}
