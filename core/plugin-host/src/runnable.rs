//! A plugin's file, a library or a program, and what it says about itself.

use super::{
    Problem,
    program::{Form, Program, Run},
};
use convoke_sdk::remote::{Candidate, Kind, Manifest, PluginFile, Refusal, Sealed, Trust};
use std::path::Path;

/// A plugin's file that was looked at, but not run.
pub enum Runnable {
    /// A library built with the SDK.
    Library(Box<Candidate>),
    /// A program that speaks the process protocol.
    Program(Program),
}

impl Runnable {
    /// Reads the file. Runs nothing of it.
    pub fn look(path: &Path) -> Result<Self, Problem> {
        let content = PluginFile::read(path)?;
        match Form::of(content.data()) {
            Some(form) => Ok(Self::Program(Program::of(content, form)?)),
            None => Ok(Self::Library(Box::new(Candidate::of(content)?))),
        }
    }

    /// The file, whatever is in it.
    pub const fn content(&self) -> &PluginFile {
        match self {
            Self::Library(candidate) => candidate.content(),
            Self::Program(program) => program.content(),
        }
    }

    /// Whether it may be run at all; `sha256` is what the administrator wrote, if so.
    pub fn check(&self, trust: &Trust, sha256: Option<&str>) -> Result<(), Problem> {
        match self {
            Self::Library(candidate) => Ok(candidate.check(trust, sha256)?),
            Self::Program(program) => {
                program.content().check(trust, sha256)?;
                Ok(program.check_interpreter(trust)?)
            }
        }
    }

    /// Holds its bytes ready for a process of its own.
    pub(crate) fn seal(&self) -> Result<Sealed, Refusal> {
        self.content().seal()
    }

    /// How it is run, if it is a program.
    pub(crate) fn run(&self) -> Option<Run> {
        match self {
            Self::Library(_) => None,
            Self::Program(program) => Some(program.run()),
        }
    }
}

/// What a plugin says about itself: a library in its manifest, a program in its greeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// What it is called in a configuration.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// Who makes it; may be empty.
    pub vendor: String,
    /// What it offers.
    pub kinds: Vec<Kind>,
    /// Those of them that go by another name.
    pub other_names: Vec<(Kind, String)>,
    /// Those of them that cannot be opened twice side by side.
    pub exclusive: Vec<Kind>,
    /// Those of them of which two versions must not be open in one process.
    pub one_version: Vec<Kind>,
    /// How it is spoken to.
    pub interface: Interface,
    /// The configuration's keys as JSON; may be empty.
    pub schema: String,
}

/// How a plugin is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// A library: the version of the ABI that it was built for, major and minor.
    Abi((u32, u32)),
    /// A program: the version of the process protocol.
    Process(u32),
}

impl Description {
    /// The kinds that go by its name.
    pub fn own_kinds(&self) -> Vec<Kind> {
        self.kinds_of(&self.name)
    }

    /// The kinds that go by a name.
    pub fn kinds_of(&self, name: &str) -> Vec<Kind> {
        let kinds = self.kinds.iter().copied();
        kinds.filter(|kind| self.name_of(*kind) == name).collect()
    }

    /// What is said about the plugin of one kind, which may go by a name of its own.
    #[must_use]
    pub(crate) fn of_kind(self, kind: Kind) -> Self {
        let name = self.name_of(kind).to_owned();
        Self {
            kinds: self.kinds_of(&name),
            name,
            ..self
        }
    }

    fn name_of(&self, kind: Kind) -> &str {
        let mut others = self.other_names.iter();
        let other = others.find_map(|(of, name)| (*of == kind).then_some(name));
        other.unwrap_or(&self.name)
    }
}

impl From<&Manifest> for Description {
    fn from(manifest: &Manifest) -> Self {
        Self {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            vendor: manifest.vendor.clone(),
            kinds: manifest.kinds.clone(),
            other_names: manifest.other_names.clone(),
            exclusive: manifest.exclusive.clone(),
            one_version: manifest.one_version.clone(),
            interface: Interface::Abi(manifest.abi),
            schema: manifest.schema.clone(),
        }
    }
}
