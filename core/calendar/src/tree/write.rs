//! Writing a tree as octets.

use super::{
    Component, Param, Property,
    class::{self, ESCAPED, NEEDS_QUOTES, QUOTE},
    content_line, octets,
};
use memchr::memchr;

/// RFC 5545 §3.1: octets of a line, without the line break.
const WIDEST: usize = 75;

pub(super) fn whole(component_: &Component) -> Vec<u8> {
    let mut out = Vec::with_capacity(4096);
    component(component_, &mut out, &mut String::new());
    out
}

fn component(component_: &Component, out: &mut Vec<u8>, line: &mut String) {
    edge("BEGIN", component_, out, line);
    let mut rest = component_.properties.as_slice();
    for inner in &component_.components {
        let written = component_.properties.len() - rest.len();
        let (before, after) = rest.split_at(inner.after.saturating_sub(written).min(rest.len()));
        properties(before, out, line);
        component(inner, out, line);
        rest = after;
    }
    properties(rest, out, line);
    edge("END", component_, out, line);
}

fn properties(properties: &[Property], out: &mut Vec<u8>, line: &mut String) {
    for property_ in properties {
        if property_.name.is_empty() && property_.value.starts_with([' ', '\t']) {
            // Behind an empty line it is a line, and no fold of the one before.
            out.extend_from_slice(b"\r\n");
        }
        property(property_, line);
        fold(line, out);
    }
}

fn edge(what: &str, component: &Component, out: &mut Vec<u8>, line: &mut String) {
    line.clear();
    line.push_str(what);
    line.push(':');
    push_value(&component.name, line);
    fold(line, out);
}

fn property(property: &Property, line: &mut String) {
    line.clear();
    if property.name.is_empty() {
        // A line that could not be read, as it came.
        push_value(&property.value, line);
        return;
    }
    line.push_str(&property.name);
    match &property.source {
        // Fields are public: somebody may have changed the parameters since.
        Some(source) if content_line::still_says(source, &property.params) => line.push_str(source),
        _ => push_params(&property.params, line),
    }
    line.push(':');
    push_value(&property.value, line);
}

/// A line break in a value would end the line; RFC 5545 §3.3.11 has `\n` for it.
fn push_value(value: &str, line: &mut String) {
    if memchr(b'\n', value.as_bytes()).is_none() {
        line.push_str(value);
        return;
    }
    for (index, part) in value.split('\n').enumerate() {
        if index > 0 {
            line.push_str("\\n");
        }
        line.push_str(part.strip_suffix('\r').unwrap_or(part));
    }
}

fn push_params(params: &[Param], line: &mut String) {
    for param in params {
        line.push(';');
        line.push_str(&param.name);
        for (index, value) in param.values.iter().enumerate() {
            line.push(if index == 0 { '=' } else { ',' });
            push_param_value(value, line);
        }
    }
}

fn push_param_value(value: &str, line: &mut String) {
    let (_, seen) = class::up_to(value, 0);
    let quote = seen & NEEDS_QUOTES != 0;
    if quote {
        line.push('"');
    }
    if seen & (QUOTE | ESCAPED) == 0 {
        line.push_str(value);
    } else {
        push_escaped(value, line);
    }
    if quote {
        line.push('"');
    }
}

/// RFC 6868 §3.2.
fn push_escaped(value: &str, line: &mut String) {
    let mut rest = value;
    while let (Some(at), _) = class::up_to(rest, QUOTE | ESCAPED) {
        line.push_str(&rest[..at]);
        line.push_str(match rest.as_bytes()[at] {
            b'^' => "^^",
            b'"' => "^'",
            b'\n' => "^n",
            _ => "",
        });
        rest = &rest[at + 1..];
    }
    line.push_str(rest);
}

fn fold(line: &str, out: &mut Vec<u8>) {
    let octets = octets::encode(line);
    let mut rest = octets.as_ref();
    let mut room = WIDEST;
    while rest.len() > room {
        // A character has at most three octets behind its first; what is none may be cut anywhere.
        let starts = |at: &usize| !matches!(rest[*at], 0x80..=0xBF);
        let end = (room - 3..=room).rev().find(starts);
        let (now, later) = rest.split_at(end.unwrap_or(room));
        out.extend_from_slice(now);
        out.extend_from_slice(b"\r\n ");
        rest = later;
        room = WIDEST - 1; // the space counts
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(b"\r\n");
}
