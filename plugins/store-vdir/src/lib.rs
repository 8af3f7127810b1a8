//! Calendars in a tree of .ics files, shared with khal and vdirsyncer.
