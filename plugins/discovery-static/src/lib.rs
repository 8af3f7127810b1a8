//! Receivers written down by the administrator.
