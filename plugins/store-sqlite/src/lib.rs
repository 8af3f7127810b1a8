//! Calendars in one SQLite file.
