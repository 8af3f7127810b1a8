//! The two bodies that people read: plain text, and HTML without anything active.

use crate::language::{Phrases, fill};
use crate::meeting::Row;
use std::fmt::{self, Write};

/// What a mail says, before it is text or HTML.
pub(crate) struct Body<'a> {
    pub sentence: String,
    pub rows: Vec<Row>,
    /// Sentences below.
    pub footer: Vec<String>,
    pub phrases: &'a Phrases,
    pub language: &'static str,
}

impl Body<'_> {
    /// As plain text; lines end with CRLF, as in mail.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.sentence);
        for row in &self.rows {
            let value = row.value.replace('\n', "\n    ");
            line(
                &mut text,
                format_args!("{}{}{value}", row.label, self.phrases.colon),
            );
            if let Some(was) = &row.was {
                line(&mut text, format_args!("    ({})", self.was(was)));
            }
        }
        for sentence in &self.footer {
            line(&mut text, format_args!("\n{sentence}"));
        }
        text.replace('\n', "\r\n")
    }

    /// As HTML: a heading and a table, without links, images, scripts and styles from elsewhere.
    pub(crate) fn html(&self) -> String {
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"{}\">\n<head><meta charset=\"utf-8\"><title>{}</title></head>\n\
             <body style=\"font-family: sans-serif\">\n<p><strong>{}</strong></p>\n<table cellpadding=\"4\">\n",
            self.language,
            escape(&self.sentence),
            escape(&self.sentence),
        );
        for row in &self.rows {
            let was = row.was.as_deref().map_or_else(String::new, |was| {
                format!("<br><s>{}</s>", escape(&self.was(was)))
            });
            let (label, value) = (escape(row.label), escape(&row.value));
            html.push_str("<tr><th align=\"left\" valign=\"top\">");
            line(
                &mut html,
                format_args!("{label}</th><td>{value}{was}</td></tr>"),
            );
        }
        html.push_str("</table>\n");
        for sentence in &self.footer {
            line(
                &mut html,
                format_args!("<p><small>{}</small></p>", escape(sentence)),
            );
        }
        html.push_str("</body>\n</html>\n");
        html.replace('\n', "\r\n")
    }

    fn was(&self, value: &str) -> String {
        fill(self.phrases.was, &[("value", value)])
    }
}

fn line(text: &mut String, line: fmt::Arguments) {
    writeln!(text, "{line}").expect("a String takes all that is written");
}

/// A text as HTML shows it, line breaks too.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' => escaped.push_str("<br>\n"),
            c => escaped.push(c),
        }
    }
    escaped
}
