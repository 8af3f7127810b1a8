//! Allow and deny rules.
