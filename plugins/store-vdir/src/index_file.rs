//! What was worked out of a user's files, kept on disk, so that the next start need not read them all again.
//!
//! `.convoke/index` in the user's folder may be thrown away at any time: it is made anew from the files. It is not
//! believed if it is broken, of another version, or worked out for somebody else (another time zone, other addresses); and
//! each entry only as long as its file's stamp is the one it was read under.
//!
//! ```text
//! convoke-store-vdir 0.1.0 index 2\n
//! length u32 · Owner         whom it was worked out for; all of it postcard
//! length u32 · Entry        …
//! 0 u32
//! SHA-256 of all before     32 octets
//! ```

use crate::{
    directory::{Directory, Stamp},
    place::{FileState, Place},
};
use convoke_sdk::{
    mirror::{Mirror, Object, Unreadable},
    prelude::*,
    serde::{Serialize, de::DeserializeOwned},
};
use sha2::{Digest, Sha256};
use std::io::{self, BufReader, BufWriter, Read, Write};

/// The file's name in the folder that belongs to Convoke alone.
const NAME: &str = "index";
/// Another version may describe the same object otherwise.
const MAGIC: &[u8] = concat!(
    "convoke-store-vdir ",
    env!("CARGO_PKG_VERSION"),
    " index 2\n"
)
.as_bytes();
/// No entry is longer: an index has at most some ten thousand spans.
const LONGEST: u32 = 16 << 20;

/// What busy time depends on, beside the files.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "convoke_sdk::serde")]
struct Owner {
    address: CalendarAddress,
    aliases: Vec<CalendarAddress>,
    timezone: Option<String>,
}

/// A file as it was when it was last read.
#[derive(Serialize, Deserialize)]
#[serde(crate = "convoke_sdk::serde")]
struct Entry {
    calendar: String,
    name: String,
    part: String,
    stamp: Stamp,
    fresh: bool,
    object: Option<(Etag, ObjectIndex)>,
    /// What it held before it could not be read any more.
    unreadable: Vec<Uid>,
}

impl From<&CalendarUser> for Owner {
    fn from(user: &CalendarUser) -> Self {
        Self {
            address: user.address.clone(),
            aliases: user.aliases.clone(),
            timezone: user.timezone.clone(),
        }
    }
}

/// Writes down all that is known; how many files that are.
pub(crate) fn save(
    control: &Directory,
    user: &CalendarUser,
    known: &Mirror<Place, FileState>,
) -> Result<usize> {
    let mut count = 0;
    let unfinished = control.prepare_with(NAME, |file| {
        let mut file = Hashing::new(BufWriter::new(file));
        file.write_all(MAGIC)?;
        write_part(&mut file, &Owner::from(user))?;
        for place in known.places() {
            if let Some(entry) = Entry::of(place, known) {
                write_part(&mut file, &entry)?;
                count += 1;
            }
        }
        file.write_all(&0_u32.to_le_bytes())?;
        let Hashing { mut inner, hasher } = file;
        inner.write_all(&hasher.finalize())?;
        inner.flush()
    });
    unfinished?.replace()?;
    Ok(count)
}

/// What was written down for this user; nothing, if it cannot be believed.
pub(crate) fn load(control: &Directory, user: &CalendarUser) -> Mirror<Place, FileState> {
    let file = control.open_file(NAME).ok().flatten();
    let known = file.map(|file| read(BufReader::new(file), &Owner::from(user)));
    known.and_then(io::Result::ok).unwrap_or_default()
}

fn read(file: impl Read, wanted: &Owner) -> io::Result<Mirror<Place, FileState>> {
    let mut file = Hashing::new(file);
    let mut magic = [0; MAGIC.len()];
    file.read_exact(&mut magic)?;
    if magic != MAGIC || read_part::<Owner>(&mut file)?.as_ref() != Some(wanted) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut known = Mirror::default();
    while let Some(entry) = read_part::<Entry>(&mut file)? {
        entry.put_into(&mut known);
    }
    let Hashing { mut inner, hasher } = file;
    let mut sum = [0; 32];
    inner.read_exact(&mut sum)?;
    if sum != *hasher.finalize() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(known)
}

impl Entry {
    /// `None` of what is of no known object.
    fn of(place: &Place, known: &Mirror<Place, FileState>) -> Option<Self> {
        let known = known.known(place)?;
        let object = known.object.as_ref();
        let unreadable = known.unreadable.iter().filter_map(|it| it.uid.clone());
        let entry = Self {
            calendar: place.calendar.clone(),
            name: place.name.clone(),
            part: place.part.clone(),
            stamp: known.state.stamp,
            fresh: known.state.fresh,
            object: object.map(|object| (object.etag.clone(), object.index.clone())),
            unreadable: unreadable.collect(),
        };
        (entry.object.is_some() || !entry.unreadable.is_empty()).then_some(entry)
    }

    fn put_into(self, known: &mut Mirror<Place, FileState>) {
        let place = Place {
            calendar: self.calendar,
            name: self.name,
            part: self.part,
        };
        let (stamp, fresh) = (self.stamp, self.fresh);
        if let Some((etag, index)) = self.object {
            let object = Object { etag, index };
            return known.set(place, FileState { stamp, fresh }, Some(object));
        }
        let unreadable = self.unreadable.into_iter().map(|uid| Unreadable {
            uid: Some(uid),
            problem: String::new(),
        });
        // It is read again, and logged, by this run, too.
        let state = FileState { stamp, fresh: true };
        known.set_unreadable(place, state, unreadable.collect());
    }
}

fn write_part(file: &mut impl Write, part: &impl Serialize) -> io::Result<()> {
    let part = postcard::to_stdvec(part).map_err(io::Error::other)?;
    let length = u32::try_from(part.len()).map_err(io::Error::other)?;
    file.write_all(&length.to_le_bytes())?;
    file.write_all(&part)
}

/// `None` where there is no further one.
fn read_part<T: DeserializeOwned>(file: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    file.read_exact(&mut length)?;
    let length = match u32::from_le_bytes(length) {
        0 => return Ok(None),
        length if length > LONGEST => return Err(io::ErrorKind::InvalidData.into()),
        length => u64::from(length),
    };
    let mut part = Vec::new();
    file.take(length).read_to_end(&mut part)?;
    let part = postcard::from_bytes(&part).map_err(io::Error::other)?;
    Ok(Some(part))
}

/// Hashes what passes through.
struct Hashing<F> {
    inner: F,
    hasher: Sha256,
}

impl<F> Hashing<F> {
    fn new(inner: F) -> Self {
        let hasher = Sha256::new();
        Self { inner, hasher }
    }
}

impl<F: Write> Write for Hashing<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<F: Read> Read for Hashing<F> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.hasher.update(&bytes[..read]);
        Ok(read)
    }
}
