/// Whether a plugin may be opened twice side by side, on the same things.
///
/// A host does so when its configuration is read anew, and when a command is run beside it: the new one is opened, then
/// the old one closed, so that nobody waits. Of an exclusive one, the old one is closed first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sharing {
    /// It may.
    #[default]
    Shared,
    /// It may, but in one process not by two versions of its library, as each has its own copy of something that must be
    /// there once: of SQLite, for example, whose copies undo each other's locks. If the library was replaced, the old one is
    /// closed first, and has to let go of its files then.
    OneVersion,
    /// It may not.
    Exclusive,
}
