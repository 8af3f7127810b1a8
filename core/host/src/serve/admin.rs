//! Health and metrics, for the administrator's own tools.

use super::Node;
use crate::{
    config::Role,
    plugin::PluginState,
    receiver::answer::empty,
    transport::{Body, Response},
};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Mutex, PoisonError},
};

/// Answers by role and HTTP status.
#[derive(Default)]
pub struct Metrics {
    answers: Mutex<BTreeMap<(&'static str, u16), u64>>,
}

impl Metrics {
    /// Counts an answer.
    pub(super) fn count(&self, role: Role, status: StatusCode) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry((role.as_str(), status.as_u16())).or_default() += 1;
    }

    /// Prometheus' text format.
    fn text(&self, node: &Node) -> String {
        let mut text = String::from(
            "# HELP convoke_answers_total HTTP answers.\n# TYPE convoke_answers_total counter\n",
        );
        // Writing to a String cannot fail.
        for ((role, status), count) in &*self.answers.lock().unwrap_or_else(PoisonError::into_inner)
        {
            let _ = writeln!(
                text,
                "convoke_answers_total{{listener=\"{role}\",status=\"{status}\"}} {count}"
            );
        }
        text.push_str("# HELP convoke_plugin_ready Whether a plugin is asked (1) or skipped (0).\n# TYPE convoke_plugin_ready gauge\n");
        for plugin in node.plugins.list() {
            let ready = u8::from(matches!(plugin.state, PluginState::Ready));
            let name = plugin.name.replace(['"', '\\', '\n'], "_");
            let _ = writeln!(text, "convoke_plugin_ready{{plugin=\"{name}\"}} {ready}");
        }
        text
    }
}

/// Answers `/health` and `/metrics`.
pub(super) fn handle(node: &Node, request: &Request<Body>) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return empty(StatusCode::METHOD_NOT_ALLOWED, &[("allow", "GET, HEAD")]);
    }
    match request.uri().path() {
        "/health" => plain("ok\n".to_owned()),
        "/metrics" => plain(node.metrics.text(node)),
        _ => empty(StatusCode::NOT_FOUND, &[]),
    }
}

fn plain(text: String) -> Response {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}
